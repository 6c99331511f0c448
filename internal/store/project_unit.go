package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// UnitRow is an access unit: an application of the rules.
type UnitRow struct {
	ID           int64
	Name         string
	Organisation string
	BusinessUnit string
	Services     string // JSON
	Gone         bool   // the rules no longer have it
}

// ProjectedRules gives the newest rules entry that is projected, and its
// document; seq 0 if there is none.
func (db *DB) ProjectedRules(ctx context.Context, space int64) (seq int64, document string, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT seq, document FROM ruleset WHERE space = $1`, space).Scan(&seq, &document)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("read rules: %w", err)
	}
	return seq, document, nil
}

// ProjectedUnits gives the access units of a projection, gone ones as well.
func (db *DB) ProjectedUnits(ctx context.Context, space int64) (out []UnitRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id, name, organisation, businessunit, services, gone FROM unit WHERE space = $1 ORDER BY id`, space)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u UnitRow
			var gone int64
			if err := rows.Scan(&u.ID, &u.Name, &u.Organisation, &u.BusinessUnit, &u.Services, &gone); err != nil {
				return err
			}
			u.Gone = gone != 0
			out = append(out, u)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read access units: %w", err)
	}
	return out, nil
}

// SaveRules records the rules document when the stage flips.
func (s *Stage) SaveRules(seq int64, document string) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO ruleset (space, seq, document) VALUES ($1, $2, $3)
			ON CONFLICT (space) DO UPDATE SET seq = excluded.seq, document = excluded.document`, s.space, seq, document)
		return wrap(err, "save rules")
	})
}

// SaveUnit makes or changes an access unit when the stage flips.
func (s *Stage) SaveUnit(u UnitRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO unit (space, id, name, organisation, businessunit, services, gone)
			VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (space, id) DO UPDATE SET name = excluded.name, organisation = excluded.organisation,
				businessunit = excluded.businessunit, services = excluded.services, gone = excluded.gone`,
			s.space, u.ID, u.Name, u.Organisation, u.BusinessUnit, u.Services, boolInt(u.Gone))
		return wrap(err, "save access unit")
	})
}

// RefState is the newest thing that happened to a ref.
type RefState struct {
	Target, Ref, Event, Into string
	At, Seq                  int64
}

// SaveRefState records what happened to a ref when the stage flips.
func (s *Stage) SaveRefState(r RefState) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO ref_state (space, target, ref, event, into_ref, at, seq) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (space, target, ref) DO UPDATE SET event = excluded.event, into_ref = excluded.into_ref, at = excluded.at, seq = excluded.seq
			WHERE excluded.at > ref_state.at OR (excluded.at = ref_state.at AND excluded.seq > ref_state.seq)`,
			s.space, r.Target, r.Ref, r.Event, r.Into, r.At, r.Seq)
		return wrap(err, "save what happened to a ref")
	})
}

// DeploymentRow is a version that began to run in an environment.
type DeploymentRow struct {
	Seq         int64
	Unit        int64
	Service     string
	Environment string
	Version     string
	Units       []int64 // that it concerns; empty for all
	At          int64
}

// Concerns reports whether what a unit holds follows the deployment.
func (d *DeploymentRow) Concerns(unit int64) bool {
	return len(d.Units) == 0 || slices.Contains(d.Units, unit)
}

// SaveDeployment records a deployment when the stage flips.
func (s *Stage) SaveDeployment(d DeploymentRow) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO deployment (space, seq, unit_id, service, environment, version, units, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (space, seq) DO NOTHING`,
			s.space, d.Seq, d.Unit, d.Service, d.Environment, d.Version, unitsText(d.Units), d.At)
		return wrap(err, "save deployment")
	})
}

// Deployments gives every deployment of a projection, by seq.
func (db *DB) Deployments(ctx context.Context, space int64) (out []DeploymentRow, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT seq, unit_id, service, environment, version, units, at FROM deployment WHERE space = $1 ORDER BY seq`, space)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d DeploymentRow
			var units string
			if err := rows.Scan(&d.Seq, &d.Unit, &d.Service, &d.Environment, &d.Version, &units, &d.At); err != nil {
				return err
			}
			if units != "" {
				if err := json.Unmarshal([]byte(units), &d.Units); err != nil {
					return fmt.Errorf("units of deployment %d: %w", d.Seq, err)
				}
			}
			out = append(out, d)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read deployments: %w", err)
	}
	return out, nil
}

// SkipTo moves a projection past entries that change nothing in it.
func (db *DB) SkipTo(ctx context.Context, lease *Lease, space, seq int64) error {
	err := db.write(ctx, func(t *tx) error {
		if err := checkFence(ctx, t, lease); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE space SET projected_seq = $1 WHERE id = $2 AND projected_seq < $1`, seq, space)
		return err
	})
	if err != nil {
		return fmt.Errorf("move the projection on: %w", err)
	}
	return nil
}

// EntriesOf gives the seqs of the entries of one kind with from < seq <= to.
func (db *DB) EntriesOf(ctx context.Context, workspace int64, kind string, from, to int64) (out []int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT seq FROM log WHERE workspace_id = $1 AND kind = $2 AND seq > $3 AND seq <= $4 ORDER BY seq`,
			workspace, kind, from, to)
		if err != nil {
			return err
		}
		out, err = scanColumn[int64](rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return out, nil
}

// EntriesSince gives the seqs, newest first, of the entries of one kind before
// seq that were received at or after a time.
func (db *DB) EntriesSince(ctx context.Context, workspace int64, kind string, at, before int64) (out []int64, err error) {
	err = db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT seq, at FROM log WHERE workspace_id = $1 AND kind = $2 AND seq < $3 ORDER BY seq DESC`,
			workspace, kind, before)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var seq, received int64
			if err := rows.Scan(&seq, &received); err != nil {
				return err
			}
			if received < at {
				break // entries are received in order
			}
			out = append(out, seq)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	return out, nil
}

// FamiliesOn gives the families that have a finding on a host or resource.
func (db *DB) FamiliesOn(ctx context.Context, space int64, name string) ([]FamilyRow, error) {
	return db.families(ctx, `space = $1 AND id IN (SELECT family_id FROM finding
		WHERE space = $1 AND gen_to IS NULL AND (lower(host) = lower($2) OR lower(resource) = lower($2)))`, space, name)
}

// SaveAssetEnd records the end of an asset when the stage flips.
func (s *Stage) SaveAssetEnd(kind, key string, at int64) {
	s.later(func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE asset SET ended_at = $1 WHERE space = $2 AND kind = $3 AND key = $4`, at, s.space, kind, key)
		return wrap(err, "save the end of an asset")
	})
}
