package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// everyUnit is the unit of a role by group that holds everywhere.
const everyUnit = -1

// Federated is what a provider said of somebody who signed in there.
type Federated struct {
	Provider           string // its id
	Subject            string // who it is, to that issuer: never shared, never given to another
	Login, Name, Email string // to show
	Groups             []string
}

// Admission is how a sign-in by a provider ended.
type Admission struct {
	Reader sinew.Reader // the zero one when it was refused
	Known  string       // pseudonym, if it is somebody who was here before
	Reason string       // why it was refused; empty otherwise
}

// Why somebody whom a provider knows does not get in.
const (
	RefusedDisabled = "disabled" // an administrator keeps him out
	RefusedNoRole   = "no_role"  // neither his groups nor anybody gave him a role
)

// SignInFederated lets somebody in whom a provider has identified: the principal
// with this issuer and subject, who is made at the first time. What his groups
// give is set anew, so that a group that he left gives nothing any more; roles
// given by hand stay. Somebody without any role does not get in, and is not
// made.
func (db *DB) SignInFederated(ctx context.Context, workspace int64, f Federated) (a Admission, err error) {
	err = db.write(ctx, func(t *tx) error {
		a, err = signInFederated(ctx, t, workspace, f)
		return err
	})
	if err != nil {
		return Admission{}, fmt.Errorf("sign in by %s: %w", f.Provider, err)
	}
	return a, nil
}

func signInFederated(ctx context.Context, t *tx, workspace int64, f Federated) (Admission, error) {
	if _, err := lockWorkspace(ctx, t, workspace); err != nil {
		return Admission{}, err
	}
	list, err := providers(ctx, t, workspace, `AND id = $2 AND enabled = 1`, f.Provider)
	if err != nil {
		return Admission{}, err
	}
	if len(list) == 0 {
		return Admission{}, noProvider(f.Provider)
	}
	p := &list[0]
	units, err := unitIDs(ctx, t, workspace)
	if err != nil {
		return Admission{}, err
	}
	now := t.db.Now()
	var a Admission
	err = t.QueryRowContext(ctx, `SELECT pseudonym FROM identity WHERE workspace_id = $1 AND issuer = $2 AND subject = $3`, workspace, p.Issuer, f.Subject).Scan(&a.Known)
	made := a.Known
	switch {
	case errors.Is(err, sql.ErrNoRows):
		if len(groupRoles(p, units, f.Groups)) == 0 {
			a.Reason = RefusedNoRole
			return a, nil
		}
		if made, err = createFederated(ctx, t, workspace, p, f); err != nil {
			return Admission{}, err
		}
	case err != nil:
		return Admission{}, err
	default:
		if _, err := t.ExecContext(ctx, `UPDATE identity SET login = $4, member_of = $5, seen_at = $6 WHERE workspace_id = $1 AND issuer = $2 AND subject = $3`,
			workspace, p.Issuer, f.Subject, f.Login, jsonText(f.Groups), micros(now)); err != nil {
			return Admission{}, err
		}
		if _, err := t.ExecContext(ctx, `UPDATE principal SET name = $3, email = $4 WHERE workspace_id = $1 AND pseudonym = $2`,
			workspace, a.Known, f.Name, f.Email); err != nil {
			return Admission{}, err
		}
	}
	if err := setGroupRoles(ctx, t, System(workspace), made, p, units, f.Groups); err != nil {
		return Admission{}, err
	}
	who, err := principals(ctx, t, workspace, `AND pseudonym = $2`, []any{made})
	if err != nil {
		return Admission{}, err
	}
	if len(who) == 0 {
		return Admission{}, fmt.Errorf("%s has an identity and no row", made)
	}
	r := who[0].Reader(workspace)
	switch {
	case !who[0].Disabled.IsZero():
		a.Reason = RefusedDisabled
	case !r.CanAny(sinew.RoleViewer):
		a.Reason = RefusedNoRole
		if err := endSessions(ctx, t, workspace, made, ""); err != nil {
			return Admission{}, err
		}
	default:
		a.Reader = r
	}
	return a, nil
}

