package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// System is the reader by which the product itself acts in a workspace. Its
// entries carry the actor "system".
func System(workspace int64) sinew.Reader {
	return sinew.Reader{Workspace: workspace, Principal: SystemActor, All: sinew.RoleAdmin}
}

// SystemActor is the actor of what nobody asked for.
const SystemActor = "system"

// projectionVersion is the version of the code that builds projections.
const projectionVersion = "1"

// Genesis is the payload of a workspace's first entry.
type Genesis struct {
	Schema  string `json:"schema"` // genesis/v1
	UUID    string `json:"uuid"`
	Name    string `json:"name"`
	Version string `json:"version"` // of the product
}

// CreateWorkspace begins a workspace: its genesis entry and an empty live
// projection. A name that is taken is a conflict.
func (db *DB) CreateWorkspace(ctx context.Context, name string) (sinew.Workspace, error) {
	if name == "" || len(name) > 100 {
		return sinew.Workspace{}, sinew.Errorf(sinew.CodeInvalid, "a workspace needs a name of 1 to 100 bytes")
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	w := sinew.Workspace{UUID: hex.EncodeToString(random[:]), Name: name, Created: db.Now()}
	err := db.write(ctx, func(t *tx) error {
		err := t.QueryRowContext(ctx, `INSERT INTO workspace (uuid, name, created_at, space) VALUES ($1, $2, $3, 0) RETURNING id`,
			w.UUID, w.Name, micros(w.Created)).Scan(&w.ID)
		if db.dialect.duplicate(err) {
			return sinew.Errorf(sinew.CodeConflict, "there is a workspace %q already", name)
		}
		if err != nil {
			return err
		}
		if err := newLiveSpace(ctx, t, w.ID, micros(w.Created)); err != nil {
			return err
		}
		payload, err := encodePayload(Genesis{Schema: "genesis/v1", UUID: w.UUID, Name: name, Version: db.options.Version})
		if err != nil {
			return err
		}
		_, err = appendEntry(ctx, t, w.ID, sinew.EntryGenesis, SystemActor, payload)
		return err
	})
	if err != nil {
		return sinew.Workspace{}, fmt.Errorf("create workspace %q: %w", name, err)
	}
	return w, nil
}

// newLiveSpace gives a workspace an empty projection that nothing was projected
// into yet.
func newLiveSpace(ctx context.Context, t *tx, workspace, at int64) error {
	var space int64
	if err := t.QueryRowContext(ctx, `INSERT INTO space (workspace_id, version, state, live_gen, projected_seq, created_at)
		VALUES ($1, $2, 'live', 0, 0, $3) RETURNING id`, workspace, projectionVersion, at).Scan(&space); err != nil {
		return fmt.Errorf("create projection: %w", err)
	}
	_, err := t.ExecContext(ctx, `UPDATE workspace SET space = $1 WHERE id = $2`, space, workspace)
	return err
}

// Workspace finds a workspace by its name.
func (db *DB) Workspace(ctx context.Context, name string) (sinew.Workspace, error) {
	w, err := scanWorkspace(db.reader.QueryRowContext(ctx, `SELECT id, uuid, name, created_at FROM workspace WHERE name = $1`, name))
	if err != nil {
		return w, fmt.Errorf("workspace: %w", notFound(err, "there is no workspace %q", name))
	}
	return w, nil
}

// WorkspaceByID finds a workspace by its local id.
func (db *DB) WorkspaceByID(ctx context.Context, id int64) (sinew.Workspace, error) {
	return workspaceByID(ctx, db.reader, id)
}

func workspaceByID(ctx context.Context, from queryer, id int64) (sinew.Workspace, error) {
	w, err := scanWorkspace(from.QueryRowContext(ctx, `SELECT id, uuid, name, created_at FROM workspace WHERE id = $1`, id))
	if err != nil {
		return w, fmt.Errorf("workspace: %w", notFound(err, "there is no such workspace"))
	}
	return w, nil
}

// Workspaces lists every workspace, oldest first.
func (db *DB) Workspaces(ctx context.Context) (list []sinew.Workspace, err error) {
	rows, err := db.reader.QueryContext(ctx, `SELECT id, uuid, name, created_at FROM workspace ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		w, err := scanWorkspace(rows)
		if err != nil {
			return nil, fmt.Errorf("list workspaces: %w", err)
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

type scanner interface{ Scan(dest ...any) error }

func scanWorkspace(row scanner) (sinew.Workspace, error) {
	var w sinew.Workspace
	var created int64
	err := row.Scan(&w.ID, &w.UUID, &w.Name, &created)
	w.Created = fromMicros(created)
	return w, err
}

// Space is one projection of one workspace.
type Space struct {
	ID           int64
	Workspace    int64
	Version      string // of the projection code that built it
	State        string // live, building or dead
	LiveGen      int64  // what readers see
	ProjectedSeq int64  // the newest entry that is in it
}

// LiveSpace reports the projection that readers of a workspace see.
func (db *DB) LiveSpace(ctx context.Context, workspace int64) (Space, error) {
	return liveSpace(ctx, db.reader, workspace)
}

func liveSpace(ctx context.Context, from queryer, workspace int64) (Space, error) {
	var s Space
	err := from.QueryRowContext(ctx, `
		SELECT s.id, s.workspace_id, s.version, s.state, s.live_gen, s.projected_seq
		FROM workspace w JOIN space s ON s.id = w.space WHERE w.id = $1`, workspace).
		Scan(&s.ID, &s.Workspace, &s.Version, &s.State, &s.LiveGen, &s.ProjectedSeq)
	if err != nil {
		return s, fmt.Errorf("live projection: %w", notFound(err, "there is no such workspace"))
	}
	return s, nil
}

// Behind lists the workspaces whose live projection lacks entries.
func (db *DB) Behind(ctx context.Context) (list []int64, err error) {
	rows, err := db.reader.QueryContext(ctx, `
		SELECT w.id FROM workspace w JOIN space s ON s.id = w.space
		WHERE s.projected_seq < (SELECT MAX(seq) FROM log l WHERE l.workspace_id = w.id) ORDER BY w.id`)
	if err != nil {
		return nil, fmt.Errorf("workspaces behind their log: %w", err)
	}
	return scanColumn[int64](rows)
}

// scanColumn reads and closes rows of one column.
func scanColumn[T any](rows *sql.Rows) (list []T, err error) {
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
