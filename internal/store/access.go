package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Principal is a person or a program that may act in a workspace. The log knows
// only the pseudonym; the personal attributes lie beside it.
type Principal struct {
	Pseudonym string
	Login     string
	Name      string
	Email     string
	All       sinew.Role           // on every unit, present and future, given by hand
	Grants    map[int64]sinew.Role // on single units, given by hand
	Created   time.Time
	Disabled  time.Time // zero while it may sign in

	// Of one that a provider signs in: there is no password, and the login is
	// only shown. The roles of its groups are another's to give and to take.
	Issuer      string
	GroupAll    sinew.Role
	GroupGrants map[int64]sinew.Role

	PasswordHash string // as package auth made it; filled by [DB.PrincipalByLogin] only
}

// Reader is what the principal may see and do: by hand and by groups together.
func (p *Principal) Reader(workspace int64) sinew.Reader {
	r := sinew.Reader{Workspace: workspace, Principal: p.Pseudonym, All: greater(p.All, p.GroupAll), Units: maps.Clone(p.Grants)}
	if r.Units == nil {
		r.Units = map[int64]sinew.Role{}
	}
	for unit, role := range p.GroupGrants {
		r.Units[unit] = greater(r.Units[unit], role)
	}
	return r
}

func greater(a, b sinew.Role) sinew.Role {
	if b.Allows(a) {
		return b
	}
	return a
}

// NewPrincipal is a principal to be made.
type NewPrincipal struct {
	Login, Name, Email string
	PasswordHash       string // made by package auth; empty for one that cannot sign in
	All                sinew.Role
	Grants             map[int64]sinew.Role
}

// AccessChange is the payload of an access entry. It names people by pseudonym.
type AccessChange struct {
	Schema    string     `json:"schema"` // access/v1
	Op        AccessOp   `json:"op"`
	Principal string     `json:"principal,omitempty"`
	Role      sinew.Role `json:"role,omitempty"`
	Unit      *int64     `json:"unit,omitempty"`  // of a grant
	Token     int64      `json:"token,omitempty"` // seq of the entry that made it, shifted: its local id
	Hash      string     `json:"hash,omitempty"`  // of a token or invitation, hex
	Units     []int64    `json:"units,omitempty"` // that a token is limited to
	Limited   bool       `json:"limited,omitempty"`
	Expires   int64      `json:"expires,omitempty"` // microseconds

	Provider string            `json:"provider,omitempty"` // that somebody signs in by
	Reason   string            `json:"reason,omitempty"`   // why a sign-in was refused: a code
	Groups   []UnitRole        `json:"groups,omitempty"`   // roles on single units that groups give
	Settings *ProviderSettings `json:"settings,omitempty"` // of a provider
}

// UnitRole is a role on one unit.
type UnitRole struct {
	Unit int64      `json:"unit"`
	Role sinew.Role `json:"role"`
}

// AccessOp is what an access entry changes.
type AccessOp string

// The access operations.
const (
	OpPrincipal AccessOp = "principal" // made, with a role on every unit
	OpRole      AccessOp = "role"      // on every unit
	OpGrant     AccessOp = "grant"     // role on one unit; none takes it back
	OpPassword  AccessOp = "password"
	OpDisable   AccessOp = "disable"
	OpEnable    AccessOp = "enable"
	OpErase     AccessOp = "erase" // personal attributes, grants and tokens are gone
	OpToken     AccessOp = "token"
	OpRevoke    AccessOp = "revoke"
	OpInvite    AccessOp = "invite"
	OpRedeem    AccessOp = "redeem"

	OpSession      AccessOp = "session"       // of a browser: begun
	OpSessionEnd   AccessOp = "session_end"   // by its owner or an administrator
	OpRefused      AccessOp = "refused"       // a sign-in
	OpGroups       AccessOp = "groups"        // all the roles that somebody's groups give
	OpProvider     AccessOp = "provider"      // made or changed
	OpProviderGone AccessOp = "provider_gone" // with the roles of its groups
)

// appendAccess records a change in the log. Nothing has to be projected for it,
// but the projector's position must pass it.
func appendAccess(ctx context.Context, t *tx, r sinew.Reader, c AccessChange) (*sinew.Entry, error) {
	c.Schema = "access/v1"
	payload, err := encodePayload(c)
	if err != nil {
		return nil, err
	}
	e, err := appendEntry(ctx, t, r.Workspace, sinew.EntryAccess, r.Principal, payload)
	if err != nil {
		return nil, err
	}
	return e, enqueueProject(ctx, t, r.Workspace)
}

