package pipeline

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// LinkEntry is the payload of a link entry: what a person said of findings being
// the same problem.
type LinkEntry struct {
	Schema string         `json:"schema"` // link/v1
	Kind   sinew.LinkKind `json:"kind,omitempty"`
	Reason string         `json:"reason,omitempty"`
	Pairs  [][2]int64     `json:"pairs,omitempty"` // births
	Rules  [][2]string    `json:"rules,omitempty"` // of never: tool, line feed, rule
	Unit   int64          `json:"unit,omitempty"`  // of never: where that holds
	Undoes int64          `json:"undoes,omitempty"`
}

// links is what people said, as correlation asks for it.
type links struct {
	identity.Links
	never  map[int64]map[[2]string]bool  // by unit
	blocks map[store.Block]bool          // that findings of links are in
	groups map[store.Block][]store.Block // of one of these, those that are joined with it by hand, in order
}

// group gives the blocks that must be looked at together with b.
func (l *links) group(b store.Block) []store.Block {
	if g := l.groups[b]; g != nil {
		return g
	}
	return []store.Block{b}
}

// readLinks reads what people said and nobody took back.
func (j *projector) readLinks(ctx context.Context) (*links, error) {
	if j.said == nil {
		rows, err := j.db.Links(ctx, j.space)
		if err != nil {
			return nil, err
		}
		j.said = &rows
	}
	l := &links{
		Links: identity.Links{Same: map[[2]int64]bool{}, Different: map[[2]int64]bool{}},
		never: map[int64]map[[2]string]bool{}, blocks: map[store.Block]bool{}, groups: map[store.Block][]store.Block{},
	}
	if len(*j.said) == 0 {
		return l, nil
	}
	var births []int64
	for _, row := range *j.said {
		if row.Kind != sinew.LinkNever {
			births = append(births, row.A, row.B)
		}
	}
	slices.Sort(births)
	births = slices.Compact(births)
	now, err := j.db.ResolveBirths(ctx, j.space, births)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, 0, len(now))
	for _, id := range now {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	found, err := j.db.FindingsByID(ctx, j.space, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	blockOf := make(map[int64]store.Block, len(found))
	for i := range found {
		blockOf[found[i].ID] = store.Block{Unit: found[i].Unit, Block: found[i].Block}
		l.blocks[blockOf[found[i].ID]] = true
	}
	for _, row := range *j.said { // the newest word on a pair holds
		if row.Kind == sinew.LinkNever {
			if l.never[row.B] == nil {
				l.never[row.B] = map[[2]string]bool{}
			}
			l.never[row.B][[2]string{rulesKey(row.ARule), rulesKey(row.BRule)}] = true
			continue
		}
		a, b := now[row.A], now[row.B]
		pair := identity.LinkPair(a, b)
		delete(l.Same, pair)
		delete(l.Different, pair)
		if row.Kind == sinew.LinkDifferent {
			l.Different[pair] = true
		} else if a != b {
			l.Same[pair] = true
		}
	}
	for pair := range l.Same {
		l.unite(blockOf[pair[0]], blockOf[pair[1]])
	}
	return l, nil
}

// unite puts the blocks of two findings that a person joined into one group. Those
// of different units stay apart: nobody who sees one must see the other.
func (l *links) unite(a, b store.Block) {
	if a == b || a.Unit != b.Unit || a.Unit == 0 && a.Block == 0 || b.Unit == 0 && b.Block == 0 {
		return
	}
	merged := slices.Concat(l.group(a), l.group(b))
	slices.SortFunc(merged, func(x, y store.Block) int { return cmp.Compare(x.Block, y.Block) })
	merged = slices.Compact(merged)
	for _, m := range merged {
		l.groups[m] = merged
	}
}

// rulesKey turns a stored rule into the one that correlation compares: text in the
// database has no NUL.
func rulesKey(s string) string { return strings.Replace(s, "\n", "\x00", 1) }

func storedRule(row *store.FindingRow) string { return row.Tool + "\n" + row.Rule }

// link projects what a person said of findings being the same problem.
func (j *projector) link(ctx context.Context, e sinew.Entry) error {
	l, err := payload[LinkEntry](e)
	if err != nil {
		return err
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	if _, err := j.readLinks(ctx); err != nil {
		return err
	}
	said := slices.Clone(*j.said)
	var births []int64
	var rules []string
	touch := func(row *store.LinkRow) {
		if row.Kind == sinew.LinkNever {
			rules = append(rules, row.ARule, row.BRule)
		} else {
			births = append(births, row.A, row.B)
		}
	}
	if l.Undoes != 0 {
		said = slices.DeleteFunc(said, func(row store.LinkRow) bool {
			if row.Seq == l.Undoes {
				touch(&row)
				return true
			}
			return false
		})
		st.UndoLinks(l.Undoes, e.Seq)
	}
	add := func(row store.LinkRow) {
		row.Seq, row.Kind, row.At, row.Actor = e.Seq, l.Kind, micros(e.At), e.Actor
		touch(&row)
		said = append(said, row)
		st.SaveLink(row)
	}
	for _, p := range l.Pairs {
		add(store.LinkRow{A: p[0], B: p[1]})
	}
	for i, r := range l.Rules {
		add(store.LinkRow{A: int64(i), B: l.Unit, ARule: r[0], BRule: r[1]})
	}
	j.said = &said
	if err := j.noteLinked(ctx, st, births, rules); err != nil {
		return err
	}
	return j.flip(ctx, st, e.Seq, nil)
}

// noteLinked has the blocks of findings correlated again.
func (j *projector) noteLinked(ctx context.Context, st *store.Stage, births []int64, rules []string) error {
	now, err := j.db.ResolveBirths(ctx, j.space, births)
	if err != nil {
		return err
	}
	var ids []int64
	for _, id := range now {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	rows, err := j.db.FindingsByID(ctx, j.space, slices.Compact(ids))
	if err != nil {
		return err
	}
	st.Correlate(rows)
	slices.Sort(rules)
	for _, r := range slices.Compact(rules) {
		tool, rule, _ := strings.Cut(r, "\n")
		after := int64(-1)
		for {
			rows, err := j.db.FindingPage(ctx, j.space, store.FindingCond{Tool: tool, Rule: rule}, after, touchBatch)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				break
			}
			st.Correlate(rows)
			after = rows[len(rows)-1].ID
		}
	}
	return nil
}

// Link records what a person says of findings being the same problem. He needs the
// developer role on their unit.
func (p *Pipeline) Link(ctx context.Context, r sinew.Reader, l sinew.Link, key string) (store.Accepted, error) {
	if err := l.Validate(); err != nil {
		return store.Accepted{}, err
	}
	rows, units, err := p.linked(ctx, r, &l)
	if err != nil {
		return store.Accepted{}, err
	}
	entry := LinkEntry{Schema: "link/v1", Kind: l.Kind, Reason: l.Reason}
	if l.Kind == sinew.LinkNever {
		entry.Unit = units[0]
	}
	first := &rows[0]
	for i := range rows[1:] {
		other := &rows[1+i]
		if l.Kind != sinew.LinkNever {
			entry.Pairs = append(entry.Pairs, [2]int64{first.ID, other.ID})
			continue
		}
		pair := [2]string{min(storedRule(first), storedRule(other)), max(storedRule(first), storedRule(other))}
		if !slices.Contains(entry.Rules, pair) {
			entry.Rules = append(entry.Rules, pair)
		}
	}
	return p.acceptJSON(ctx, r, sinew.EntryLink, entry, units, key, l)
}

// linked reads the findings of a link, the first one first. Splitting one from a
// cluster splits it from all of it.
func (p *Pipeline) linked(ctx context.Context, r sinew.Reader, l *sinew.Link) ([]store.FindingRow, []int64, error) {
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, nil, err
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, nil, err
	}
	births := make([]int64, len(l.Findings))
	for i, id := range l.Findings {
		if births[i], err = sinew.ParsePublicID(ws.UUID, sinew.IDFinding, id); err != nil {
			return nil, nil, err
		}
	}
	units, err := p.findingUnits(ctx, r, space.ID, l.Findings, births)
	if err != nil {
		return nil, nil, err
	}
	if len(units) > 1 {
		return nil, nil, sinew.Errorf(sinew.CodeInvalid, "the findings belong to different applications").
			Hint("findings of one application can be one problem")
	}
	now, err := p.db.ResolveBirths(ctx, space.ID, births)
	if err != nil {
		return nil, nil, err
	}
	var out []store.FindingRow
	for _, b := range births {
		rows, err := p.db.FindingsByID(ctx, space.ID, []int64{now[b]})
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			if !slices.ContainsFunc(out, func(f store.FindingRow) bool { return f.ID == rows[i].ID }) {
				out = append(out, rows[i])
			}
		}
	}
	if len(out) < 2 {
		return nil, nil, sinew.Errorf(sinew.CodeInvalid, "a link names at least two findings").Hint("the ids given are all of one finding")
	}
	return out, units, nil
}

