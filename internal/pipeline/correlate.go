package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// correlateRows is how many findings are correlated at a time, whole blocks of them.
const correlateRows = 5_000

// correlate makes the clusters of all blocks anew in which the stage has changed
// findings. It is part of the projection of every entry, and depends on nothing but
// the findings as they are staged and on what people said (docs/decisions/016).
func (j *projector) correlate(ctx context.Context, st *store.Stage) error {
	links, err := j.readLinks(ctx)
	if err != nil {
		return err
	}
	blocks, gone, err := st.ChangedBlocks(ctx, links.blocks)
	if err != nil {
		return err
	}
	if err := j.endJoins(ctx, st, gone); err != nil {
		return err
	}
	done := map[store.Block]bool{}
	var some []store.Block // of one unit
	rows := 0
	flush := func() error {
		if len(some) == 0 {
			return nil
		}
		err := j.correlateBlocks(ctx, st, some, links)
		some, rows = some[:0], 0
		return err
	}
	for _, sized := range blocks {
		b := sized.Block
		if done[b] {
			continue
		}
		if len(some) > 0 && some[0].Unit != b.Unit {
			if err := flush(); err != nil {
				return err
			}
		}
		group := links.group(b)
		n := sized.Findings
		for _, g := range group {
			done[g] = true
			if g == b {
				continue
			}
			size, err := j.db.CountBlock(ctx, j.space, g, identity.MaxBlock+1)
			if err != nil {
				return err
			}
			n += size
		}
		if rows+n > correlateRows {
			if err := flush(); err != nil {
				return err
			}
		}
		some, rows = append(some, group...), rows+n
	}
	return flush()
}

// endJoins ends the joins of findings that are no more.
func (j *projector) endJoins(ctx context.Context, st *store.Stage, gone []int64) error {
	joins, err := j.db.JoinsOf(ctx, j.space, gone)
	if err != nil {
		return err
	}
	for _, join := range joins {
		if err := st.EndJoin(ctx, join); err != nil {
			return err
		}
	}
	return st.Flush(ctx)
}

// correlateBlocks makes the clusters of some blocks of one unit.
func (j *projector) correlateBlocks(ctx context.Context, st *store.Stage, blocks []store.Block, links *links) error {
	numbers := make([]int64, len(blocks))
	for i, b := range blocks {
		numbers[i] = b.Block
	}
	rows, err := j.db.BlockRows(ctx, j.space, blocks[0].Unit, numbers)
	if err != nil {
		return err
	}
	ids := make([]int64, len(rows))
	groups := map[store.Block][]store.FindingRow{}
	var order []store.Block
	for i := range rows {
		ids[i] = rows[i].ID
		root := links.group(store.Block{Unit: rows[i].Unit, Block: rows[i].Block})[0]
		if groups[root] == nil {
			order = append(order, root)
		}
		groups[root] = append(groups[root], rows[i])
	}
	before, err := st.LeadsBefore(ctx, rows)
	if err != nil {
		return err
	}
	joins, err := j.db.JoinsOf(ctx, j.space, ids)
	if err != nil {
		return err
	}
	had := make(map[[2]int64]store.JoinRow, len(joins))
	for _, join := range joins {
		had[[2]int64{join.A, join.B}] = join
	}
	for _, root := range order {
		if err := j.cluster(ctx, st, groups[root], links, had, before); err != nil {
			return err
		}
	}
	for _, join := range joins { // what is left held no longer
		if _, left := had[[2]int64{join.A, join.B}]; left {
			if err := st.EndJoin(ctx, join); err != nil {
				return err
			}
		}
	}
	return nil
}

// cluster makes the clusters of findings that may be one problem. Joins that still
// hold are taken out of had; before is what each finding was part of when the entry
// came.
func (j *projector) cluster(ctx context.Context, st *store.Stage, rows []store.FindingRow, links *links, had map[[2]int64]store.JoinRow, before map[int64]int64) error {
	block := make([]identity.Sighting, len(rows))
	for i := range rows {
		fam, err := j.family(ctx, rows[i].Family)
		if err != nil {
			return err
		}
		block[i] = sighting(&rows[i], fam)
	}
	aliases, err := j.aliases(ctx, block)
	if err != nil {
		return err
	}
	now := slices.Clone(rows)
	for i := range now {
		now[i].Lead, now[i].Tools, now[i].Also = 0, "", ""
	}
	said := links.Links
	said.NeverRules = links.never[rows[0].Unit]
	for _, c := range identity.Correlate(block, aliases, &said) {
		lead := identity.Lead(block, c.Members)
		now[lead].Lead = store.LeadsOthers
		now[lead].Tools, now[lead].Also = shared(rows, c.Members, lead)
		for _, m := range c.Members {
			if m != lead {
				now[m].Lead = rows[lead].ID
			}
		}
		for _, join := range c.Joins {
			if err := j.join(ctx, st, rows, join, had); err != nil {
				return err
			}
		}
	}
	for i := range rows {
		if err := j.shownAs(ctx, st, &now[i], before[now[i].ID]); err != nil {
			return err
		}
		if now[i] == rows[i] {
			continue
		}
		fam, err := j.family(ctx, rows[i].Family)
		if err != nil {
			return err
		}
		if err := st.ChangeFinding(ctx, &rows[i], &now[i], fam.Target); err != nil {
			return err
		}
	}
	return nil
}

