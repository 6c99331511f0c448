package store

import (
	"context"
	"fmt"
)

// Spaces: a projection is rebuilt beside the live one and swapped in.

// ProjectionVersion is the version of the projection code; a space that another
// version built is to be rebuilt.
func ProjectionVersion() string { return projectionVersion }

// NewSpace makes an empty projection beside the live one.
func (db *DB) NewSpace(ctx context.Context, lease *Lease) (Space, error) {
	s := Space{Workspace: lease.Workspace, Version: projectionVersion, State: "building"}
	err := db.write(ctx, func(t *tx) error {
		if err := checkFence(ctx, t, lease); err != nil {
			return err
		}
		return t.QueryRowContext(ctx, `INSERT INTO space (workspace_id, version, state, live_gen, projected_seq, created_at)
			VALUES ($1, $2, $3, 0, 0, $4) RETURNING id`, s.Workspace, s.Version, s.State, micros(db.Now())).Scan(&s.ID)
	})
	if err != nil {
		return s, fmt.Errorf("make a new projection: %w", err)
	}
	return s, nil
}

// SwapSpace makes a projection the live one, in one transaction, unless the live
// one knows more of the log.
func (db *DB) SwapSpace(ctx context.Context, lease *Lease, space int64) (swapped bool, err error) {
	err = db.write(ctx, func(t *tx) error {
		if _, err := lockWorkspace(ctx, t, lease.Workspace); err != nil {
			return err
		}
		if err := checkFence(ctx, t, lease); err != nil {
			return err
		}
		var behind int64
		err := t.QueryRowContext(ctx, `SELECT live.projected_seq - s.projected_seq FROM workspace w
			JOIN space live ON live.id = w.space JOIN space s ON s.id = $1 WHERE w.id = $2`, space, lease.Workspace).Scan(&behind)
		if err != nil || behind > 0 {
			return err
		}
		swapped = true
		for _, text := range []string{
			`UPDATE space SET state = 'dead' WHERE workspace_id = $2 AND state = 'live' AND id <> $1`,
			`UPDATE space SET state = 'live' WHERE id = $1 AND workspace_id = $2`,
			`UPDATE workspace SET space = $1 WHERE id = $2`,
		} { // $1 and $2 in each
			if _, err := t.ExecContext(ctx, text, space, lease.Workspace); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("swap the projection: %w", err)
	}
	return swapped, nil
}

// spaceTables lists every table of a projection with its key.
var spaceTables = []struct{ name, key string }{
	{"presence", "space, finding_id, place_id, gen_from"},
	{"event", "space, finding_id, seq, n"},
	{"step", "space, family_id, n, gen_from"},
	{"step_part", "space, family_id, n, part, gen_from"},
	{"finding_join", "space, a_id, b_id, gen_from"},
	{"link", "space, seq, a_id, b_id"},
	{"alias", "space, id"},
	{"issue", "space, id, gen_from"},
	{"issue_event", "space, issue_id, seq, n"},
	{"intel", "space, kind"},
	{"redirect", "space, old_id, gen_from"},
	{"verdict", "space, birth_id, seq"},
	{"decision", "space, seq"},
	{"finding", "space, id, gen_from"},
	{"finding_segment", "space, id"},
	{"asset_fact", "space, place_id, asset_id, gen_from"},
	{"relation", "space, place_id, from_id, kind, to_id, gen_from"},
	{"asset", "space, id"},
	{"snapshot", "space, seq"},
	{"counter", "space, unit_id, dim, value"},
	{"deployment", "space, seq"},
	{"ref_state", "space, target, ref"},
	{"place", "space, id"},
	{"family", "space, id"},
	{"unit", "space, id"},
	{"ruleset", "space"},
}

// DropSpaces deletes, in batches, the projections of a workspace that are
// neither live nor named by keep.
func (db *DB) DropSpaces(ctx context.Context, lease *Lease, keep int64) error {
	var dead []int64
	err := db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT s.id FROM space s JOIN workspace w ON w.id = s.workspace_id
			WHERE s.workspace_id = $1 AND s.id <> w.space AND s.id <> $2 ORDER BY s.id`, lease.Workspace, keep)
		if err != nil {
			return err
		}
		dead, err = scanColumn[int64](rows)
		return err
	})
	if err != nil {
		return fmt.Errorf("list dead projections: %w", err)
	}
	for _, space := range dead {
		s := &Stage{db: db, lease: lease, ws: lease.Workspace, space: space}
		if err := s.clear(ctx); err != nil {
			return fmt.Errorf("delete a dead projection: %w", err)
		}
		if err := s.tx(ctx, func(t *tx) error {
			_, err := t.ExecContext(ctx, `DELETE FROM space WHERE id = $1`, space)
			return err
		}); err != nil {
			return fmt.Errorf("delete a dead projection: %w", err)
		}
	}
	return nil
}

// clear deletes every row of the space.
func (s *Stage) clear(ctx context.Context) error {
	for _, t := range spaceTables {
		err := s.repeat(ctx, `DELETE FROM `+t.name+` WHERE (`+t.key+`) IN (SELECT `+t.key+` FROM `+t.name+
			` WHERE space = $1 LIMIT 2000)`, s.space)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// Sweep deletes the row versions that ended with or before the live generation.
// Readers hold a snapshot of the database, so none loses a row under its eyes.
func (db *DB) Sweep(ctx context.Context, lease *Lease, space int64) error {
	gen, err := db.liveGen(ctx, space)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	s := &Stage{db: db, lease: lease, ws: lease.Workspace, space: space}
	for _, t := range versioned {
		if !t.ended {
			continue
		}
		// Most of the time there is nothing; ask before taking the writer.
		var some bool
		err := db.read(ctx, func(q *tx) error {
			return q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+t.name+
				` WHERE space = $1 AND gen_to IS NOT NULL AND gen_to <= $2)`, space, gen).Scan(&some)
		})
		if err == nil && some {
			err = s.repeat(ctx, `DELETE FROM `+t.name+` WHERE (`+t.key+`) IN (SELECT `+t.key+` FROM `+t.name+
				` WHERE space = $1 AND gen_to IS NOT NULL AND gen_to <= $2 LIMIT 1000)`, space, gen)
		}
		if err != nil {
			return fmt.Errorf("sweep %s: %w", t.name, err)
		}
	}
	if err := s.compact(ctx); err != nil {
		return fmt.Errorf("compact the index of findings: %w", err)
	}
	return nil
}
