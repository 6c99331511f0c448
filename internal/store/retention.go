package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// defaultRetention is how many days blobs are kept where nobody said otherwise;
// 0 and what is not named is for ever.
var defaultRetention = map[BlobKind]int{BlobEvidence: 400, BlobDump: 30}

// retainable are the kinds that retention may delete. Assignments are what ids
// rest on: they stay for ever, and cost a few bytes a finding.
var retainable = []BlobKind{BlobEvidence, BlobAttachment, BlobBody, BlobDump}

// free are those of them that nothing is built from: they go by their age alone,
// and at somebody's request. Bodies go by [DB.RetainBodies], and of dumps the
// newest always stays.
var free = []BlobKind{BlobEvidence, BlobAttachment}

// RetentionChange is the payload of a retention entry.
type RetentionChange struct {
	Schema string   `json:"schema"` // retention/v1
	Kind   BlobKind `json:"kind"`
	Days   int      `json:"days"` // 0 keeps for ever
}

// Retention reports for how many days blobs of each kind are kept; 0 is for
// ever.
func (db *DB) Retention(ctx context.Context, workspace int64) (map[BlobKind]int, error) {
	days := map[BlobKind]int{}
	for _, kind := range BlobKinds {
		days[kind] = defaultRetention[kind]
	}
	rows, err := db.reader.QueryContext(ctx, `SELECT kind, days FROM retention WHERE workspace_id = $1`, workspace)
	if err != nil {
		return nil, fmt.Errorf("read retention: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind string
		var n int
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, fmt.Errorf("read retention: %w", err)
		}
		days[BlobKind(kind)] = n
	}
	return days, rows.Err()
}

// SetRetention says for how many days blobs of a kind are kept, 0 for ever.
func (db *DB) SetRetention(ctx context.Context, r sinew.Reader, kind BlobKind, days int) error {
	if !slices.Contains(BlobKinds, kind) {
		return sinew.Errorf(sinew.CodeInvalid, "there is no kind of payload %q", kind).Hint("use evidence, attachment, body or dump")
	}
	if !slices.Contains(retainable, kind) {
		return sinew.Errorf(sinew.CodeInvalid, "payloads of kind %s are kept for ever", kind).Hint("use evidence, attachment, body or dump")
	}
	if days < 0 || days > 36500 {
		return sinew.Errorf(sinew.CodeInvalid, "%d is no number of days", days).Hint("0 keeps for ever")
	}
	return db.administer(ctx, r, "set retention", func(t *tx) error {
		payload, err := encodePayload(RetentionChange{"retention/v1", kind, days})
		if err != nil {
			return err
		}
		if _, err := appendEntry(ctx, t, r.Workspace, sinew.EntryRetention, r.Principal, payload); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO retention (workspace_id, kind, days) VALUES ($1, $2, $3)
			ON CONFLICT (workspace_id, kind) DO UPDATE SET days = excluded.days`, r.Workspace, string(kind), days); err != nil {
			return err
		}
		return enqueueProject(ctx, t, r.Workspace)
	})
}

// Retain deletes what is older than its retention, but for bodies: what no entry
// has named for so long, and of dumps never the newest. Each deletion is told by a
// tombstone entry. It reports how many blobs were deleted.
func (db *DB) Retain(ctx context.Context, workspace int64) (deleted int, err error) {
	days, err := db.Retention(ctx, workspace)
	if err != nil {
		return 0, err
	}
	for _, kind := range slices.Sorted(maps.Keys(days)) {
		if days[kind] == 0 || kind != BlobDump && !slices.Contains(free, kind) {
			continue
		}
		except := int64(0)
		if kind == BlobDump {
			if except, err = db.newestDumpBlob(ctx, workspace); err != nil {
				return deleted, fmt.Errorf("delete old dumps: %w", err)
			}
		}
		for {
			n, err := db.retainSome(ctx, workspace, kind, days[kind], except)
			if err != nil {
				return deleted, fmt.Errorf("delete old %s: %w", kind, err)
			}
			deleted += n
			if n == 0 {
				break
			}
		}
	}
	return deleted, db.deleteDeadFrames(ctx, workspace)
}

// DeleteBlobs deletes blobs at somebody's request. Digests that are not there
// are left out.
func (db *DB) DeleteBlobs(ctx context.Context, r sinew.Reader, kind BlobKind, digests [][32]byte, why string) (deleted int, err error) {
	if !slices.Contains(free, kind) {
		return 0, sinew.Errorf(sinew.CodeInvalid, "payloads of kind %q are not deleted one by one", kind).Hint("use evidence or attachment")
	}
	err = db.administer(ctx, r, "delete "+string(kind), func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, r.Workspace); err != nil {
			return err
		}
		var dead []deadBlob
		for _, digest := range digests {
			b, err := findBlob(ctx, t, r.Workspace, BlobRef{kind, digest})
			if err == nil && !b.deletedSeq.Valid {
				dead = append(dead, deadBlob{b.id, digest[:]})
			} else if allowMissing(err) != nil {
				return err
			}
		}
		deleted = len(dead)
		return bury(ctx, t, r, Tombstone{Kind: kind, Why: why}, dead)
	})
	if err != nil {
		return 0, err
	}
	return deleted, db.deleteDeadFrames(ctx, r.Workspace)
}

type deadBlob struct {
	id     int64
	digest []byte
}

// newestDumpBlob gives the row of the dump that a rebuild starts from, 0 for none.
func (db *DB) newestDumpBlob(ctx context.Context, workspace int64) (int64, error) {
	c, _, err := db.newestDump(ctx, workspace)
	if err != nil || c == nil {
		return 0, err
	}
	ref, err := c.dumpRef()
	if err != nil {
		return 0, err
	}
	b, err := livingBlob(ctx, db.reader, workspace, ref)
	return b.id, err
}

// before is the time that lies days back.
func (db *DB) before(days int) int64 {
	return micros(db.Now().Add(-time.Duration(days) * 24 * time.Hour))
}

// retainSome marks up to a hundred blobs as deleted, with their tombstone. The
// blob except stays.
func (db *DB) retainSome(ctx context.Context, workspace int64, kind BlobKind, days int, except int64) (n int, err error) {
	err = db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, workspace); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT id, digest FROM blob WHERE workspace_id = $1 AND kind = $2 AND named_at > 0 AND named_at < $3 AND created_at < $3
			AND complete = 1 AND deleted_seq IS NULL AND id <> $4 ORDER BY named_at, id LIMIT 100`, workspace, string(kind), db.before(days), except)
		if err != nil {
			return err
		}
		dead, err := scanDead(rows)
		if err != nil {
			return err
		}
		n = len(dead)
		return bury(ctx, t, System(workspace), Tombstone{Kind: kind, Why: "retention", Days: days}, dead)
	})
	return n, err
}