// UndoLink takes back what somebody said of findings being the same problem.
func (p *Pipeline) UndoLink(ctx context.Context, r sinew.Reader, seq int64, key string) (store.Accepted, error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no such link, or it was taken back").Hint("sinew dedup links lists those that stand")
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return store.Accepted{}, err
	}
	rows, err := p.db.Links(ctx, space.ID)
	if err != nil {
		return store.Accepted{}, err
	}
	rows = slices.DeleteFunc(rows, func(l store.LinkRow) bool { return l.Seq != seq })
	if len(rows) == 0 {
		return store.Accepted{}, missing
	}
	units, err := p.linkUnits(ctx, space.ID, rows)
	if err != nil {
		return store.Accepted{}, err
	}
	for _, u := range units {
		if !r.Can(sinew.RoleViewer, u) {
			return store.Accepted{}, missing
		}
	}
	asked := struct {
		Undo int64 `json:"undo_link"`
	}{seq}
	return p.acceptJSON(ctx, r, sinew.EntryLink, LinkEntry{Schema: "link/v1", Undoes: seq}, units, key, asked)
}

// linkUnits gives the units that links are about: of their findings, or, where rules
// were told apart, the one where that was said.
func (p *Pipeline) linkUnits(ctx context.Context, space int64, rows []store.LinkRow) ([]int64, error) {
	var births, units []int64
	for _, l := range rows {
		if l.Kind == sinew.LinkNever {
			return []int64{l.B}, nil
		}
		births = append(births, l.A, l.B)
	}
	now, err := p.db.ResolveBirths(ctx, space, births)
	if err != nil {
		return nil, err
	}
	for _, b := range births {
		found, err := p.db.FindingsByID(ctx, space, []int64{now[b]})
		if err != nil {
			return nil, err
		}
		for i := range found {
			if !slices.Contains(units, found[i].Unit) {
				units = append(units, found[i].Unit)
			}
		}
	}
	if len(units) == 0 {
		units = []int64{sinew.UnassignedUnit}
	}
	return units, nil
}