var errDenied = sinew.Errorf(sinew.CodeDenied, "only administrators may do this").Hint("ask an administrator of the workspace")

// administer runs fn in a transaction on behalf of an administrator.
func (db *DB) administer(ctx context.Context, r sinew.Reader, what string, fn func(*tx) error) error {
	if r.Workspace == 0 || !r.All.Allows(sinew.RoleAdmin) {
		return errDenied
	}
	if err := db.write(ctx, fn); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// CreatePrincipal makes a principal under a new random pseudonym. One without
// login and password is a program that acts by tokens only.
func (db *DB) CreatePrincipal(ctx context.Context, r sinew.Reader, p NewPrincipal) (out Principal, err error) {
	err = db.administer(ctx, r, "create user", func(t *tx) error {
		out, err = createPrincipal(ctx, t, r, p)
		return err
	})
	return out, err
}

func createPrincipal(ctx context.Context, t *tx, r sinew.Reader, p NewPrincipal) (Principal, error) {
	login := strings.ToLower(strings.TrimSpace(p.Login))
	program := login == "" && p.PasswordHash == "" // cannot sign in, and needs no name for it
	if login == "" && !program || len(login) > 200 || strings.ContainsAny(login, " \t\r\n\x00") {
		return Principal{}, sinew.Errorf(sinew.CodeInvalid, "%q is no login name", p.Login).Hint("use 1 to 200 characters without spaces")
	}
	if err := validRoles(p.All, p.Grants); err != nil {
		return Principal{}, err
	}
	out := Principal{
		Pseudonym: string(sinew.IDPrincipal) + strings.ToLower(rand.Text()),
		Login:     login, Name: p.Name, Email: p.Email, All: p.All, Grants: p.Grants,
	}
	e, err := appendAccess(ctx, t, r, AccessChange{Op: OpPrincipal, Principal: out.Pseudonym, Role: p.All})
	if err != nil {
		return Principal{}, err
	}
	out.Created = e.At
	_, err = t.ExecContext(ctx, `
		INSERT INTO principal (workspace_id, pseudonym, login, name, email, password_hash, role_all, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.Workspace, out.Pseudonym, sql.NullString{String: out.Login, Valid: !program}, out.Name, out.Email, p.PasswordHash, string(out.All), micros(out.Created))
	if t.db.dialect.duplicate(err) {
		return Principal{}, sinew.Errorf(sinew.CodeConflict, "there is a user %q already", login)
	}
	if err != nil {
		return Principal{}, err
	}
	for _, unit := range slices.Sorted(maps.Keys(p.Grants)) {
		if err := grant(ctx, t, r, out.Pseudonym, unit, p.Grants[unit]); err != nil {
			return Principal{}, err
		}
	}
	return out, nil
}

func validRoles(all sinew.Role, grants map[int64]sinew.Role) error {
	roles := append(slices.Collect(maps.Values(grants)), all)
	for _, role := range roles {
		if role != sinew.RoleNone && !role.Allows(sinew.RoleViewer) {
			return sinew.Errorf(sinew.CodeInvalid, "unknown role %q", role).Hint("use viewer, developer or admin")
		}
	}
	return nil
}

const principalColumns = `pseudonym, COALESCE(login, ''), COALESCE(name, ''), COALESCE(email, ''), COALESCE(password_hash, ''),
	role_all, created_at, COALESCE(disabled_at, 0)`

const identityColumns = `COALESCE((SELECT i.issuer FROM identity i WHERE i.workspace_id = principal.workspace_id AND i.pseudonym = principal.pseudonym), ''),
	COALESCE((SELECT i.login FROM identity i WHERE i.workspace_id = principal.workspace_id AND i.pseudonym = principal.pseudonym), '')`

func scanPrincipal(row scanner) (p Principal, err error) {
	var all, shown string
	var created, disabled int64
	err = row.Scan(&p.Pseudonym, &p.Login, &p.Name, &p.Email, &p.PasswordHash, &all, &created, &disabled, &p.Issuer, &shown)
	p.All, p.Created, p.Disabled = sinew.Role(all), fromMicros(created), fromMicros(disabled)
	p.Login = cmp.Or(p.Login, shown)
	p.Grants, p.GroupGrants = map[int64]sinew.Role{}, map[int64]sinew.Role{}
	return p, err
}

// Principals lists the principals of a workspace by login, for an
// administrator.
func (db *DB) Principals(ctx context.Context, r sinew.Reader) (list []Principal, err error) {
	if r.Workspace == 0 || !r.All.Allows(sinew.RoleAdmin) {
		return nil, errDenied
	}
	err = db.read(ctx, func(t *tx) error {
		list, err = principals(ctx, t, r.Workspace, "", nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	for i := range list {
		list[i].PasswordHash = ""
	}
	return list, nil
}

// PrincipalByLogin finds who signs in, with the hash of the password. One that
// is disabled is not found.
func (db *DB) PrincipalByLogin(ctx context.Context, workspace int64, login string) (Principal, error) {
	return db.onePrincipal(ctx, workspace, `AND disabled_at IS NULL AND login = $2`, strings.ToLower(strings.TrimSpace(login)))
}

// Principal finds a principal by its pseudonym: for itself or an administrator.
func (db *DB) Principal(ctx context.Context, r sinew.Reader, pseudonym string) (Principal, error) {
	if r.Principal != pseudonym && !r.All.Allows(sinew.RoleAdmin) {
		return Principal{}, sinew.Errorf(sinew.CodeNotFound, "there is no such user")
	}
	p, err := db.onePrincipal(ctx, r.Workspace, `AND pseudonym = $2`, pseudonym)
	p.PasswordHash = ""
	return p, err
}

func (db *DB) onePrincipal(ctx context.Context, workspace int64, condition string, arg string) (p Principal, err error) {
	err = db.read(ctx, func(t *tx) error {
		list, err := principals(ctx, t, workspace, condition, []any{arg})
		if err != nil {
			return fmt.Errorf("find user: %w", err)
		}
		if len(list) == 0 {
			return sinew.Errorf(sinew.CodeNotFound, "there is no such user")
		}
		p = list[0]
		return nil
	})
	return p, err
}

// principals reads principals with their grants.
func principals(ctx context.Context, t *tx, workspace int64, condition string, args []any) (list []Principal, err error) {
	rows, err := t.QueryContext(ctx, `SELECT `+principalColumns+`, `+identityColumns+` FROM principal WHERE workspace_id = $1 `+condition+
		` ORDER BY login`+t.db.dialect.binary+`, pseudonym`+t.db.dialect.binary, append([]any{workspace}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	place := map[string]int{}
	for rows.Next() {
		p, err := scanPrincipal(rows)
		if err != nil {
			return nil, err
		}
		place[p.Pseudonym] = len(list)
		list = append(list, p)
	}
	if err := rows.Err(); err != nil || len(list) == 0 {
		return list, err
	}
	one := "" // the grants of one are found by its key
	if len(list) == 1 {
		one = list[0].Pseudonym
	}
	err = eachGrant(ctx, t, "access_grant", workspace, one, func(pseudonym string, unit int64, role sinew.Role) {
		if i, ok := place[pseudonym]; ok {
			list[i].Grants[unit] = role
		}
	})
	if err != nil {
		return nil, err
	}
	err = eachGrant(ctx, t, "group_grant", workspace, one, func(pseudonym string, unit int64, role sinew.Role) {
		i, ok := place[pseudonym]
		switch {
		case !ok:
		case unit == everyUnit:
			list[i].GroupAll = role
		default:
			list[i].GroupGrants[unit] = role
		}
	})
	return list, err
}

// eachGrant reads the roles on single units in one of the two tables: of one
// principal, or of all.
func eachGrant(ctx context.Context, t *tx, table string, workspace int64, pseudonym string, fn func(string, int64, sinew.Role)) error {
	q := (&query{}).add(`SELECT pseudonym, unit_id, role FROM `+table+` WHERE workspace_id = ?`, workspace)
	if pseudonym != "" {
		q.add(` AND pseudonym = ?`, pseudonym)
	}
	rows, err := t.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var who, role string
		var unit int64
		if err := rows.Scan(&who, &unit, &role); err != nil {
			return err
		}
		fn(who, unit, sinew.Role(role))
	}
	return rows.Err()
}

// HasPrincipals reports whether anybody can sign in to a workspace. While
// nobody can, the way in is a one-time link ([DB.CreateInvite]).
func (db *DB) HasPrincipals(ctx context.Context, workspace int64) (bool, error) {
	var one int
	err := db.reader.QueryRowContext(ctx, `SELECT 1 FROM principal WHERE workspace_id = $1 AND disabled_at IS NULL AND password_hash <> '' LIMIT 1`, workspace).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// ReaderFor gives what a principal may see and do. One that is disabled or
// erased is not found.
func (db *DB) ReaderFor(ctx context.Context, workspace int64, pseudonym string) (sinew.Reader, error) {
	p, err := db.onePrincipal(ctx, workspace, `AND disabled_at IS NULL AND pseudonym = $2`, pseudonym)
	if err != nil {
		return sinew.Reader{}, err
	}
	return p.Reader(workspace), nil
}

// SetRole changes a principal's role on every unit.
func (db *DB) SetRole(ctx context.Context, r sinew.Reader, pseudonym string, role sinew.Role) error {
	if err := validRoles(role, nil); err != nil {
		return err
	}
	return db.changePrincipal(ctx, r, pseudonym, AccessChange{Op: OpRole, Role: role}, role == sinew.RoleAdmin,
		`UPDATE principal SET role_all = $3 WHERE workspace_id = $1 AND pseudonym = $2`, string(role))
}

// SetGrant changes a principal's role on one unit; [sinew.RoleNone] takes it
// back.
func (db *DB) SetGrant(ctx context.Context, r sinew.Reader, pseudonym string, unit int64, role sinew.Role) error {
	if err := validRoles(role, nil); err != nil {
		return err
	}
	return db.administer(ctx, r, "grant", func(t *tx) error {
		if err := thereIs(ctx, t, r.Workspace, pseudonym); err != nil {
			return err
		}
		return grant(ctx, t, r, pseudonym, unit, role)
	})
}

func grant(ctx context.Context, t *tx, r sinew.Reader, pseudonym string, unit int64, role sinew.Role) error {
	if _, err := appendAccess(ctx, t, r, AccessChange{Op: OpGrant, Principal: pseudonym, Unit: &unit, Role: role}); err != nil {
		return err
	}
	if role == sinew.RoleNone {
		_, err := t.ExecContext(ctx, `DELETE FROM access_grant WHERE workspace_id = $1 AND pseudonym = $2 AND unit_id = $3`, r.Workspace, pseudonym, unit)
		return err
	}
	_, err := t.ExecContext(ctx, `
		INSERT INTO access_grant (workspace_id, pseudonym, unit_id, role) VALUES ($1, $2, $3, $4)
		ON CONFLICT (workspace_id, pseudonym, unit_id) DO UPDATE SET role = excluded.role`, r.Workspace, pseudonym, unit, string(role))
	return err
}

// SetPassword stores a principal's password with another hash: by itself or an
// administrator. The password is the same one; its sessions go on.
func (db *DB) SetPassword(ctx context.Context, r sinew.Reader, pseudonym, hash string) error {
	return db.setPassword(ctx, r, pseudonym, hash, func(*tx) error { return nil })
}

// ChangePassword replaces a principal's password: by itself or an administrator.
// Its sessions end, but for the one named by keep.
func (db *DB) ChangePassword(ctx context.Context, r sinew.Reader, pseudonym, hash, keep string) error {
	return db.setPassword(ctx, r, pseudonym, hash, func(t *tx) error {
		return endSessions(ctx, t, r.Workspace, pseudonym, keep)
	})
}

func (db *DB) setPassword(ctx context.Context, r sinew.Reader, pseudonym, hash string, then func(*tx) error) error {
	if r.Workspace == 0 || (r.Principal != pseudonym && !r.All.Allows(sinew.RoleAdmin)) {
		return errDenied
	}
	err := db.write(ctx, func(t *tx) error {
		if err := thereIs(ctx, t, r.Workspace, pseudonym); err != nil {
			return err
		}
		var login string
		if err := t.QueryRowContext(ctx, `SELECT COALESCE(login, '') FROM principal WHERE workspace_id = $1 AND pseudonym = $2`, r.Workspace, pseudonym).
			Scan(&login); err != nil {
			return err
		}
		if login == "" {
			return sinew.Errorf(sinew.CodeInvalid, "this user has no login to use a password with").
				Hint("a program acts by tokens; a person from a provider signs in there")
		}
		if _, err := appendAccess(ctx, t, r, AccessChange{Op: OpPassword, Principal: pseudonym}); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `UPDATE principal SET password_hash = $3 WHERE workspace_id = $1 AND pseudonym = $2`, r.Workspace, pseudonym, hash); err != nil {
			return err
		}
		return then(t)
	})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// DisablePrincipal keeps a principal out, with its tokens, until it is enabled
// again. Its sessions end for good.
func (db *DB) DisablePrincipal(ctx context.Context, r sinew.Reader, pseudonym string) error {
	return db.changePrincipal(ctx, r, pseudonym, AccessChange{Op: OpDisable}, false,
		`UPDATE principal SET disabled_at = $3 WHERE workspace_id = $1 AND pseudonym = $2`, micros(db.Now()))
}

// EnablePrincipal lets a principal in again.
func (db *DB) EnablePrincipal(ctx context.Context, r sinew.Reader, pseudonym string) error {
	return db.changePrincipal(ctx, r, pseudonym, AccessChange{Op: OpEnable}, true,
		`UPDATE principal SET disabled_at = NULL WHERE workspace_id = $1 AND pseudonym = $2`)
}

// ErasePrincipal deletes what is known of a person: login, name, e-mail,
// password, who it is to a provider, grants, tokens and sessions. What it did stays in the log, under a pseudonym
// that nobody can resolve any more.
func (db *DB) ErasePrincipal(ctx context.Context, r sinew.Reader, pseudonym string) error {
	return db.changePrincipal(ctx, r, pseudonym, AccessChange{Op: OpErase}, false,
		`DELETE FROM principal WHERE workspace_id = $1 AND pseudonym = $2`)
}

// changePrincipal records and makes a change. keeps says that it leaves the
// principal an administrator if it is one: the last who can sign in cannot go.
func (db *DB) changePrincipal(ctx context.Context, r sinew.Reader, pseudonym string, c AccessChange, keeps bool, text string, more ...any) error {
	return db.administer(ctx, r, "change user", func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		if err := thereIs(ctx, t, r.Workspace, pseudonym); err != nil {
			return err
		}
		if !keeps {
			if err := notTheLast(ctx, t, r.Workspace, pseudonym); err != nil {
				return err
			}
		}
		c.Principal = pseudonym
		if _, err := appendAccess(ctx, t, r, c); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, text, append([]any{r.Workspace, pseudonym}, more...)...); err != nil {
			return err
		}
		if c.Op == OpDisable {
			return endSessions(ctx, t, r.Workspace, pseudonym, "")
		}
		if c.Op != OpErase {
			return nil
		}
		for _, table := range []string{"access_grant", "group_grant", "identity", "token", "session"} {
			if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE workspace_id = $1 AND pseudonym = $2`, r.Workspace, pseudonym); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `DELETE FROM saved_view WHERE workspace_id = $1 AND owner = $2 AND scope = 'private'`, r.Workspace, pseudonym)
		return err
	})
}

func thereIs(ctx context.Context, t *tx, workspace int64, pseudonym string) error {
	var one int
	err := t.QueryRowContext(ctx, `SELECT 1 FROM principal WHERE workspace_id = $1 AND pseudonym = $2`, workspace, pseudonym).Scan(&one)
	return notFound(err, "there is no such user")
}

func notTheLast(ctx context.Context, t *tx, workspace int64, pseudonym string) error {
	var others, is int
	err := t.QueryRowContext(ctx, `
		SELECT COUNT(CASE WHEN pseudonym <> $2 THEN 1 END), COUNT(CASE WHEN pseudonym = $2 THEN 1 END)
		FROM principal WHERE workspace_id = $1 AND role_all = 'admin' AND disabled_at IS NULL AND password_hash <> ''`, workspace, pseudonym).Scan(&others, &is)
	if err == nil && is > 0 && others == 0 {
		return sinew.Errorf(sinew.CodeConflict, "this is the last administrator").Hint("make another one first")
	}
	return err
}