func scanDead(rows *sql.Rows) (dead []deadBlob, err error) {
	defer rows.Close()
	for rows.Next() {
		var d deadBlob
		if err := rows.Scan(&d.id, &d.digest); err != nil {
			return nil, err
		}
		dead = append(dead, d)
	}
	return dead, rows.Err()
}

// bury appends a tombstone and marks the blobs. Their frames go afterwards, in
// transactions of their own.
func bury(ctx context.Context, t *tx, r sinew.Reader, stone Tombstone, dead []deadBlob) error {
	if len(dead) == 0 {
		return nil
	}
	stone.Schema = "tombstone/v1"
	for _, d := range dead {
		stone.Digests = append(stone.Digests, hex.EncodeToString(d.digest))
	}
	payload, err := encodePayload(stone)
	if err != nil {
		return err
	}
	e, err := appendEntry(ctx, t, r.Workspace, sinew.EntryTombstone, r.Principal, payload)
	if err != nil {
		return err
	}
	for _, d := range dead {
		if _, err := t.ExecContext(ctx, `UPDATE blob SET deleted_seq = $1 WHERE id = $2`, e.Seq, d.id); err != nil {
			return err
		}
	}
	return enqueueProject(ctx, t, r.Workspace)
}

// deleteDeadFrames deletes the frames of deleted blobs. What a crash leaves is
// done the next time.
func (db *DB) deleteDeadFrames(ctx context.Context, workspace int64) error {
	rows, err := db.reader.QueryContext(ctx, `SELECT b.id FROM blob b WHERE b.workspace_id = $1 AND b.deleted_seq IS NOT NULL
		AND EXISTS (SELECT 1 FROM blob_frame f WHERE f.blob_id = b.id) ORDER BY b.id`, workspace)
	if err != nil {
		return fmt.Errorf("delete frames: %w", err)
	}
	ids, err := scanColumn[int64](rows)
	if err != nil {
		return fmt.Errorf("delete frames: %w", err)
	}
	for _, id := range ids {
		for n := int64(1); n > 0; {
			if err := db.write(ctx, func(t *tx) error {
				n, err = deleteSomeFrames(ctx, t, id)
				return err
			}); err != nil {
				return fmt.Errorf("delete frames: %w", err)
			}
		}
	}
	return nil
}
