package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// RulesEntry is the payload of a rules entry: the whole document.
type RulesEntry struct {
	Schema   string `json:"schema"` // rules-entry/v1
	Document string `json:"document"`
}

// rulesEntry projects a new set of rules: applications become access units, and
// every finding and every ref is assigned anew.
func (j *projector) rulesEntry(ctx context.Context, e sinew.Entry) error {
	r, err := payload[RulesEntry](e)
	if err != nil {
		return err
	}
	rules, err := identity.ParseRules([]byte(r.Document))
	if err != nil {
		return err
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	old, err := j.db.ProjectedUnits(ctx, j.space)
	if err != nil {
		return err
	}
	units, err := newUnits(old, rules.Units(), e.Seq)
	if err != nil {
		return err
	}
	for _, u := range units {
		st.SaveUnit(u)
	}
	st.SaveRules(e.Seq, r.Document)
	j.setRules(rules, units)
	families, err := j.db.FamiliesOf(ctx, j.space, "")
	if err != nil {
		return err
	}
	for _, fam := range families {
		if err := j.assignFamily(ctx, st, e, fam); err != nil {
			return err
		}
	}
	if err := j.p.point("staged"); err != nil {
		return err
	}
	if err := j.flip(ctx, st, e.Seq, nil); err != nil {
		j.rulesRead = false
		return err
	}
	return nil
}

// newUnits gives the access units after the rules have changed: those that keep
// their name keep their id, those that are left out are gone, and come back
// under their id when they are named again.
func newUnits(old []store.UnitRow, want []identity.Unit, seq int64) ([]store.UnitRow, error) {
	byName := map[string]int{}
	out := make([]store.UnitRow, len(old))
	for i, u := range old {
		u.Gone = true
		out[i] = u
		byName[strings.ToLower(u.Name)] = i
	}
	born := int64(0)
	for _, w := range want {
		services, err := json.Marshal(append([]string{}, w.Services...))
		if err != nil {
			return nil, fmt.Errorf("services of %s: %w", w.Application, err)
		}
		i, ok := byName[strings.ToLower(w.Application)]
		if !ok {
			i = len(out)
			out = append(out, store.UnitRow{ID: seq<<28 | born})
			byName[strings.ToLower(w.Application)] = i
			born++
		}
		u := &out[i]
		u.Name, u.Organisation, u.BusinessUnit, u.Services, u.Gone = w.Application, w.Organisation, w.BusinessUnit, string(services), false
	}
	return out, nil
}

// assignFamily assigns a family, its places and its findings by the rules.
func (j *projector) assignFamily(ctx context.Context, st *store.Stage, e sinew.Entry, fam store.FamilyRow) error {
	f, err := j.openFold(ctx, st, fam, e)
	if err != nil {
		return err
	}
	defer f.closeLines()
	f.setFamilyUnit()
	f.fam.Assigned = e.Seq
	kinds := false
	for _, p := range f.places {
		if p.Kind == sinew.PlaceDeployed {
			continue
		}
		if kind := identity.PlaceKind(p.Ref, j.rules.RefRules(fam.Target)); kind != p.Kind {
			p.Kind, kinds = kind, true
		}
		if env := f.units.rulesFor(p.Ref).Assign(identity.Subject{Target: fam.Target, Ref: p.Ref}).Environment; env != "" {
			p.Environment = env
		}
		st.SavePlace(*p)
	}
	if kinds { // headlines are derived otherwise than when the steps were made
		if err := f.barrier(ctx); err != nil {
			return err
		}
	}
	st.SaveFamily(f.fam)
	return f.assignFindings(ctx, kinds)
}

// setFamilyUnit assigns the family by the rules; where they say nothing it stays
// in the unit that an uploader named, as long as that exists.
func (f *fold) setFamilyUnit() {
	unit, byRule := familyUnit(f.j.rules, f.j.units, f.fam.Stream(), "")
	kept := false
	for _, id := range f.j.units {
		kept = kept || id == f.fam.Unit
	}
	if byRule || !kept {
		f.fam.Unit = unit
	}
}

// moveUnit gives a family that belonged nowhere to the unit that its uploader
// named.
func (f *fold) moveUnit(ctx context.Context, unit int64) error {
	f.fam.Unit, f.fam.Assigned = unit, f.born
	f.st.SaveFamily(f.fam)
	return f.assignFindings(ctx, false)
}

// assignFindings sets unit and service of every finding of the family. headlines
// says that they must be derived again too, because the kinds of places changed.
func (f *fold) assignFindings(ctx context.Context, headlines bool) error {
	var ids []int64
	if err := f.eachFinding(ctx, func(row *store.FindingRow) error { ids = append(ids, row.ID); return nil }); err != nil {
		return err
	}
	for len(ids) > 0 {
		n := min(touchBatch, len(ids))
		set, err := f.load(ctx, f.known, ids[:n])
		if err != nil {
			return err
		}
		ids = ids[n:]
		for _, id := range set.order {
			fs := set.findings[id]
			if fs == nil {
				continue
			}
			if headlines {
				if err := f.headline(ctx, fs, f.known, change{why: "the rules say anew which refs count"}); err != nil {
					return err
				}
			}
			if err := f.assign(ctx, fs); err != nil {
				return err
			}
		}
		if err := set.save(ctx); err != nil {
			return err
		}
	}
	f.phase++
	return nil
}

// assign sets unit and service of a finding from what it shows.
func (f *fold) assign(ctx context.Context, fs *findingState) error {
	pl := f.place(fs.row.Place)
	var shown *presenceState
	for _, p := range fs.presences {
		if p.row.ObsSeq == fs.row.ObsSeq && p.row.ObsN == fs.row.ObsN {
			shown = p
		}
	}
	if pl == nil || shown == nil {
		return nil
	}
	o, gone, err := lost(f.observation(ctx, &shown.row))
	if err != nil || gone {
		return err // a closed finding whose report is gone stays where it is
	}
	service, err := f.j.claimedService(ctx, fs.row.ObsSeq)
	if err != nil {
		return err
	}
	f.units.assign(&fs.row, o, pl, service)
	return nil
}

// claimedService is the service that the uploader of a snapshot named.
func (j *projector) claimedService(ctx context.Context, seq int64) (string, error) {
	if s, ok := j.services[seq]; ok {
		return s, nil
	}
	sn, err := j.snapshotEntry(ctx, seq)
	if err != nil {
		return "", err
	}
	if len(j.services) > 10_000 {
		clear(j.services)
	}
	j.services[seq] = sn.S.Service
	return sn.S.Service, nil
}
