package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Families, places and snapshots: few rows, not versioned, written by the flip.

// FindFamily gives the family of a stream, nil if there is none yet.
func (db *DB) FindFamily(ctx context.Context, space int64, s sinew.Stream) (*FamilyRow, error) {
	return db.oneFamily(ctx, `space = $1 AND target = $2 AND tool = $3 AND source = $4 AND label = $5`,
		space, s.Target, s.Tool, s.Source, s.Label)
}

// FamilyByID gives a family.
func (db *DB) FamilyByID(ctx context.Context, space, id int64) (*FamilyRow, error) {
	f, err := db.oneFamily(ctx, `space = $1 AND id = $2`, space, id)
	if err == nil && f == nil {
		err = fmt.Errorf("family %d does not exist", id)
	}
	return f, err
}

func (db *DB) oneFamily(ctx context.Context, where string, args ...any) (*FamilyRow, error) {
	fs, err := db.families(ctx, where, args...)
	if err != nil || len(fs) == 0 {
		return nil, err
	}
	return &fs[0], nil
}

// FamiliesOf gives the families of a target, of all targets if it is empty.
func (db *DB) FamiliesOf(ctx context.Context, space int64, target string) ([]FamilyRow, error) {
	if target == "" {
		return db.families(ctx, `space = $1`, space)
	}
	return db.families(ctx, `space = $1 AND target = $2`, space, target)
}

// FamiliesWithVersion gives the families that have a snapshot of a version, or
// a deployed place for the environment and service.
func (db *DB) FamiliesWithVersion(ctx context.Context, space int64, version, environment, service string) ([]FamilyRow, error) {
	return db.families(ctx, `space = $1 AND (id IN (SELECT family_id FROM snapshot WHERE space = $1 AND (version = $2 OR commit_id = $2))
		OR id IN (SELECT family_id FROM place WHERE space = $1 AND kind = 'deployed' AND environment = $3 AND service = $4))`,
		space, version, environment, service)
}

func (db *DB) families(ctx context.Context, where string, args ...any) (out []FamilyRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id, source, tool, target, label, unit_id, folds, undo_from, assigned_seq FROM family WHERE `+where+` ORDER BY id`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f FamilyRow
			if err := rows.Scan(&f.ID, &f.Source, &f.Tool, &f.Target, &f.Label, &f.Unit, &f.Folds, &f.UndoFrom, &f.Assigned); err != nil {
				return err
			}
			out = append(out, f)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read families: %w", err)
	}
	return out, nil
}

// PlacesOf gives the places of a family.
func (db *DB) PlacesOf(ctx context.Context, space, family int64) (out []PlaceRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id, family_id, kind, ref, environment, service, version, head_seq, seen_at, ended
			FROM place WHERE space = $1 AND family_id = $2 ORDER BY id`, space, family)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p PlaceRow
			err := rows.Scan(&p.ID, &p.Family, &p.Kind, &p.Ref, &p.Environment, &p.Service, &p.Version, &p.Head, &p.SeenAt, &p.Ended)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read places: %w", err)
	}
	return out, nil
}

const snapshotSelect = `seq, family_id, place_id, unit_id, at, received_at, version, commit_id, raw_mac, body, assignment,
	coverage, basis, artifact, observations, result`

func (s *SnapshotRow) targets() []any {
	return []any{
		&s.Seq, &s.Family, &s.Place, &s.Unit, &s.At, &s.Received, &s.Version, &s.Commit, &s.RawMAC, &s.Body, &s.Assignment,
		&s.Coverage, &s.Basis, &s.Artifact, &s.Observed, &s.Result,
	}
}

