package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The life of a browser's session.
const (
	SessionIdle   = 12 * time.Hour     // unused, it ends
	SessionLife   = 7 * 24 * time.Hour // used or not, it ends
	SessionGrace  = time.Minute        // a secret answers so long after its successor was first shown to us
	maxSessions   = 100                // of one principal; the one not used for longest ends
	maxAgent      = 200                // bytes of what a browser calls itself
	sessionPrefix = "b"                // of ids; they are random, as the log does not make them
)

// Session is a browser that somebody signed in with. Its secret changes now and
// then; the database has the SHA-256 of the newest two.
type Session struct {
	ID            string
	Workspace     int64
	WorkspaceUUID string
	Principal     string // pseudonym
	Provider      string // that signed it in; empty for a password
	Created       time.Time
	Seen          time.Time // to the minute
	Expires       time.Time // at the latest
	Rotated       time.Time // when the newest secret was made
	Address       string    // that it was begun from
	Agent         string    // what the browser calls itself

	Old       bool // the secret that was shown is the one before the newest
	Confirmed bool // the newest secret was shown to us before
}

// NewSession is a session to be begun.
type NewSession struct {
	Provider       string
	Hash           [32]byte // SHA-256 of the secret
	Address, Agent string
}

// CreateSession begins a session of the reader. What has ended is swept.
func (db *DB) CreateSession(ctx context.Context, r sinew.Reader, n NewSession) (Session, error) {
	if r.Workspace == 0 {
		return Session{}, errDenied
	}
	n.Agent = strings.ToValidUTF8(strings.ReplaceAll(n.Agent, "\x00", ""), "")
	for len(n.Agent) > maxAgent {
		n.Agent = strings.ToValidUTF8(n.Agent[:maxAgent], "")
	}
	s := Session{
		ID: sessionPrefix + strings.ToLower(rand.Text()), Workspace: r.Workspace, Principal: r.Principal, Provider: n.Provider,
		Address: n.Address, Agent: n.Agent, Confirmed: true,
	}
	err := db.write(ctx, func(t *tx) (err error) {
		if s.WorkspaceUUID, err = lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		if err := thereIs(ctx, t, r.Workspace, r.Principal); err != nil {
			return err
		}
		now := db.Now()
		s.Created, s.Seen, s.Rotated, s.Expires = now, now, now, now.Add(SessionLife)
		if _, err := t.ExecContext(ctx, `DELETE FROM session WHERE workspace_id = $1 AND (expires_at <= $2 OR seen_at <= $3)`,
			r.Workspace, micros(now), micros(now.Add(-SessionIdle))); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM session WHERE workspace_id = $1 AND pseudonym = $2 AND id NOT IN (
			SELECT id FROM session WHERE workspace_id = $1 AND pseudonym = $2 ORDER BY seen_at DESC, id LIMIT $3)`,
			r.Workspace, r.Principal, maxSessions-1); err != nil {
			return err
		}
		if _, err := appendAccess(ctx, t, r, AccessChange{Op: OpSession, Principal: r.Principal, Provider: n.Provider, Expires: micros(s.Expires)}); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `
			INSERT INTO session (workspace_id, id, pseudonym, provider, hash, rotated_at, confirmed_at, created_at, seen_at, expires_at, address, agent)
			VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $6, $7, $8, $9)`,
			s.Workspace, s.ID, s.Principal, s.Provider, n.Hash[:], micros(now), micros(s.Expires), s.Address, s.Agent)
		return err
	})
	if err != nil {
		return Session{}, fmt.Errorf("begin session: %w", err)
	}
	return s, nil
}

const sessionColumns = `s.workspace_id, s.id, s.pseudonym, s.provider, s.rotated_at, s.confirmed_at, s.created_at, s.seen_at, s.expires_at,
	s.address, s.agent, w.uuid`

func scanSession(row scanner, more ...any) (s Session, err error) {
	var rotated, confirmed, created, seen, expires int64
	err = row.Scan(append([]any{
		&s.Workspace, &s.ID, &s.Principal, &s.Provider, &rotated, &confirmed, &created, &seen, &expires, &s.Address, &s.Agent, &s.WorkspaceUUID,
	}, more...)...)
	s.Rotated, s.Created, s.Seen, s.Expires = fromMicros(rotated), fromMicros(created), fromMicros(seen), fromMicros(expires)
	s.Confirmed = confirmed != 0
	return s, err
}

// SessionByHash finds the session whose secret has this SHA-256, and what its
// owner may see and do now. The secret before the newest answers until a minute
// after the newest was first shown: an answer that brings a new secret may get
// lost. Whatever is wrong, the answer is the same [sinew.CodeUnauthn].
func (db *DB) SessionByHash(ctx context.Context, hash [32]byte) (Session, sinew.Reader, error) {
	bad := sinew.Errorf(sinew.CodeUnauthn, "the session has ended").Hint("sign in again")
	now := db.Now()
	var old int64
	s, err := scanSession(db.reader.QueryRowContext(ctx, `
		SELECT `+sessionColumns+`, CASE WHEN s.hash = $1 THEN 0 ELSE 1 END
		FROM session s JOIN workspace w ON w.id = s.workspace_id
		WHERE (s.hash = $1 OR s.old_hash = $1 AND (s.confirmed_at = 0 OR s.confirmed_at > $2)) AND s.expires_at > $3 AND s.seen_at > $4`,
		hash[:], micros(now.Add(-SessionGrace)), micros(now), micros(now.Add(-SessionIdle))), &old)
	if err != nil {
		if err = notFound(err, "no session"); sinew.CodeOf(err) == sinew.CodeNotFound {
			return Session{}, sinew.Reader{}, bad
		}
		return Session{}, sinew.Reader{}, fmt.Errorf("find session: %w", err)
	}
	s.Old = old == 1
	r, err := db.ReaderFor(ctx, s.Workspace, s.Principal)
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		return Session{}, sinew.Reader{}, bad
	}
	if err != nil {
		return Session{}, sinew.Reader{}, fmt.Errorf("find session: %w", err)
	}
	if now.Sub(s.Seen) > time.Minute || (!s.Old && !s.Confirmed) {
		if err := db.write(ctx, func(t *tx) error {
			_, err := t.ExecContext(ctx, `UPDATE session SET seen_at = $3, confirmed_at = CASE WHEN confirmed_at = 0 AND hash = $4 THEN $3 ELSE confirmed_at END
				WHERE workspace_id = $1 AND id = $2`, s.Workspace, s.ID, micros(now), hash[:])
			return err
		}); err != nil {
			return Session{}, sinew.Reader{}, fmt.Errorf("note use of session: %w", err)
		}
	}
	return s, r, nil
}

// RotateSession gives a session a new secret, if the one with the hash shown is
// still its newest, or if the newest has not been shown for so long that the
// answer with it must be lost. Of two requests that try at once one does.
func (db *DB) RotateSession(ctx context.Context, s Session, shown, next [32]byte) (rotated bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		now := db.Now()
		text := `UPDATE session SET old_hash = hash, hash = $3, rotated_at = $4, confirmed_at = 0 WHERE workspace_id = $1 AND id = $2 AND hash = $5`
		args := []any{s.Workspace, s.ID, next[:], micros(now), shown[:]}
		if s.Old {
			text = `UPDATE session SET hash = $3, rotated_at = $4 WHERE workspace_id = $1 AND id = $2 AND old_hash = $5 AND confirmed_at = 0 AND rotated_at <= $6`
			args = append(args, micros(now.Add(-SessionGrace)))
		}
		result, err := t.ExecContext(ctx, text, args...)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		rotated = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("give the session a new secret: %w", err)
	}
	return rotated, nil
}

// Sessions lists the sessions that go on, newest first: an administrator's view
// is of all, anybody else's of his own.
func (db *DB) Sessions(ctx context.Context, r sinew.Reader) (list []Session, err error) {
	own := r.Principal
	if r.All.Allows(sinew.RoleAdmin) {
		own = ""
	}
	if r.Workspace == 0 || (own == "" && !r.All.Allows(sinew.RoleAdmin)) {
		return nil, errDenied
	}
	now := db.Now()
	rows, err := db.reader.QueryContext(ctx, `SELECT `+sessionColumns+` FROM session s JOIN workspace w ON w.id = s.workspace_id
		WHERE s.workspace_id = $1 AND ($2 = '' OR s.pseudonym = $2) AND s.expires_at > $3 AND s.seen_at > $4`, r.Workspace, own, micros(now), micros(now.Add(-SessionIdle)))
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s, err := scanSession(rows)
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID)) })
	return list, rows.Err()
}

// EndSession ends a session at once: its owner's, or any by an administrator.
// To others it is not found.
func (db *DB) EndSession(ctx context.Context, r sinew.Reader, id string) error {
	err := db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		var owner string
		err := t.QueryRowContext(ctx, `SELECT pseudonym FROM session WHERE workspace_id = $1 AND id = $2`, r.Workspace, id).Scan(&owner)
		if err != nil || (owner != r.Principal && !r.All.Allows(sinew.RoleAdmin)) {
			if err == nil {
				err = sql.ErrNoRows
			}
			return notFound(err, "there is no such session")
		}
		if _, err := appendAccess(ctx, t, r, AccessChange{Op: OpSessionEnd, Principal: owner}); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM session WHERE workspace_id = $1 AND id = $2`, r.Workspace, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// endSessions ends those of a principal, but for the one named by keep. The
// entry of what ended them says it.
func endSessions(ctx context.Context, t *tx, workspace int64, pseudonym, keep string) error {
	_, err := t.ExecContext(ctx, `DELETE FROM session WHERE workspace_id = $1 AND pseudonym = $2 AND id <> $3`, workspace, pseudonym, keep)
	return err
}

// NoteRefused records in the log that a sign-in was refused: of whom, if that is
// known, by which provider, if by one, and why.
func (db *DB) NoteRefused(ctx context.Context, workspace int64, pseudonym, provider, reason string) error {
	err := db.write(ctx, func(t *tx) error {
		_, err := appendAccess(ctx, t, System(workspace), AccessChange{Op: OpRefused, Principal: pseudonym, Provider: provider, Reason: reason})
		return err
	})
	if err != nil {
		return fmt.Errorf("note a refused sign-in: %w", err)
	}
	return nil
}
