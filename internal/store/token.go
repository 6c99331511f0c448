package store

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Token is an API token: it acts as its principal, within a role and units of
// its own. The secret itself is never stored.
type Token struct {
	ID        int64 // local id; public by [sinew.PublicID] with [sinew.IDToken]
	PublicID  string
	Workspace int64
	Principal string // pseudonym
	Name      string
	Role      sinew.Role // the most it may do
	Units     []int64    // nil for all units of its principal
	Created   time.Time
	Expires   time.Time
	Used      time.Time // to the minute; zero for never
	Revoked   time.Time
}

// NewToken is a token to be made.
type NewToken struct {
	Principal string // whom it acts as; empty for the reader itself
	Name      string
	Role      sinew.Role
	Units     []int64  // nil for all units of its principal
	Hash      [32]byte // SHA-256 of the secret
	Expires   time.Time
}

// CreateToken makes a token: for the reader itself, or by an administrator for
// anybody. It never allows more than its principal may at the time of use.
func (db *DB) CreateToken(ctx context.Context, r sinew.Reader, n NewToken) (Token, error) {
	if n.Principal == "" {
		n.Principal = r.Principal
	}
	switch {
	case r.Workspace == 0, n.Principal != r.Principal && !r.All.Allows(sinew.RoleAdmin):
		return Token{}, errDenied
	case !n.Role.Allows(sinew.RoleViewer):
		return Token{}, sinew.Errorf(sinew.CodeInvalid, "unknown role %q", n.Role).Hint("use viewer, developer or admin")
	case n.Name == "" || len(n.Name) > 200:
		return Token{}, sinew.Errorf(sinew.CodeInvalid, "a token needs a name of 1 to 200 bytes")
	case !n.Expires.After(db.Now()):
		return Token{}, sinew.Errorf(sinew.CodeInvalid, "the token would be expired already")
	}
	out := Token{
		Workspace: r.Workspace, Principal: n.Principal, Name: n.Name, Role: n.Role,
		Units: slices.Clone(n.Units), Expires: n.Expires.UTC().Truncate(time.Microsecond),
	}
	err := db.write(ctx, func(t *tx) error {
		uuid, err := lockWorkspace(ctx, t, r.Workspace)
		if err != nil {
			return err
		}
		if err := thereIs(ctx, t, r.Workspace, n.Principal); err != nil {
			return err
		}
		seq, _, err := head(ctx, t, r.Workspace)
		if err != nil {
			return err
		}
		if out.ID, err = sinew.LocalID(seq+1, 0); err != nil {
			return err
		}
		out.PublicID = sinew.PublicID(uuid, sinew.IDToken, out.ID)
		e, err := appendAccess(ctx, t, r, AccessChange{
			Op: OpToken, Principal: n.Principal, Token: out.ID, Role: n.Role, Hash: hex.EncodeToString(n.Hash[:]),
			Units: out.Units, Limited: out.Units != nil, Expires: micros(out.Expires),
		})
		if err != nil {
			return err
		}
		out.Created = e.At
		_, err = t.ExecContext(ctx, `
			INSERT INTO token (workspace_id, id, pseudonym, name, hash, role, units, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			r.Workspace, out.ID, out.Principal, out.Name, n.Hash[:], string(out.Role), unitsText(out.Units), micros(out.Created), micros(out.Expires))
		return err
	})
	if err != nil {
		return Token{}, fmt.Errorf("create token: %w", err)
	}
	return out, nil
}

// unitsText is the column: a JSON array, or nothing for no limit.
func unitsText(units []int64) string {
	if units == nil {
		return ""
	}
	b, _ := json.Marshal(units) // integers always encode
	return string(b)
}

//nolint:gosec // columns, no credentials
const tokenColumns = `t.workspace_id, t.id, t.pseudonym, t.name, t.role, t.units, t.created_at, t.expires_at,
	COALESCE(t.used_at, 0), COALESCE(t.revoked_at, 0), w.uuid`

func scanToken(row scanner) (t Token, err error) {
	var role, units, uuid string
	var created, expires, used, revoked int64
	if err := row.Scan(&t.Workspace, &t.ID, &t.Principal, &t.Name, &role, &units, &created, &expires, &used, &revoked, &uuid); err != nil {
		return t, err
	}
	t.Role, t.PublicID = sinew.Role(role), sinew.PublicID(uuid, sinew.IDToken, t.ID)
	t.Created, t.Expires, t.Used, t.Revoked = fromMicros(created), fromMicros(expires), fromMicros(used), fromMicros(revoked)
	if units != "" {
		if err := json.Unmarshal([]byte(units), &t.Units); err != nil {
			return t, fmt.Errorf("units of token %d: %w", t.ID, err)
		}
	}
	return t, nil
}

// Tokens lists tokens, oldest first: an administrator's view is of all, anybody
// else's of his own.
func (db *DB) Tokens(ctx context.Context, r sinew.Reader) (list []Token, err error) {
	own := r.Principal
	if r.All.Allows(sinew.RoleAdmin) {
		own = ""
	}
	if r.Workspace == 0 || (own == "" && !r.All.Allows(sinew.RoleAdmin)) {
		return nil, errDenied
	}
	rows, err := db.reader.QueryContext(ctx, `SELECT `+tokenColumns+` FROM token t JOIN workspace w ON w.id = t.workspace_id
		WHERE t.workspace_id = $1 AND ($2 = '' OR t.pseudonym = $2) ORDER BY t.id`, r.Workspace, own)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		list = append(list, t)
	}
	return list, rows.Err()
}

// RevokeToken ends a token for good: its principal's own, or any by an
// administrator. To others it is not found.
func (db *DB) RevokeToken(ctx context.Context, r sinew.Reader, id int64) error {
	err := db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		var owner string
		var revoked int64
		err := t.QueryRowContext(ctx, `SELECT pseudonym, COALESCE(revoked_at, 0) FROM token WHERE workspace_id = $1 AND id = $2`, r.Workspace, id).
			Scan(&owner, &revoked)
		if err == nil && owner != r.Principal && !r.All.Allows(sinew.RoleAdmin) {
			return sinew.Errorf(sinew.CodeNotFound, "there is no such token")
		}
		if err != nil || revoked != 0 {
			return notFound(err, "there is no such token")
		}
		e, err := appendAccess(ctx, t, r, AccessChange{Op: OpRevoke, Principal: owner, Token: id})
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE token SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2`, r.Workspace, id, micros(e.At))
		return err
	})
	if err != nil {
		return fmt.Errorf("revoke token: %w", err)
	}
	return nil
}