// SnapshotBySeq gives a projected snapshot, nil if there is none.
func (db *DB) SnapshotBySeq(ctx context.Context, space, seq int64) (*SnapshotRow, error) {
	var s SnapshotRow
	err := db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT `+snapshotSelect+` FROM snapshot WHERE space = $1 AND seq = $2`, space, seq).Scan(s.targets()...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return &s, nil
}

// SnapshotsOf gives the projected snapshots of a family in order of receipt, but
// for those that were only recorded: they have no assignment.
func (db *DB) SnapshotsOf(ctx context.Context, space, family int64) (out []SnapshotRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT `+snapshotSelect+` FROM snapshot WHERE space = $1 AND family_id = $2
			AND length(assignment) > 0 ORDER BY seq`, space, family)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s SnapshotRow
			if err := rows.Scan(s.targets()...); err != nil {
				return err
			}
			out = append(out, s)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	return out, nil
}

// SnapshotByRaw gives the newest snapshot that was made from an upload of this
// keyed digest, 0 if there is none.
func (db *DB) SnapshotByRaw(ctx context.Context, space int64, raw string) (seq int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM snapshot WHERE space = $1 AND raw_mac = $2`, space, raw).Scan(&seq)
	})
	if err != nil {
		return 0, fmt.Errorf("look for the same upload: %w", err)
	}
	return seq, nil
}

// NewestAt gives the newest effective time among the snapshots of a family, 0
// for none.
func (db *DB) NewestAt(ctx context.Context, space, family int64) (at int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT coalesce(max(at), 0) FROM snapshot WHERE space = $1 AND family_id = $2`, space, family).Scan(&at)
	})
	if err != nil {
		return 0, fmt.Errorf("read the newest snapshot: %w", err)
	}
	return at, nil
}

// SaveFamily makes or changes a family when the stage flips.
func (s *Stage) SaveFamily(f FamilyRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO family (space, id, source, tool, target, label, unit_id, folds, undo_from, assigned_seq)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (space, id) DO UPDATE SET unit_id = excluded.unit_id,
				folds = excluded.folds, undo_from = excluded.undo_from, assigned_seq = excluded.assigned_seq`,
			s.space, f.ID, f.Source, f.Tool, f.Target, f.Label, f.Unit, f.Folds, f.UndoFrom, f.Assigned)
		return wrap(err, "save family")
	})
}

// SaveDecision records a decision as a whole when the stage flips.
func (s *Stage) SaveDecision(d DecisionRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO decision (space, seq, at, actor, verdict, until, owner, findings, undoes)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			s.space, d.Seq, d.At, d.Actor, string(d.Verdict), d.Until, d.Owner, d.Findings, d.Undoes)
		return wrap(err, "save decision")
	})
}

// SavePlace makes or changes a place when the stage flips.
func (s *Stage) SavePlace(p PlaceRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO place (space, id, family_id, kind, ref, environment, service, version, head_seq, seen_at, ended)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT (space, id) DO UPDATE SET kind = excluded.kind, environment = excluded.environment, version = excluded.version,
				head_seq = excluded.head_seq, seen_at = excluded.seen_at, ended = excluded.ended`,
			s.space, p.ID, p.Family, string(p.Kind), p.Ref, p.Environment, p.Service, p.Version, p.Head, p.SeenAt, p.Ended)
		return wrap(err, "save place")
	})
}

// SaveSnapshot makes or changes the row of a snapshot when the stage flips.
func (s *Stage) SaveSnapshot(r SnapshotRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO snapshot (space, seq, family_id, place_id, unit_id, at, received_at, version, commit_id, raw_mac, body, assignment,
				coverage, basis, artifact, observations, result)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
			ON CONFLICT (space, seq) DO UPDATE SET unit_id = excluded.unit_id, body = excluded.body, assignment = excluded.assignment,
				result = CASE WHEN excluded.result = '' THEN snapshot.result ELSE excluded.result END`,
			s.space, r.Seq, r.Family, r.Place, r.Unit, r.At, r.Received, r.Version, r.Commit, r.RawMAC, r.Body, r.Assignment,
			string(r.Coverage), string(r.Basis), boolInt(r.Artifact), r.Observed, r.Result)
		return wrap(err, "save snapshot")
	})
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
