package store

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Restored is what a restore brought back.
type Restored struct {
	Manifest Manifest
	Files    map[string][]byte // the further files, for the caller to put where they belong
	Reports  []*VerifyReport   // one for each workspace; all are intact
}

const (
	maxManifest = 16 << 20
	maxMember   = backupChunk + 64<<20 // one row may be as large as a payload
)

// Restore reads a backup into an empty database, in one transaction, and
// verifies the log of each workspace. The projections are empty afterwards, and
// a job to build them waits: the caller projects. A database that holds a
// workspace is a conflict; a backup that is cut off or altered is refused and
// leaves nothing behind.
func (db *DB) Restore(ctx context.Context, from io.Reader) (*Restored, error) {
	z, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	defer z.Close()
	r := &restore{db: db, ctx: ctx, tar: tar.NewReader(z), out: Restored{Files: map[string][]byte{}}, got: backupEnd{Rows: map[string]int64{}}}
	err = db.write(ctx, func(t *tx) error {
		var one int
		if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM workspace`).Scan(&one); err != nil {
			return err
		}
		if one > 0 {
			return sinew.Errorf(sinew.CodeConflict, "the database is not empty").Hint("restore into a new one")
		}
		return r.read(t)
	})
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if err := r.verify(); err != nil {
		return nil, fmt.Errorf("restore: %w", errors.Join(err, r.undo()))
	}
	return &r.out, nil
}

type restore struct {
	db  *DB
	ctx context.Context
	tar *tar.Reader
	out Restored
	got backupEnd
}

func badBackup(format string, args ...any) error {
	return sinew.Errorf(sinew.CodeInvalid, "this is no intact backup: "+format, args...).Hint("use another backup; nothing was restored")
}

func (r *restore) read(t *tx) error {
	if err := r.manifest(); err != nil {
		return err
	}
	for {
		name, data, err := r.next(maxMember)
		if err != nil {
			return err
		}
		kind, rest, _ := strings.Cut(name, "/")
		switch {
		case name == "end.json":
			return r.end(t, data)
		case kind == "file":
			r.out.Files[path.Base(rest)] = data
		case kind == "frame":
			err = r.frame(t, rest, data)
		default:
			err = r.rows(t, kind, data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

func (r *restore) next(limit int64) (string, []byte, error) {
	h, err := r.tar.Next()
	if err != nil {
		return "", nil, badBackup("%w", cutOff(err))
	}
	if h.Size > limit {
		return "", nil, badBackup("%s has %d bytes", h.Name, h.Size)
	}
	data, err := io.ReadAll(io.LimitReader(r.tar, limit))
	if err != nil {
		return "", nil, badBackup("%s: %w", h.Name, cutOff(err))
	}
	return h.Name, data, nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *restore) manifest() error {
	name, data, err := r.next(maxManifest)
	if err != nil {
		return err
	}
	m := &r.out.Manifest
	if name != "manifest.json" || json.Unmarshal(data, m) != nil {
		return badBackup("it does not begin with a manifest")
	}
	if m.Schema != BackupSchema {
		return sinew.Errorf(sinew.CodeUnsupported, "this is a backup of schema %q, and this sinew reads %s", m.Schema, BackupSchema).
			Hint("use the release that made it")
	}
	for _, table := range coreTables {
		if m.Columns[table.name] != table.columns {
			return sinew.Errorf(sinew.CodeUnsupported, "the backup's table %s has other columns than this sinew's", table.name).
				Hint("use the release that made it, %s", m.Version)
		}
	}
	return nil
}

// rows loads a part of a table.
func (r *restore) rows(t *tx, name string, data []byte) error {
	for _, table := range coreTables {
		if table.name != name {
			continue
		}
		columns, kinds := table.names(), table.kinds()
		if name == "workspace" { // the live projection is made at the end
			columns, kinds = append(columns, "space"), append(kinds, 'i')
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		lines.Buffer(nil, len(data)+1)
		var values []any
		for lines.Scan() {
			row, err := decodeRow(lines.Bytes(), kinds[:len(table.names())])
			if err != nil {
				return badBackup("line %d: %w", r.got.Rows[name], err)
			}
			if name == "workspace" {
				row = append(row, int64(0))
			}
			values = append(values, row...)
			r.got.Rows[name]++
		}
		if err := lines.Err(); err != nil {
			return badBackup("%w", err)
		}
		return bulkInsert(r.ctx, t, name, columns, values)
	}
	return badBackup("there is no table %q", name)
}

func decodeRow(line []byte, kinds []byte) ([]any, error) {
	var row []any
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := dec.Decode(&row); err != nil {
		return nil, err
	}
	if len(row) != len(kinds) {
		return nil, fmt.Errorf("%d values for %d columns", len(row), len(kinds))
	}
	for i, v := range row {
		var err error
		switch v := v.(type) {
		case nil:
		case json.Number:
			if kinds[i] != 'i' {
				return nil, fmt.Errorf("value %d is a number", i+1)
			}
			row[i], err = v.Int64()
		case string:
			if kinds[i] == 'b' {
				row[i], err = base64.StdEncoding.DecodeString(v)
			} else if kinds[i] != 't' {
				err = fmt.Errorf("value %d is text", i+1)
			}
		default:
			err = fmt.Errorf("value %d is a %T", i+1, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return row, nil
}

func (r *restore) frame(t *tx, name string, data []byte) error {
	var numbers [3]int64
	parts := strings.Split(name, "/")
	if len(parts) != len(numbers) {
		return badBackup("the name of a frame has three numbers")
	}
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return badBackup("%w", err)
		}
		numbers[i] = n
	}
	r.got.Frames++
	_, err := t.ExecContext(r.ctx, `INSERT INTO blob_frame (blob_id, n, first_line, data) VALUES ($1, $2, $3, $4)`,
		numbers[0], numbers[1], numbers[2], data)
	return err
}

// end compares the counts and readies the workspaces.
func (r *restore) end(t *tx, data []byte) error {
	want := backupEnd{}
	if err := json.Unmarshal(data, &want); err != nil {
		return badBackup("its end cannot be read: %w", err)
	}
	if !maps.Equal(want.Rows, r.got.Rows) || want.Frames != r.got.Frames {
		return badBackup("it holds %v rows and %d frames, and should hold %v and %d", r.got.Rows, r.got.Frames, want.Rows, want.Frames)
	}
	if _, err := t.ExecContext(r.ctx, `DELETE FROM blob WHERE complete = 0`); err != nil {
		return err
	}
	rows, err := t.QueryContext(r.ctx, `SELECT id FROM workspace ORDER BY id`)
	if err != nil {
		return err
	}
	ids, err := scanColumn[int64](rows)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := newLiveSpace(r.ctx, t, id, micros(r.db.Now())); err != nil {
			return err
		}
		if err := enqueueProject(r.ctx, t, id); err != nil {
			return err
		}
	}
	return r.sequences(t)
}

// sequences moves PostgreSQL's counters past the ids that were loaded.
func (r *restore) sequences(t *tx) error {
	if r.db.Engine() != "postgres" {
		return nil
	}
	for _, table := range []string{"workspace", "blob"} {
		if _, err := t.ExecContext(r.ctx, `SELECT setval(pg_get_serial_sequence('`+table+`', 'id'), COALESCE((SELECT MAX(id) FROM `+table+`), 0) + 1, false)`); err != nil {
			return err
		}
	}
	return nil
}

// verify checks that what was loaded is what was backed up.
func (r *restore) verify() error {
	for _, want := range r.out.Manifest.Workspaces {
		w, err := r.db.Workspace(r.ctx, want.Name)
		if err != nil {
			return badBackup("%w", err)
		}
		seq, hash, err := r.db.Head(r.ctx, w.ID)
		if err != nil {
			return err
		}
		if seq != want.Seq || hex.EncodeToString(hash[:]) != want.Hash {
			return badBackup("the log of %s ends with entry %d, and should end with %d", want.Name, seq, want.Seq)
		}
		report, err := r.db.VerifyLog(r.ctx, w.ID, VerifyOptions{})
		if err != nil {
			return err
		}
		if err := report.Err(); err != nil {
			return badBackup("%w", err)
		}
		r.out.Reports = append(r.out.Reports, report)
	}
	return nil
}

// undo empties the database again after a backup that was not intact.
func (r *restore) undo() error {
	ctx := context.WithoutCancel(r.ctx)
	return r.db.write(ctx, func(t *tx) error {
		for _, table := range append([]coreTable{{name: "blob_frame"}, {name: "space"}, {name: "river_job"}}, coreTables...) {
			if _, err := t.ExecContext(ctx, `DELETE FROM `+table.name); err != nil {
				return fmt.Errorf("undo restore: %s: %w", table.name, err)
			}
		}
		return nil
	})
}
