package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// EntryHash is the hash of an entry in the chain of a workspace: the layout of
// docs/decisions/001-log.md.
func EntryHash(workspaceUUID string, e *sinew.Entry) ([32]byte, error) {
	uuid, err := hex.DecodeString(workspaceUUID)
	if err != nil || len(uuid) != 16 {
		return [32]byte{}, fmt.Errorf("workspace uuid %q is not 32 hex digits", workspaceUUID)
	}
	if len(e.Kind) > 1<<16-1 || len(e.Actor) > 1<<16-1 {
		return [32]byte{}, fmt.Errorf("entry %d: kind or actor is too long", e.Seq)
	}
	b := make([]byte, 0, 160+len(e.Kind)+len(e.Actor))
	b = append(b, "sinew log v1\x00"...)
	b = append(b, uuid...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq)) //nolint:gosec // a bit pattern
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Kind))) //nolint:gosec // checked above
	b = append(b, e.Kind...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.Actor))) //nolint:gosec // checked above
	b = append(b, e.Actor...)
	b = append(b, e.Digest[:]...)
	b = append(b, e.Prev[:]...)
	return sha256.Sum256(b), nil
}

// encodePayload gives the JSON of a payload, without the escaping of HTML.
func encodePayload(v any) ([]byte, error) {
	if raw, ok := v.([]byte); ok {
		return raw, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode payload: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// appendEntry adds an entry to the chain of a workspace within t. Entries of a
// workspace are serial: the writer connection of SQLite, the lock on the
// workspace's row on PostgreSQL. A caller that locks other rows too must append
// first, or lock the workspace by lockWorkspace.
func appendEntry(ctx context.Context, t *tx, workspace int64, kind sinew.EntryKind, actor string, payload []byte) (*sinew.Entry, error) {
	uuid, err := lockWorkspace(ctx, t, workspace)
	if err != nil {
		return nil, err
	}
	e := &sinew.Entry{Seq: 1, At: t.db.Now(), Kind: kind, Actor: actor, Payload: payload, Digest: sha256.Sum256(payload)}
	var seq, at int64
	var prev []byte
	err = t.QueryRowContext(ctx, `SELECT seq, at, hash FROM log WHERE workspace_id = $1 ORDER BY seq DESC LIMIT 1`, workspace).
		Scan(&seq, &at, &prev)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, fmt.Errorf("end of the log: %w", err)
	case len(prev) != len(e.Prev):
		return nil, fmt.Errorf("end of the log: the hash of entry %d has %d bytes", seq, len(prev))
	default:
		e.Seq = seq + 1
		copy(e.Prev[:], prev)
		if last := fromMicros(at); e.At.Before(last) {
			e.At = last // the clock went back; the log doesn't
		}
	}
	if e.Hash, err = EntryHash(uuid, e); err != nil {
		return nil, err
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO log (workspace_id, seq, at, kind, actor, digest, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		workspace, e.Seq, micros(e.At), string(e.Kind), e.Actor, e.Digest[:], e.Prev[:], e.Hash[:]); err != nil {
		return nil, fmt.Errorf("append to the log: %w", err)
	}
	if _, err := t.ExecContext(ctx, `INSERT INTO log_payload (workspace_id, seq, payload) VALUES ($1, $2, $3)`,
		workspace, e.Seq, payload); err != nil {
		return nil, fmt.Errorf("append to the log: %w", err)
	}
	return e, nil
}

// lockWorkspace keeps others from appending to the log of a workspace, and from
// swapping its projection, until t ends.
func lockWorkspace(ctx context.Context, t *tx, workspace int64) (uuid string, err error) {
	err = t.QueryRowContext(ctx, `SELECT uuid FROM workspace WHERE id = $1`+t.db.dialect.forUpdate, workspace).Scan(&uuid)
	return uuid, notFound(err, "there is no such workspace")
}

// Accept is something to be recorded in the log and projected later.
type Accept struct {
	Kind    sinew.EntryKind
	Payload any       // encoded as JSON; []byte is taken as it is
	Units   []int64   // access units that it touches: the reader needs the developer role on each
	Blobs   []BlobRef // blobs that the payload names; they must be there

	// Idempotency makes the same request by the same principal one entry: a
	// second one with an equal Request gets the first one's seq, another
	// Request is a conflict. Empty turns it off.
	Idempotency string
	Request     [32]byte // digest of what was asked
}

// Accepted is what became of an [Accept].
type Accepted struct {
	Seq       int64
	At        time.Time
	Duplicate bool // an earlier request with the same idempotency key became it
}

// needs says which role a kind of entry asks for, and whether on every unit.
func (a *Accept) allowed(r sinew.Reader) bool {
	switch a.Kind {
	case sinew.EntrySnapshot, sinew.EntryDecision, sinew.EntryLink, sinew.EntryIssue, sinew.EntryRef, sinew.EntryDeployment, sinew.EntryAssetEnd:
		for _, unit := range a.Units {
			if !r.Can(sinew.RoleDeveloper, unit) {
				return false
			}
		}
		return len(a.Units) > 0
	case sinew.EntryGenesis, sinew.EntryOutcome, sinew.EntryTombstone:
		return false // the store's own
	case sinew.EntryRules, sinew.EntryIntel, sinew.EntryCheckpoint, sinew.EntryAccess, sinew.EntryRetention:
		return r.All.Allows(sinew.RoleAdmin)
	}
	return false
}

// Accept records a in the log and enqueues the projection of it, in one
// transaction: when it returns, a is durable. It fails with
// [sinew.CodeDenied] when r may not do this.
func (db *DB) Accept(ctx context.Context, r sinew.Reader, a Accept) (Accepted, error) {
	if r.Workspace == 0 || !a.allowed(r) {
		return Accepted{}, sinew.Errorf(sinew.CodeDenied, "your role does not allow this").Hint("ask an administrator of the workspace")
	}
	payload, err := encodePayload(a.Payload)
	if err != nil {
		return Accepted{}, fmt.Errorf("accept %s: %w", a.Kind, err)
	}
	var out Accepted
	err = db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		if out, err = earlier(ctx, t, r, &a); err != nil || out.Duplicate {
			return err
		}
		e, err := appendEntry(ctx, t, r.Workspace, a.Kind, r.Principal, payload)
		if err != nil {
			return err
		}
		out = Accepted{Seq: e.Seq, At: e.At}
		if err := nameBlobs(ctx, t, r.Workspace, e.At, a.Blobs); err != nil {
			return err
		}
		if a.Idempotency != "" {
			if _, err := t.ExecContext(ctx, `INSERT INTO idempotency (workspace_id, principal, key, request, seq, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
				r.Workspace, r.Principal, a.Idempotency, a.Request[:], e.Seq, micros(e.At)); err != nil {
				return fmt.Errorf("remember idempotency key: %w", err)
			}
		}
		return enqueueProject(ctx, t, r.Workspace)
	})
	if err != nil {
		return Accepted{}, fmt.Errorf("accept %s: %w", a.Kind, err)
	}
	return out, nil
}

// Earlier reports what an earlier request with this idempotency key became, so
// that a sender who repeats itself need not be read again. Seq is 0 when there
// is none.
func (db *DB) Earlier(ctx context.Context, r sinew.Reader, key string, request [32]byte) (out Accepted, err error) {
	err = db.read(ctx, func(t *tx) error {
		out, err = earlier(ctx, t, r, &Accept{Idempotency: key, Request: request})
		return err
	})
	return out, err
}

func earlier(ctx context.Context, t *tx, r sinew.Reader, a *Accept) (Accepted, error) {
	if a.Idempotency == "" {
		return Accepted{}, nil
	}
	var seq, at int64
	var request []byte
	err := t.QueryRowContext(ctx, `SELECT seq, created_at, request FROM idempotency WHERE workspace_id = $1 AND principal = $2 AND key = $3`,
		r.Workspace, r.Principal, a.Idempotency).Scan(&seq, &at, &request)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Accepted{}, nil
	case err != nil:
		return Accepted{}, fmt.Errorf("look up idempotency key: %w", err)
	case subtle.ConstantTimeCompare(request, a.Request[:]) != 1:
		return Accepted{}, sinew.Errorf(sinew.CodeConflict, "the idempotency key %q was used for a different request, entry %d", a.Idempotency, seq).
			Hint("use a new key for a new request")
	}
	return Accepted{Seq: seq, At: fromMicros(at), Duplicate: true}, nil
}

const entryColumns = `l.seq, l.at, l.kind, l.actor, l.digest, l.prev, l.hash, p.payload`

const entryTables = ` FROM log l LEFT JOIN log_payload p ON p.workspace_id = l.workspace_id AND p.seq = l.seq `

func scanEntry(row scanner) (e sinew.Entry, err error) {
	var at int64
	var kind string
	var digest, prev, hash []byte
	if err := row.Scan(&e.Seq, &at, &kind, &e.Actor, &digest, &prev, &hash, &e.Payload); err != nil {
		return e, err
	}
	e.At, e.Kind = fromMicros(at), sinew.EntryKind(kind)
	for _, h := range []struct {
		to   *[32]byte
		from []byte
	}{{&e.Digest, digest}, {&e.Prev, prev}, {&e.Hash, hash}} {
		if len(h.from) != len(h.to) {
			return e, fmt.Errorf("entry %d: a hash has %d bytes", e.Seq, len(h.from))
		}
		copy(h.to[:], h.from)
	}
	return e, nil
}

// Entry returns one entry of a workspace's log, for an administrator.
func (db *DB) Entry(ctx context.Context, r sinew.Reader, seq int64) (sinew.Entry, error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return sinew.Entry{}, sinew.Errorf(sinew.CodeNotFound, "there is no entry %d", seq)
	}
	return entry(ctx, db.reader, r.Workspace, seq)
}

func entry(ctx context.Context, from queryer, workspace, seq int64) (sinew.Entry, error) {
	e, err := scanEntry(from.QueryRowContext(ctx, `SELECT `+entryColumns+entryTables+`WHERE l.workspace_id = $1 AND l.seq = $2`, workspace, seq))
	if err != nil {
		return e, fmt.Errorf("log entry: %w", notFound(err, "there is no entry %d", seq))
	}
	return e, nil
}

// Entries yields the entries of a workspace from seq on, oldest first, reading
// a page at a time: the log may grow meanwhile. It is for the projector and for
// verification; people read by [DB.Log].
func (db *DB) Entries(ctx context.Context, workspace, seq int64) iter.Seq2[sinew.Entry, error] {
	return func(yield func(sinew.Entry, error) bool) {
		for {
			page, err := entriesFrom(ctx, db.reader, workspace, seq, 256)
			if err != nil {
				yield(sinew.Entry{}, fmt.Errorf("read log: %w", err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < 256 {
				return
			}
			seq = page[len(page)-1].Seq + 1
		}
	}
}

func entriesFrom(ctx context.Context, from queryer, workspace, seq int64, limit int) (list []sinew.Entry, err error) {
	rows, err := from.QueryContext(ctx, `SELECT `+entryColumns+entryTables+`WHERE l.workspace_id = $1 AND l.seq >= $2 ORDER BY l.seq LIMIT $3`,
		workspace, seq, limit)
	if err != nil {
		return nil, err
	}
	return scanEntries(rows)
}

// scanEntries reads the entries of rows, and closes them.
func scanEntries(rows *sql.Rows) (list []sinew.Entry, err error) {
	defer rows.Close()
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// Head reports the newest entry's seq and hash; 0 for an empty log.
func (db *DB) Head(ctx context.Context, workspace int64) (seq int64, hash [32]byte, err error) {
	return head(ctx, db.reader, workspace)
}

func head(ctx context.Context, from queryer, workspace int64) (seq int64, hash [32]byte, err error) {
	var b []byte
	err = from.QueryRowContext(ctx, `SELECT seq, hash FROM log WHERE workspace_id = $1 ORDER BY seq DESC LIMIT 1`, workspace).Scan(&seq, &b)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, hash, nil
	}
	if err != nil {
		return 0, hash, fmt.Errorf("end of the log: %w", err)
	}
	copy(hash[:], b)
	return seq, hash, nil
}
