package store

import (
	"archive/tar"
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A backup is a tar.zst. Its members, in this order:
//
//	manifest.json          Manifest
//	file/NAME              further files: the key
//	TABLE/000000.ndjson    rows of a core table, one JSON array a line, up to a few MiB each
//	frame/BLOB/N           one blob frame as it is stored
//	end.json               how many rows and frames there are: the proof that nothing was cut off
//
// Bytes in rows are base64. Projections are left out: a restore builds them
// again from the log.

// BackupSchema is the version of the backup contract written today.
const BackupSchema = "backup/v1"

// Manifest is what a backup says of itself before anything else.
type Manifest struct {
	Schema     string            `json:"schema"`
	Created    time.Time         `json:"created"`
	Version    string            `json:"version"`    // of the product
	Engine     string            `json:"engine"`     // that it was made on; it restores on either
	Migrations int               `json:"migrations"` // schema version
	Workspaces []BackedUp        `json:"workspaces"`
	Columns    map[string]string `json:"columns"` // of each table
	Files      []string          `json:"files"`
}

// BackedUp is one workspace in a backup.
type BackedUp struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
	Seq  int64  `json:"seq"`  // newest entry
	Hash string `json:"hash"` // of that entry
}

type backupEnd struct {
	Rows   map[string]int64 `json:"rows"`
	Frames int64            `json:"frames"`
}

// coreTable is a table that a backup holds. Columns of kind b are bytes, i
// integers, t text; ? after the kind allows null.
type coreTable struct {
	name, columns, order string
}

var coreTables = []coreTable{
	{"workspace", `id:i uuid:t name:t created_at:i`, `id`},
	{"log", `workspace_id:i seq:i at:i kind:t actor:t digest:b prev:b hash:b`, `workspace_id, seq`},
	{"log_payload", `workspace_id:i seq:i payload:b`, `workspace_id, seq`},
	{"blob", `id:i workspace_id:i kind:t digest:b size:i lines:i created_at:i complete:i named_at:i deleted_seq:i`, `id`},
	{"principal", `workspace_id:i pseudonym:t login:t name:t email:t password_hash:t role_all:t disabled_at:i created_at:i`, `workspace_id, pseudonym COLLATE`},
	{"access_grant", `workspace_id:i pseudonym:t unit_id:i role:t`, `workspace_id, pseudonym COLLATE, unit_id`},
	{"token", `workspace_id:i id:i pseudonym:t name:t hash:b role:t units:t created_at:i expires_at:i used_at:i revoked_at:i`, `workspace_id, id`},
	{"provider", `workspace_id:i id:t name:t issuer:t client_id:t secret:b scopes:t groups_claim:t login_claim:t mappings:t default_role:t enabled:i created_at:i updated_at:i`, `workspace_id, id COLLATE`},
	{"identity", `workspace_id:i issuer:t subject:t pseudonym:t login:t member_of:t created_at:i seen_at:i`, `workspace_id, issuer COLLATE, subject COLLATE`},
	{"group_grant", `workspace_id:i pseudonym:t unit_id:i role:t`, `workspace_id, pseudonym COLLATE, unit_id`},
	{"invite", `hash:b workspace_id:i role:t created_at:i expires_at:i used_at:i`, `workspace_id, created_at, hash`},
	{"idempotency", `workspace_id:i principal:t key:t request:b seq:i created_at:i`, `workspace_id, principal COLLATE, key COLLATE`},
	{"saved_view", `workspace_id:i id:i owner:t scope:t unit_id:i name:t filter:t tab:t sort:t columns:t grouping:t updated_at:i`, `workspace_id, id`},
	{"retention", `workspace_id:i kind:t days:i`, `workspace_id, kind COLLATE`},
}

// names gives the columns without their kinds.
func (c coreTable) names() []string {
	var names []string
	for column := range strings.FieldsSeq(c.columns) {
		name, _, _ := strings.Cut(column, ":")
		names = append(names, name)
	}
	return names
}

func (c coreTable) kinds() (kinds []byte) {
	for column := range strings.FieldsSeq(c.columns) {
		kinds = append(kinds, column[len(column)-1])
	}
	return kinds
}

const backupChunk = 4 << 20