// TokenByHash finds the token whose secret has this SHA-256, and what it may
// see and do now. Expired, revoked and disabled ones are all unauthorized, and
// the error does not tell which.
func (db *DB) TokenByHash(ctx context.Context, hash [32]byte) (Token, sinew.Reader, error) {
	bad := sinew.Errorf(sinew.CodeUnauthn, "the token is not valid").Hint("make a new one with `sinew token create`")
	now := db.Now()
	token, err := scanToken(db.reader.QueryRowContext(ctx, `SELECT `+tokenColumns+` FROM token t JOIN workspace w ON w.id = t.workspace_id
		WHERE t.hash = $1 AND t.revoked_at IS NULL AND t.expires_at > $2`, hash[:], micros(now)))
	if err != nil {
		if err = notFound(err, "no token"); sinew.CodeOf(err) == sinew.CodeNotFound {
			return Token{}, sinew.Reader{}, bad
		}
		return Token{}, sinew.Reader{}, fmt.Errorf("find token: %w", err)
	}
	r, err := db.ReaderFor(ctx, token.Workspace, token.Principal)
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		return Token{}, sinew.Reader{}, bad
	}
	if err != nil {
		return Token{}, sinew.Reader{}, fmt.Errorf("find token: %w", err)
	}
	if now.Sub(token.Used) > time.Minute {
		if err := db.write(ctx, func(t *tx) error {
			_, err := t.ExecContext(ctx, `UPDATE token SET used_at = $3 WHERE workspace_id = $1 AND id = $2`, token.Workspace, token.ID, micros(now))
			return err
		}); err != nil {
			return Token{}, sinew.Reader{}, fmt.Errorf("note use of token: %w", err)
		}
	}
	return token, token.limit(r), nil
}

