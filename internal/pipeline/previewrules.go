package pipeline

import (
	"context"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// RulesPreview is what other rules would change.
type RulesPreview struct {
	Moved   int          // findings that change their application or service
	Samples []MovedTo    // the first of them
	Added   []string     // applications
	Removed []string     // applications that no rule would name any more
	Counts  []UnitChange // findings of each application, of those that change or have any
}

// MovedTo is a finding that would belong elsewhere: application, or
// application/service, empty for none.
type MovedTo struct {
	ID, Title, From, To string
}

// UnitChange is how many findings an application has, and would have; the empty
// name is what belongs to none.
type UnitChange struct {
	Application   string
	Before, After int
}

// maxSamples is how many findings a preview names.
const maxSamples = 20

// PreviewRules says what would change under other rules. It reads every finding.
func (p *Pipeline) PreviewRules(ctx context.Context, r sinew.Reader, document string) (*RulesPreview, error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return nil, sinew.Errorf(sinew.CodeDenied, "rules need the role admin").Hint("ask an administrator of the workspace")
	}
	rules, err := identity.ParseRules([]byte(document))
	if err != nil {
		return nil, err
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	old, err := p.db.ProjectedUnits(ctx, space.ID)
	if err != nil {
		return nil, err
	}
	units, err := newUnits(old, rules.Units(), 1<<30) // new ones get ids that none has
	if err != nil {
		return nil, err
	}
	j := &projector{
		p: p, db: p.db, ws: ws, space: space.ID, lease: nil,
		bodies: map[int64][32]byte{}, services: map[int64]string{},
	}
	j.setRules(rules, units)
	v := &rulesPreview{RulesPreview: &RulesPreview{}, j: j, names: map[int64]string{}, before: map[int64]int{}, after: map[int64]int{}}
	v.units(old, units)
	families, err := p.db.FamiliesOf(ctx, space.ID, "")
	if err != nil {
		return nil, err
	}
	for _, fam := range families {
		if err := v.family(ctx, fam); err != nil {
			return nil, err
		}
	}
	v.count(units)
	return v.RulesPreview, nil
}

// rulesPreview is a preview under way.
type rulesPreview struct {
	*RulesPreview
	j             *projector
	names         map[int64]string
	before, after map[int64]int // findings by unit
}

// units compares the applications.
func (v *rulesPreview) units(old, now []store.UnitRow) {
	lived := map[int64]bool{}
	for _, u := range old {
		lived[u.ID] = !u.Gone
	}
	for _, u := range now {
		v.names[u.ID] = u.Name
		switch {
		case lived[u.ID] && u.Gone:
			v.Removed = append(v.Removed, u.Name)
		case !lived[u.ID] && !u.Gone:
			v.Added = append(v.Added, u.Name)
		}
	}
}

// count lists the numbers in the order of the units.
func (v *rulesPreview) count(units []store.UnitRow) {
	add := func(name string, id int64) {
		if b, a := v.before[id], v.after[id]; a+b > 0 {
			v.Counts = append(v.Counts, UnitChange{name, b, a})
		}
	}
	for _, u := range units {
		add(u.Name, u.ID)
	}
	add("", sinew.UnassignedUnit)
}

// where names the application and service of a row.
func (v *rulesPreview) where(row *store.FindingRow) string {
	name := v.names[row.Unit]
	if row.Service != "" {
		name += "/" + row.Service
	}
	return name
}

func (v *rulesPreview) family(ctx context.Context, fam store.FamilyRow) error {
	j := v.j
	f, err := j.openFold(ctx, nil, fam, sinew.Entry{})
	if err != nil {
		return err
	}
	defer f.closeLines()
	f.setFamilyUnit()
	after := int64(-1)
	for {
		page, err := j.db.FindingPage(ctx, j.space, store.FindingCond{Family: fam.ID}, after, touchBatch)
		if err != nil {
			return err
		}
		ids := make([]int64, len(page))
		for i := range page {
			ids[i] = page[i].ID
		}
		set, err := f.read(ctx, ids)
		if err != nil {
			return err
		}
		for _, id := range set.order {
			fs := set.findings[id]
			if fs == nil {
				continue
			}
			if err := f.assign(ctx, fs); err != nil {
				return err
			}
			v.finding(fs)
		}
		if len(page) < touchBatch {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// finding compares what a finding belongs to with what it would.
func (v *rulesPreview) finding(fs *findingState) {
	v.before[fs.was.Unit]++
	v.after[fs.row.Unit]++
	if fs.row.Unit == fs.was.Unit && fs.row.Service == fs.was.Service {
		return
	}
	v.Moved++
	if len(v.Samples) < maxSamples {
		v.Samples = append(v.Samples, MovedTo{
			ID: sinew.PublicID(v.j.ws.UUID, sinew.IDFinding, fs.row.ID), Title: fs.row.Title, From: v.where(&fs.was), To: v.where(&fs.row),
		})
	}
}