// Backup writes everything that cannot be built again, as of one moment, while
// others go on. files are put in beside it by name: the key file. On SQLite the
// WAL cannot be cut back while a backup runs, so the file grows by what is
// written meanwhile.
func (db *DB) Backup(ctx context.Context, w io.Writer, files map[string][]byte) (*Manifest, error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	b := &backup{db: db, tar: tar.NewWriter(z), end: backupEnd{Rows: map[string]int64{}}}
	err = db.scan(ctx, func(s *rawScan) error { return b.write(ctx, s, files) })
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := b.tar.Close(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	return &b.manifest, nil
}

type backup struct {
	db       *DB
	tar      *tar.Writer
	manifest Manifest
	end      backupEnd
}

func (b *backup) write(ctx context.Context, s *rawScan, files map[string][]byte) error {
	if err := b.begin(ctx, s, files); err != nil {
		return err
	}
	for _, name := range b.manifest.Files {
		if err := b.member("file/"+name, files[name]); err != nil {
			return err
		}
	}
	for _, table := range coreTables {
		if err := b.table(ctx, s, table); err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	// Frames of blobs that are not complete, or deleted, would be swept.
	err := s.each(ctx, `SELECT f.blob_id, f.n, f.first_line, f.data FROM blob_frame f JOIN blob b ON b.id = f.blob_id
		WHERE b.complete = 1 AND b.deleted_seq IS NULL ORDER BY f.blob_id, f.n`, nil, func(values []driver.Value) error {
		data, ok := values[3].([]byte)
		if !ok {
			return fmt.Errorf("a frame is a %T", values[3])
		}
		b.end.Frames++
		return b.member(fmt.Sprintf("frame/%d/%d/%d", values[0], values[1], values[2]), data)
	})
	if err != nil {
		return fmt.Errorf("blob_frame: %w", err)
	}
	return b.json("end.json", b.end)
}

// begin writes the manifest.
func (b *backup) begin(ctx context.Context, s *rawScan, files map[string][]byte) error {
	known, err := migrationsOf(b.db.Engine())
	if err != nil {
		return err
	}
	b.manifest = Manifest{
		Schema: BackupSchema, Created: b.db.Now(), Version: b.db.options.Version, Engine: b.db.Engine(), Migrations: len(known),
		Columns: map[string]string{}, Files: slices.Sorted(maps.Keys(files)),
	}
	for _, table := range coreTables {
		b.manifest.Columns[table.name] = table.columns
	}
	err = s.each(ctx, `SELECT w.name, w.uuid, l.seq, l.hash FROM workspace w JOIN log l ON l.workspace_id = w.id
		WHERE l.seq = (SELECT MAX(m.seq) FROM log m WHERE m.workspace_id = w.id) ORDER BY w.id`, nil, func(values []driver.Value) error {
		var w BackedUp
		w.Name, _ = values[0].(string)
		w.UUID, _ = values[1].(string)
		w.Seq, _ = values[2].(int64)
		hash, _ := values[3].([]byte)
		w.Hash = hex.EncodeToString(hash)
		b.manifest.Workspaces = append(b.manifest.Workspaces, w)
		return nil
	})
	if err != nil {
		return err
	}
	return b.json("manifest.json", b.manifest)
}

func (b *backup) table(ctx context.Context, s *rawScan, table coreTable) error {
	var buf bytes.Buffer
	part := 0
	flush := func() error {
		if buf.Len() == 0 {
			return nil
		}
		err := b.member(fmt.Sprintf("%s/%06d.ndjson", table.name, part), buf.Bytes())
		part++
		buf.Reset()
		return err
	}
	kinds := table.kinds()
	text := `SELECT ` + strings.Join(table.names(), ", ") + ` FROM ` + table.name + ` ORDER BY ` + strings.ReplaceAll(table.order, " COLLATE", b.db.dialect.binary)
	err := s.each(ctx, text, nil, func(values []driver.Value) error {
		b.end.Rows[table.name]++
		row := make([]any, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case nil, int64:
				row[i] = v
			case string:
				row[i] = v
			case []byte:
				row[i] = base64.StdEncoding.EncodeToString(v)
			default:
				return fmt.Errorf("column %d is a %T, not of kind %c", i+1, v, kinds[i])
			}
		}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		buf.Write(append(line, '\n'))
		if buf.Len() < backupChunk {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

func (b *backup) json(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return b.member(name, data)
}

func (b *backup) member(name string, data []byte) error {
	if err := b.tar.WriteHeader(&tar.Header{Name: name, Size: int64(len(data)), Mode: 0o600, ModTime: b.manifest.Created, Format: tar.FormatPAX}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := b.tar.Write(data); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