// createFederated makes the principal of somebody who comes for the first time.
// He has no login of ours, so that nobody else's can be taken; what the provider
// calls him is shown.
func createFederated(ctx context.Context, t *tx, workspace int64, p *Provider, f Federated) (pseudonym string, err error) {
	pseudonym = string(sinew.IDPrincipal) + strings.ToLower(rand.Text())
	e, err := appendAccess(ctx, t, System(workspace), AccessChange{Op: OpPrincipal, Principal: pseudonym, Provider: p.ID})
	if err != nil {
		return "", err
	}
	if _, err := t.ExecContext(ctx, `
		INSERT INTO principal (workspace_id, pseudonym, name, email, password_hash, role_all, created_at) VALUES ($1, $2, $3, $4, '', '', $5)`,
		workspace, pseudonym, f.Name, f.Email, micros(e.At)); err != nil {
		return "", err
	}
	_, err = t.ExecContext(ctx, `
		INSERT INTO identity (workspace_id, issuer, subject, pseudonym, login, member_of, created_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
		workspace, p.Issuer, f.Subject, pseudonym, f.Login, jsonText(f.Groups), micros(e.At))
	return pseudonym, err
}

// groupRoles is what groups give by the mappings of a provider: the greatest
// role for each unit. A mapping to an application that there is not gives
// nothing.
func groupRoles(p *Provider, units map[string]int64, groups []string) map[int64]sinew.Role {
	out := map[int64]sinew.Role{}
	give := func(unit int64, role sinew.Role) {
		if role = greater(out[unit], role); role != sinew.RoleNone {
			out[unit] = role
		}
	}
	give(everyUnit, p.DefaultRole)
	for _, m := range p.Mappings {
		if !slices.Contains(groups, m.Group) {
			continue
		}
		if m.Application == "" {
			give(everyUnit, m.Role)
		} else if unit, ok := units[m.Application]; ok {
			give(unit, m.Role)
		}
	}
	return out
}

// setGroupRoles replaces what somebody's groups give, and says so in the log if
// that is something else than before.
func setGroupRoles(ctx context.Context, t *tx, r sinew.Reader, pseudonym string, p *Provider, units map[string]int64, groups []string) error {
	want := groupRoles(p, units, groups)
	have := map[int64]sinew.Role{}
	err := eachGrant(ctx, t, "group_grant", r.Workspace, pseudonym, func(_ string, unit int64, role sinew.Role) { have[unit] = role })
	if err != nil || maps.Equal(have, want) {
		return err
	}
	c := AccessChange{Op: OpGroups, Principal: pseudonym, Provider: p.ID, Role: want[everyUnit]}
	for _, unit := range slices.Sorted(maps.Keys(want)) {
		if unit != everyUnit {
			c.Groups = append(c.Groups, UnitRole{Unit: unit, Role: want[unit]})
		}
	}
	if _, err := appendAccess(ctx, t, r, c); err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM group_grant WHERE workspace_id = $1 AND pseudonym = $2`, r.Workspace, pseudonym); err != nil {
		return err
	}
	for unit, role := range want {
		if _, err := t.ExecContext(ctx, `INSERT INTO group_grant (workspace_id, pseudonym, unit_id, role) VALUES ($1, $2, $3, $4)`,
			r.Workspace, pseudonym, unit, string(role)); err != nil {
			return err
		}
	}
	return nil
}

// unitIDs are the applications of a workspace by name.
func unitIDs(ctx context.Context, t *tx, workspace int64) (map[string]int64, error) {
	space, err := liveSpace(ctx, t, workspace)
	if err != nil {
		return nil, err
	}
	rows, err := t.QueryContext(ctx, `SELECT name, id FROM unit WHERE space = $1`, space.ID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := map[string]int64{UnassignedName: sinew.UnassignedUnit}
	for rows.Next() {
		var name string
		var id int64
		if err := rows.Scan(&name, &id); err != nil {
			return nil, err
		}
		ids[name] = id
	}
	return ids, rows.Err()
}
