package store

import (
	"context"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Bodies are what projections are built from. One may go when a dump holds what
// was built from it, and when nothing that is still going on needs it:
//
//   - its snapshot is the newest of a place that has not ended;
//   - a presence that counts as active was last seen in it: closing that one asks
//     what it was and where.
//
// What closed findings were last seen in may go; they keep what they show.

// OldBodies lists the bodies that retention is to delete in a projection, by the
// id of their blob: named by no entry for the days that bodies are kept, and
// needed by nothing that goes on. It is empty where bodies are kept for ever.
func (db *DB) OldBodies(ctx context.Context, space Space) (ids []int64, err error) {
	days, err := db.Retention(ctx, space.Workspace)
	if err != nil || days[BlobBody] == 0 {
		return nil, err
	}
	err = db.read(ctx, func(t *tx) error {
		old, err := t.QueryContext(ctx, `SELECT id, digest FROM blob WHERE workspace_id = $1 AND kind = 'body' AND named_at > 0 AND named_at < $2
			AND created_at < $2 AND complete = 1 AND deleted_seq IS NULL ORDER BY named_at, id`, space.Workspace, db.before(days[BlobBody]))
		if err != nil {
			return err
		}
		list, err := scanDead(old)
		if err != nil || len(list) == 0 {
			return err
		}
		needed, err := neededBodies(ctx, t, space)
		if err != nil {
			return err
		}
		for _, b := range list {
			if !needed[string(b.digest)] {
				ids = append(ids, b.id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list old bodies: %w", err)
	}
	return ids, nil
}

// neededBodies gives the digests of the bodies that something going on needs: as
// many as there are open places and snapshots that active findings were last
// seen in.
func neededBodies(ctx context.Context, t *tx, space Space) (map[string]bool, error) {
	needed := map[string]bool{}
	for _, text := range []string{
		`SELECT s.body FROM place p JOIN snapshot s ON s.space = p.space AND s.seq = p.head_seq
			WHERE p.space = $1 AND p.ended = '' AND CAST($2 AS BIGINT) >= 0`,
		`SELECT s.body FROM snapshot s WHERE s.space = $1 AND s.seq IN (SELECT DISTINCT obs_seq FROM presence
			WHERE space = $1 AND gen_from <= $2 AND (gen_to IS NULL OR gen_to > $2) AND state IN ('observed', 'not_observed', 'scope_lost'))`,
	} {
		rows, err := t.QueryContext(ctx, text, space.ID, space.LiveGen)
		if err != nil {
			return nil, err
		}
		list, err := scanColumn[[]byte](rows)
		if err != nil {
			return nil, err
		}
		for _, digest := range list {
			needed[string(digest)] = true
		}
	}
	return needed, nil
}

// RetainBodies deletes the bodies that [DB.OldBodies] listed, each told by a
// tombstone, and reports how many. The caller has held the lease since he listed
// them, and has made a checkpoint with a dump of the projection as it is since
// then, so that no rebuild comes by what was built from them. What was named
// anew meanwhile stays.
func (db *DB) RetainBodies(ctx context.Context, lease *Lease, ids []int64) (deleted int, err error) {
	days, err := db.Retention(ctx, lease.Workspace)
	if err != nil || days[BlobBody] == 0 {
		return 0, err
	}
	const some = 100
	for len(ids) > 0 {
		part := ids[:min(some, len(ids))]
		ids = ids[len(part):]
		err := db.write(ctx, func(t *tx) error {
			if _, err := lockWorkspace(ctx, t, lease.Workspace); err != nil {
				return err
			}
			if err := checkFence(ctx, t, lease); err != nil {
				return err
			}
			q := (&query{}).add(`SELECT id, digest FROM blob WHERE workspace_id = ? AND kind = 'body' AND named_at < ? AND created_at < ?
				AND deleted_seq IS NULL AND `, lease.Workspace, db.before(days[BlobBody]), db.before(days[BlobBody]))
			inIDs(t.db.dialect, q, "id", part)
			rows, err := t.QueryContext(ctx, q.add(` ORDER BY id`).String(), q.args...)
			if err != nil {
				return err
			}
			dead, err := scanDead(rows)
			if err != nil {
				return err
			}
			deleted += len(dead)
			return bury(ctx, t, System(lease.Workspace), Tombstone{Kind: BlobBody, Why: "retention", Days: days[BlobBody]}, dead)
		})
		if err != nil {
			return deleted, fmt.Errorf("delete old bodies: %w", err)
		}
	}
	return deleted, db.deleteDeadFrames(ctx, lease.Workspace)
}

// bodyGone is the condition that the body of snapshot s was deleted after the
// snapshot came. A body of the same bytes that came later is another's: whether
// an older report can be read does not depend on it, so that a rebuild, which
// finds it there from the start, decides as it was decided then.
const bodyGone = `EXISTS (SELECT 1 FROM blob b WHERE b.workspace_id = $1 AND b.digest = s.body AND b.kind = 'body' AND b.deleted_seq > s.seq)`

// BodiesGone reports whether the body of some snapshot of a family was deleted.
func (db *DB) BodiesGone(ctx context.Context, workspace, space, family int64) (gone bool, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM snapshot s WHERE s.space = $2 AND s.family_id = $3 AND `+bodyGone+`)`,
			workspace, space, family).Scan(&gone)
	})
	return gone, wrap(err, "look for deleted bodies")
}

// BodyGone reports whether the body of a snapshot was deleted.
func (db *DB) BodyGone(ctx context.Context, workspace, space, seq int64) (gone bool, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM snapshot s WHERE s.space = $2 AND s.seq = $3 AND `+bodyGone+`)`,
			workspace, space, seq).Scan(&gone)
	})
	return gone, wrap(err, "look for a deleted body")
}

// AnyBodyGone reports whether the body of any snapshot of a workspace was
// deleted: then its log can be replayed only from a dump.
func (db *DB) AnyBodyGone(ctx context.Context, workspace int64) (gone bool, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM blob WHERE workspace_id = $1 AND kind = 'body' AND deleted_seq IS NOT NULL)`,
			workspace).Scan(&gone)
	})
	return gone, wrap(err, "look for deleted bodies")
}

// MovedSince reports whether any entry after seq, up to and including upTo,
// changed a projection.
func (db *DB) MovedSince(ctx context.Context, workspace, seq, upTo int64) (moved bool, err error) {
	still := []string{
		string(sinew.EntryCheckpoint), string(sinew.EntryTombstone), string(sinew.EntryAccess), string(sinew.EntryRetention), string(sinew.EntryGenesis),
	}
	q := (&query{}).add(`SELECT EXISTS (SELECT 1 FROM log WHERE workspace_id = ? AND seq > ? AND seq <= ? AND NOT (`, workspace, seq, upTo)
	in(q, "kind", still)
	err = db.read(ctx, func(t *tx) error { return t.QueryRowContext(ctx, q.add(`))`).String(), q.args...).Scan(&moved) })
	return moved, wrap(err, "look for newer entries")
}
