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
	All       sinew.Role           // on every unit, present and future
	Grants    map[int64]sinew.Role // on single units
	Created   time.Time
	Disabled  time.Time // zero while it may sign in

	PasswordHash string // as package auth made it; filled by [DB.PrincipalByLogin] only
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

func scanPrincipal(row scanner) (p Principal, err error) {
	var all string
	var created, disabled int64
	err = row.Scan(&p.Pseudonym, &p.Login, &p.Name, &p.Email, &p.PasswordHash, &all, &created, &disabled)
	p.All, p.Created, p.Disabled = sinew.Role(all), fromMicros(created), fromMicros(disabled)
	p.Grants = map[int64]sinew.Role{}
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
	rows, err := t.QueryContext(ctx, `SELECT `+principalColumns+` FROM principal WHERE workspace_id = $1 `+condition+
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
	grants, err := t.QueryContext(ctx, `SELECT pseudonym, unit_id, role FROM access_grant WHERE workspace_id = $1`, workspace)
	if err != nil {
		return nil, err
	}
	defer grants.Close()
	for grants.Next() {
		var pseudonym, role string
		var unit int64
		if err := grants.Scan(&pseudonym, &unit, &role); err != nil {
			return nil, err
		}
		if i, ok := place[pseudonym]; ok {
			list[i].Grants[unit] = sinew.Role(role)
		}
	}
	return list, grants.Err()
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
	return sinew.Reader{Workspace: workspace, Principal: p.Pseudonym, All: p.All, Units: p.Grants}, nil
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

// SetPassword replaces a principal's password hash: by itself or an
// administrator.
func (db *DB) SetPassword(ctx context.Context, r sinew.Reader, pseudonym, hash string) error {
	if r.Workspace == 0 || (r.Principal != pseudonym && !r.All.Allows(sinew.RoleAdmin)) {
		return errDenied
	}
	err := db.write(ctx, func(t *tx) error {
		if err := thereIs(ctx, t, r.Workspace, pseudonym); err != nil {
			return err
		}
		if _, err := appendAccess(ctx, t, r, AccessChange{Op: OpPassword, Principal: pseudonym}); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE principal SET password_hash = $3 WHERE workspace_id = $1 AND pseudonym = $2`, r.Workspace, pseudonym, hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	return nil
}

// DisablePrincipal keeps a principal out, with its tokens, until it is enabled
// again.
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
// password, grants and tokens. What it did stays in the log, under a pseudonym
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
		if c.Op != OpErase {
			return nil
		}
		for _, table := range []string{"access_grant", "token"} {
			if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE workspace_id = $1 AND pseudonym = $2`, r.Workspace, pseudonym); err != nil {
				return err
			}
		}
		return nil
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
