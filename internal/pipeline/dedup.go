package pipeline

import (
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// reading is a projector that only reads: it has no lease.
func (p *Pipeline) reading(ctx context.Context, r sinew.Reader) (*projector, error) {
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	return &projector{p: p, db: p.db, ws: ws, space: space.ID}, nil
}

// DedupExplanation says whether two findings are one problem, and why or why not.
type DedupExplanation struct {
	Same   bool
	Why    string
	Rule   string            // by which the two alone are the same; "" for none
	Values []sinew.JoinField // that it compares
	Others []int64           // findings of the same cluster that hold them together, where no rule does directly
}

// ExplainDedup says whether two findings that r sees are one problem.
func (p *Pipeline) ExplainDedup(ctx context.Context, r sinew.Reader, a, b string) (*DedupExplanation, error) {
	j, err := p.reading(ctx, r)
	if err != nil {
		return nil, err
	}
	rows, err := p.named(ctx, r, j, []string{a, b})
	if err != nil {
		return nil, err
	}
	x, y := rows[0], rows[1]
	if x.ID == y.ID {
		return &DedupExplanation{Same: true, Why: "both ids name one finding"}, nil
	}
	if x.Unit != y.Unit {
		return &DedupExplanation{Why: "they belong to different applications"}, nil
	}
	links, err := j.readLinks(ctx)
	if err != nil {
		return nil, err
	}
	block, all, err := j.block(ctx, links, x, y)
	if err != nil {
		return nil, err
	}
	aliases, err := j.aliases(ctx, block)
	if err != nil {
		return nil, err
	}
	at := func(id int64) int { return slices.IndexFunc(all, func(f store.FindingRow) bool { return f.ID == id }) }
	said := links.Links
	said.NeverRules = links.never[x.Unit]
	e := identity.Explain(block, at(x.ID), at(y.ID), aliases, &said)
	out := &DedupExplanation{Same: e.Same, Why: e.Why, Values: e.Join.Values}
	if e.Join.Rule != 0 {
		out.Rule = e.Join.Rule.String()
	}
	if lead(&x) == lead(&y) && !e.Same {
		out.Same, out.Why = true, "no rule joins the two directly, but each is the same as another finding"
		for i := range all {
			if lead(&all[i]) == lead(&x) && all[i].ID != x.ID && all[i].ID != y.ID {
				out.Others = append(out.Others, all[i].ID)
			}
		}
	}
	return out, nil
}

// lead names the cluster of a finding; one that stands alone is its own.
func lead(f *store.FindingRow) int64 {
	if f.Lead > 0 {
		return f.Lead
	}
	return f.ID
}

// named reads findings that r sees, in the order of their names.
func (p *Pipeline) named(ctx context.Context, r sinew.Reader, j *projector, names []string) ([]store.FindingRow, error) {
	births := make([]int64, len(names))
	for i, id := range names {
		var err error
		if births[i], err = sinew.ParsePublicID(j.ws.UUID, sinew.IDFinding, id); err != nil {
			return nil, err
		}
	}
	if _, err := p.findingUnits(ctx, r, j.space, names, births); err != nil {
		return nil, err
	}
	now, err := p.db.ResolveBirths(ctx, j.space, births)
	if err != nil {
		return nil, err
	}
	out := make([]store.FindingRow, len(births))
	for i, b := range births {
		rows, err := p.db.FindingsByID(ctx, j.space, []int64{now[b]})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			return nil, sinew.Errorf(sinew.CodeNotFound, "there is no finding %s", names[i])
		}
		out[i] = rows[0]
	}
	return out, nil
}

// block reads the findings that some of one unit are compared with, and those.
func (j *projector) block(ctx context.Context, links *links, of ...store.FindingRow) ([]identity.Sighting, []store.FindingRow, error) {
	var numbers []int64
	for i := range of {
		for _, b := range links.group(store.Block{Unit: of[i].Unit, Block: of[i].Block}) {
			n, err := j.db.CountBlock(ctx, j.space, b, identity.MaxBlock+1)
			if err != nil {
				return nil, nil, err
			}
			if n > identity.MaxBlock {
				return nil, nil, sinew.Errorf(sinew.CodeTooLarge, "more than %d findings may be the same here: none are compared", identity.MaxBlock)
			}
			numbers = append(numbers, b.Block)
		}
	}
	slices.Sort(numbers)
	rows, err := j.db.BlockRows(ctx, j.space, of[0].Unit, slices.Compact(numbers))
	if err != nil {
		return nil, nil, err
	}
	block := make([]identity.Sighting, len(rows))
	for i := range rows {
		fam, err := j.family(ctx, rows[i].Family)
		if err != nil {
			return nil, nil, err
		}
		block[i] = sighting(&rows[i], fam)
	}
	return block, rows, nil
}

// LinkPreview is what a link would change.
type LinkPreview struct {
	Before, After [][]int64 // clusters of the findings that it is about, as they are and would be; each with more than one finding
}

// PreviewLink shows what a link would do to the clusters of its findings. What is
// said of rules changes others of the application as well.
func (p *Pipeline) PreviewLink(ctx context.Context, r sinew.Reader, l sinew.Link) (*LinkPreview, error) {
	if err := l.Validate(); err != nil {
		return nil, err
	}
	rows, _, err := p.linked(ctx, r, &l)
	if err != nil {
		return nil, err
	}
	if !r.Can(sinew.RoleDeveloper, rows[0].Unit) {
		return nil, sinew.Errorf(sinew.CodeDenied, "to say what is the same needs the role developer on the application").
			Hint("ask an administrator of the workspace")
	}
	j, err := p.reading(ctx, r)
	if err != nil {
		return nil, err
	}
	links, err := j.readLinks(ctx)
	if err != nil {
		return nil, err
	}
	block, all, err := j.block(ctx, links, rows...)
	if err != nil {
		return nil, err
	}
	aliases, err := j.aliases(ctx, block)
	if err != nil {
		return nil, err
	}
	about := map[int64]bool{}
	for i := range rows {
		about[lead(&rows[i])] = true
	}
	for i := range all {
		if about[lead(&all[i])] {
			about[all[i].ID] = true
		}
	}
	said := links.Links
	said.NeverRules = links.never[rows[0].Unit]
	clusters := func() (out [][]int64) {
		for _, c := range identity.Correlate(slices.Clone(block), aliases, &said) {
			ids := make([]int64, len(c.Members))
			some := false
			for i, m := range c.Members {
				ids[i] = all[m].ID
				some = some || about[ids[i]]
			}
			if some {
				slices.Sort(ids)
				out = append(out, ids)
			}
		}
		return out
	}
	out := &LinkPreview{Before: clusters()}
	for i := range rows[1:] {
		pair := identity.LinkPair(rows[0].ID, rows[1+i].ID)
		switch l.Kind {
		case sinew.LinkSame:
			delete(said.Different, pair)
			said.Same[pair] = true
		case sinew.LinkDifferent:
			delete(said.Same, pair)
			said.Different[pair] = true
		case sinew.LinkNever:
			if said.NeverRules == nil {
				said.NeverRules = map[[2]string]bool{}
			}
			said.NeverRules[identity.RulePair(rows[0].Tool, rows[0].Rule, rows[1+i].Tool, rows[1+i].Rule)] = true
		}
	}
	out.After = clusters()
	return out, nil
}
