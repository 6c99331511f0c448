package pipeline

import (
	"context"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// importUnits says which access units a snapshot touches: the sender needs the
// developer role on each, which the store checks. An application that does not
// exist is made for an administrator; nobody else learns that it does not.
func (p *Pipeline) importUnits(ctx context.Context, r sinew.Reader, s *sinew.Snapshot) ([]int64, error) {
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	rules, rows, err := rulesOf(ctx, p.db, space.ID)
	if err != nil {
		return nil, err
	}
	names := unitNames(rows)
	unit, byRule := familyUnit(rules, names, s.Stream, s.Application)
	if s.Application != "" {
		claimed, ok := names[strings.ToLower(s.Application)]
		switch {
		case !ok && r.All.Allows(sinew.RoleAdmin):
			if err := p.addApplication(ctx, r, rules, s.Application); err != nil {
				return nil, err
			}
		case !ok || !r.Can(sinew.RoleViewer, claimed):
			return nil, sinew.Errorf(sinew.CodeNotFound, "there is no application %q", s.Application).
				Hint("sinew app list shows those that you may see")
		case byRule && claimed != unit:
			return nil, sinew.Errorf(sinew.CodeConflict, "by the rules, %s does not belong to the application %q", s.Stream.Target, s.Application).
				Hint("leave out --app, or ask an administrator to change the rules")
		default:
			unit = claimed
		}
	}
	units := []int64{unit}
	fam, err := p.db.FindFamily(ctx, space.ID, s.Stream)
	if err != nil {
		return nil, err
	}
	if fam != nil && fam.Unit != unit {
		if s.Application != "" && fam.Unit != sinew.UnassignedUnit && !byRule {
			if !r.Can(sinew.RoleViewer, fam.Unit) {
				return nil, sinew.Errorf(sinew.CodeDenied, "you may not import reports of %s", s.Stream.Target).
					Hint("ask an administrator of the workspace")
			}
			return nil, sinew.Errorf(sinew.CodeConflict, "%s belongs to another application already", s.Stream.Target).
				Hint("leave out --app, or ask an administrator to move it by a rule")
		}
		if !slices.Contains(units, fam.Unit) {
			units = append(units, fam.Unit)
		}
		if s.Application == "" {
			units = []int64{fam.Unit}
		}
	}
	return units, nil
}

// addApplication puts an application without a match into the rules.
func (p *Pipeline) addApplication(ctx context.Context, r sinew.Reader, rules *identity.Rules, name string) error {
	more, added := rules.WithApplication(name)
	if !added {
		return nil
	}
	if err := more.Validate(); err != nil {
		return err
	}
	doc, err := more.Document()
	if err != nil {
		return err
	}
	_, err = p.db.Accept(ctx, r, store.Accept{
		Kind: sinew.EntryRules, Payload: RulesEntry{Schema: "rules-entry/v1", Document: string(doc)},
	})
	return err
}