// join stages why two findings are one problem, unless that is known.
func (j *projector) join(ctx context.Context, st *store.Stage, rows []store.FindingRow, join identity.Join, had map[[2]int64]store.JoinRow) error {
	fields, err := json.Marshal(join.Values)
	if err != nil {
		return fmt.Errorf("encode a join: %w", err)
	}
	row := store.JoinRow{A: rows[join.A].ID, B: rows[join.B].ID, Rule: int64(join.Rule), Fields: string(fields), Seq: j.entryOf.Seq}
	key := [2]int64{row.A, row.B}
	was, ok := had[key]
	if ok && was.Rule == row.Rule && was.Fields == row.Fields {
		delete(had, key)
		return nil
	}
	return st.NewJoin(ctx, row) // what it was before is left in had, and ended
}

// shownAs writes into a finding's history that it is now shown as part of another, or
// no longer; a is the one before.
func (j *projector) shownAs(ctx context.Context, st *store.Stage, now *store.FindingRow, a int64) error {
	b := max(now.Lead, 0)
	if a == b {
		return nil
	}
	name := func(id int64) string {
		if id == 0 {
			return ""
		}
		return sinew.PublicID(j.ws.UUID, sinew.IDFinding, id)
	}
	e := store.EventRow{
		Finding: now.ID, Seq: j.entryOf.Seq, N: correlated + j.again, At: micros(j.entryOf.At), KnownAt: micros(j.entryOf.At), Kind: "merged",
		Was: name(a), Became: name(b), Cause: "the same problem, as another stream tells it", Actor: j.entryOf.Actor,
	}
	switch {
	case now.Lead == store.LeadsOthers:
		e.Kind, e.Cause = "leads", "what other streams tell of the same problem is shown as part of it"
	case b == 0:
		e.Kind, e.Cause = "separated", "no other stream tells the same problem"
	}
	return st.Event(ctx, &e)
}

// correlated is the place of what correlation says in the history of an entry: after
// all else, and once each time that the entry is projected.
const correlated = 1 << 56

// shared gives the tools of a cluster, and the ids that only others than its lead
// tell.
func shared(rows []store.FindingRow, members []int, lead int) (tools, also string) {
	var names, ids []string
	for _, m := range members {
		names = append(names, rows[m].Tool)
		for id := range strings.FieldsSeq(rows[m].IDs) {
			if !strings.Contains(rows[lead].IDs, " "+id+" ") {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(ids)
	return store.ToolsText(slices.Compact(names)), spaced(slices.Compact(ids), func(s string) string { return s })
}

// sighting is a finding's row as correlation sees it.
func sighting(row *store.FindingRow, fam *store.FamilyRow) identity.Sighting {
	s := identity.Sighting{
		ID: row.ID, Family: row.Family, Stream: fam.Tool + "\x00" + fam.Target + "\x00" + fam.Label + "\x00" + fam.Source, Target: fam.Target,
		Class: row.Class, Tool: row.Tool, Rule: row.Rule, Title: row.Title, IDs: strings.Fields(row.IDs), File: row.File, Line: int(row.Line),
		Package: row.Package, Version: row.Version, PURL: row.PURL, Image: row.Image, Host: row.Host, Resource: row.Resource,
		State: row.State, Severity: row.Severity, FirstSeen: row.FirstSeen,
		Rest: fmt.Sprint(row.Since, row.LastSeen, row.Reopened, row.Verdict, row.Until, row.Owner, row.Service, row.Endpoint, row.Spot),
	}
	for word := range strings.FieldsSeq(row.CWE) {
		if n, err := strconv.Atoi(word); err == nil {
			s.CWE = append(s.CWE, n)
		}
	}
	s.ReadSpot(row.Spot)
	if row.Verdict != "" && row.VerdictBy != byTool {
		s.Decided = row.VerdictSeq
	}
	return s
}

// spot fills the columns that correlation reads.
func spot(row *store.FindingRow, o *sinew.Observation) {
	row.Spot = identity.Spot(o)
	s := identity.Sighting{
		Class: row.Class, Rule: row.Rule, Title: row.Title, File: row.File, Package: row.Package, PURL: row.PURL, Host: row.Host, Resource: row.Resource,
	}
	if o.Endpoint != nil {
		s.URL = o.Endpoint.URL
	}
	row.Block = s.Block()
}

// family gives a family, also one that is about to be born.
func (j *projector) family(ctx context.Context, id int64) (*store.FamilyRow, error) {
	if fam := j.families[id]; fam != nil {
		return fam, nil
	}
	fam, err := j.db.FamilyByID(ctx, j.space, id)
	if err != nil {
		return nil, err
	}
	j.remembered(*fam)
	return j.families[id], nil
}

func (j *projector) remembered(fam store.FamilyRow) {
	if j.families == nil || len(j.families) > 10_000 {
		j.families = map[int64]*store.FamilyRow{}
	}
	j.families[fam.ID] = &fam
}

// roots are the names of vulnerabilities that stand for others.
type roots map[string]string

// Root implements [identity.Aliases].
func (r roots) Root(id string) string {
	if root, ok := r[id]; ok {
		return root
	}
	return id
}

func (j *projector) aliases(ctx context.Context, block []identity.Sighting) (roots, error) {
	var ids []string
	for i := range block {
		for _, id := range block[i].IDs {
			ids = append(ids, strings.ToUpper(id))
		}
	}
	slices.Sort(ids)
	return j.db.AliasRoots(ctx, j.space, slices.Compact(ids))
}
