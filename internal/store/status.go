package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// ProjectionStatus says how a projection stands to its log.
type ProjectionStatus struct {
	Version    string            // of the code that built it
	Current    string            // of the code that runs
	Head       int64             // newest entry of the log
	Projected  int64             // newest entry that readers see
	Rebuilding bool              // another one is being built beside it
	Rebuilt    int64             // newest entry in that one
	Holder     string            // who projects or rebuilds now; empty for nobody
	Checkpoint *CheckpointStatus // the newest one with a dump; nil for none
}

// CheckpointStatus is a checkpoint that a rebuild can start from.
type CheckpointStatus struct {
	Entry int64 // of the log, that holds it
	Seq   int64 // newest entry in it
	At    time.Time
	Bytes int64 // of the dump
}

// Projection reports how the projection of a workspace stands, for an
// administrator.
func (db *DB) Projection(ctx context.Context, r sinew.Reader) (*ProjectionStatus, error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return nil, sinew.Errorf(sinew.CodeDenied, "only administrators may do this")
	}
	out := &ProjectionStatus{Current: projectionVersion}
	err := db.read(ctx, func(t *tx) error {
		live, err := liveSpace(ctx, t, r.Workspace)
		if err != nil {
			return err
		}
		out.Version, out.Projected = live.Version, live.ProjectedSeq
		if out.Head, _, err = head(ctx, t, r.Workspace); err != nil {
			return err
		}
		err = t.QueryRowContext(ctx, `SELECT holder FROM lease WHERE workspace_id = $1 AND holder <> '' AND expires_at > $2`,
			r.Workspace, micros(db.Now())).Scan(&out.Holder)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = t.QueryRowContext(ctx, `SELECT projected_seq FROM space WHERE workspace_id = $1 AND state = 'building' ORDER BY id DESC LIMIT 1`,
			r.Workspace).Scan(&out.Rebuilt)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		// What a killed rebuild left is no rebuild.
		out.Rebuilding = err == nil && out.Holder != ""
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("status of the projection: %w", err)
	}
	c, entryOf, err := db.newestDump(ctx, r.Workspace)
	if err != nil || c == nil {
		return out, err
	}
	ref, err := c.dumpRef()
	if err != nil {
		return nil, err
	}
	b, err := livingBlob(ctx, db.reader, r.Workspace, ref)
	if err != nil {
		return nil, err
	}
	at, err := entry(ctx, db.reader, r.Workspace, entryOf)
	out.Checkpoint = &CheckpointStatus{Entry: entryOf, Seq: c.Seq, At: at.At, Bytes: b.size}
	return out, err
}