// limit narrows what the principal may to what the token allows.
func (t *Token) limit(r sinew.Reader) sinew.Reader {
	least := func(role sinew.Role) sinew.Role {
		if role.Allows(t.Role) {
			return t.Role
		}
		return role
	}
	out := sinew.Reader{Workspace: r.Workspace, Principal: r.Principal, Units: map[int64]sinew.Role{}}
	if t.Units == nil {
		out.All = least(r.All)
		for unit, role := range r.Units {
			out.Units[unit] = least(role)
		}
		return out
	}
	for _, unit := range t.Units {
		if role := least(r.Role(unit)); role != sinew.RoleNone {
			out.Units[unit] = role
		}
	}
	return out
}

// CreateInvite makes a one-time link: whoever knows the secret with this
// SHA-256 becomes a principal with the role on every unit.
func (db *DB) CreateInvite(ctx context.Context, r sinew.Reader, role sinew.Role, hash [32]byte, expires time.Time) error {
	if !role.Allows(sinew.RoleViewer) {
		return sinew.Errorf(sinew.CodeInvalid, "unknown role %q", role).Hint("use viewer, developer or admin")
	}
	return db.administer(ctx, r, "create invitation", func(t *tx) error {
		e, err := appendAccess(ctx, t, r, AccessChange{Op: OpInvite, Role: role, Hash: hex.EncodeToString(hash[:]), Expires: micros(expires)})
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO invite (hash, workspace_id, role, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)`,
			hash[:], r.Workspace, string(role), micros(e.At), micros(expires))
		return err
	})
}

// Invite tells the workspace and role of an invitation that can still be used.
func (db *DB) Invite(ctx context.Context, hash [32]byte) (workspace int64, role sinew.Role, err error) {
	workspace, role, err = invite(ctx, db.reader, hash, db.Now(), "")
	return workspace, role, err
}

func invite(ctx context.Context, from queryer, hash [32]byte, now time.Time, lock string) (workspace int64, role sinew.Role, err error) {
	var text string
	err = from.QueryRowContext(ctx, `SELECT workspace_id, role FROM invite WHERE hash = $1 AND used_at IS NULL AND expires_at > $2`+lock,
		hash[:], micros(now)).Scan(&workspace, &text)
	if err != nil {
		if err = notFound(err, "no invitation"); sinew.CodeOf(err) == sinew.CodeNotFound {
			err = sinew.Errorf(sinew.CodeUnauthn, "the link is not valid, was used already or has expired").
				Hint("ask an administrator for a new one, or run `sinew user invite`")
		}
		return 0, "", err
	}
	return workspace, sinew.Role(text), nil
}

// RedeemInvite makes the principal that an invitation allows, once.
func (db *DB) RedeemInvite(ctx context.Context, hash [32]byte, p NewPrincipal) (out Principal, workspace int64, err error) {
	err = db.write(ctx, func(t *tx) error {
		var role sinew.Role
		if workspace, role, err = invite(ctx, t, hash, db.Now(), db.dialect.forUpdate); err != nil {
			return err
		}
		p.All, p.Grants = role, nil
		if out, err = createPrincipal(ctx, t, System(workspace), p); err != nil {
			return err
		}
		if _, err := appendAccess(ctx, t, System(workspace), AccessChange{Op: OpRedeem, Principal: out.Pseudonym, Hash: hex.EncodeToString(hash[:])}); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE invite SET used_at = $2 WHERE hash = $1`, hash[:], micros(db.Now()))
		return err
	})
	if err != nil {
		return Principal{}, 0, fmt.Errorf("use invitation: %w", err)
	}
	return out, workspace, nil
}
