package pipeline

import (
	"context"
	"fmt"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// loadRules reads the rules that hold in the space, once.
func (j *projector) loadRules(ctx context.Context) error {
	if j.rulesRead {
		return nil
	}
	rules, units, err := rulesOf(ctx, j.db, j.space)
	if err != nil {
		return err
	}
	j.setRules(rules, units)
	return nil
}

func (j *projector) setRules(rules *identity.Rules, units []store.UnitRow) {
	j.rules, j.rulesRead, j.units = rules, true, unitNames(units)
}

func unitNames(units []store.UnitRow) map[string]int64 {
	names := map[string]int64{}
	for _, u := range units {
		if !u.Gone {
			names[strings.ToLower(u.Name)] = u.ID
		}
	}
	return names
}

func rulesOf(ctx context.Context, db *store.DB, space int64) (*identity.Rules, []store.UnitRow, error) {
	_, doc, err := db.ProjectedRules(ctx, space)
	if err != nil {
		return nil, nil, err
	}
	rules := &identity.Rules{Schema: identity.RulesSchema}
	if doc != "" {
		if rules, err = identity.ParseRules([]byte(doc)); err != nil {
			return nil, nil, fmt.Errorf("the rules in force: %w", err)
		}
	}
	units, err := db.ProjectedUnits(ctx, space)
	return rules, units, err
}

// unit gives the access unit of an application.
func (j *projector) unit(application string) (int64, bool) {
	id, ok := j.units[strings.ToLower(application)]
	return id, ok && application != ""
}

// unitOf says to which access unit and service a finding of a family belongs.
type unitOf struct {
	j      *projector
	f      *fold
	narrow map[string]*identity.Rules // by ref
}

func (j *projector) unitsFor(ctx context.Context, f *fold) (*unitOf, error) {
	if err := j.loadRules(ctx); err != nil {
		return nil, err
	}
	return &unitOf{j: j, f: f, narrow: map[string]*identity.Rules{}}, nil
}

// assign sets the unit and service of a row from the observation that it shows.
// Rules win; where they say nothing, the finding belongs where its family does,
// and to the service that the uploader named.
func (u *unitOf) assign(row *store.FindingRow, o *sinew.Observation, pl *store.PlaceRow, claimed string) {
	a := u.rulesFor(pl.Ref).Assign(subject(&u.f.fam, pl.Ref, o))
	row.Unit, row.Service = u.f.fam.Unit, a.Service
	if id, ok := u.j.unit(a.Application); ok {
		row.Unit = id
	}
	if a.Service == "" && a.Application == "" {
		row.Service = claimed
	}
}

func (u *unitOf) rulesFor(ref string) *identity.Rules {
	r, ok := u.narrow[ref]
	if !ok {
		r = u.j.rules.Narrow(u.f.fam.Target, ref)
		u.narrow[ref] = r
	}
	return r
}

// subject is what the rules are asked about an observation.
func subject(fam *store.FamilyRow, ref string, o *sinew.Observation) identity.Subject {
	s := identity.Subject{Target: fam.Target, Ref: ref, Path: identity.PathOf(o), Image: o.Image, Host: o.Host}
	if o.Resource != nil {
		s.Account = o.Resource.Account
	}
	if ns, ok := o.Extra["namespace"].(string); ok {
		s.Namespace = ns
	}
	for _, tag := range o.Tags {
		k, v, ok := strings.Cut(tag, "=")
		if !ok {
			continue
		}
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[k] = v
	}
	return s
}

// familyUnit says to which access unit a family as a whole belongs: what the
// rules say of its target, else what the uploader named.
func familyUnit(rules *identity.Rules, units map[string]int64, s sinew.Stream, claimed string) (unit int64, byRule bool) {
	a := rules.Assign(identity.Subject{Target: s.Target, Ref: s.Ref})
	if id, ok := units[strings.ToLower(a.Application)]; ok && a.Application != "" {
		return id, true
	}
	if id, ok := units[strings.ToLower(claimed)]; ok && claimed != "" {
		return id, false
	}
	return sinew.UnassignedUnit, false
}
