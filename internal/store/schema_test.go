package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

var update = flag.Bool("update", false, "write the goldens anew")

// TestEntryHashLayout holds decision 001 to its bytes: an entry written today
// must verify for ever.
func TestEntryHashLayout(t *testing.T) {
	e := &sinew.Entry{
		Seq: 2, At: time.UnixMicro(1_700_000_000_123_456).UTC(), Kind: sinew.EntrySnapshot, Actor: "p-ann",
		Digest: [32]byte{0xaa}, Prev: [32]byte{0xbb},
	}
	got, err := EntryHash("000102030405060708090a0b0c0d0e0f", e)
	if err != nil {
		t.Fatal(err)
	}
	// sha256 of: "sinew log v1\0", 00..0f, 0000000000000002, 00060a24181e4240,
	// 0008 "snapshot", 0005 "p-ann", aa00.., bb00..
	const want = "11fd9663ae72c66d0c61b4211ee6e329ea874316991475b93f17d5babc7f0809"
	if hex.EncodeToString(got[:]) != want {
		t.Errorf("hash %x, want %s", got, want)
	}
	if _, err := EntryHash("short", e); err == nil {
		t.Error("a bad uuid passes")
	}
}

// TestEveryColumnCounts fails when a column is added that neither a hash nor a
// backup knows of.
func TestEveryColumnCounts(t *testing.T) {
	db, _ := openTest(t, filepath.Join(t.TempDir(), "sinew.db"))
	known := map[string][]string{
		"migration":       nil, // says itself
		"lease":           nil, // of running processes
		"session":         nil, // of browsers, which a restore signs out
		"space":           nil, // which projection
		"blob_frame":      nil, // members of a backup of their own
		"finding_segment": nil, // what rows of finding say, in another form
		// The name is of the workspace; which projection is live is not backed up.
		"workspace": {"space"},
	}
	for _, table := range coreTables {
		known[table.name] = append(known[table.name], table.names()...)
	}
	for _, table := range historyTables {
		known[table.name] = append(strings.Fields(table.columns), "space")
	}
	rows, err := db.reader.QueryContext(t.Context(), `SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'river%' AND m.name NOT LIKE 'sqlite%'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	have := map[string]bool{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			t.Fatal(err)
		}
		columns, ok := known[table]
		have[table+"."+column] = true
		switch {
		case !ok:
			t.Errorf("table %s: put it into coreTables (backup.go) or historyTables (hash.go)", table)
			known[table] = nil
		case columns == nil, column == "gen_from", column == "gen_to":
		case !slices.Contains(columns, column):
			t.Errorf("column %s.%s: put it into coreTables (backup.go) or historyTables (hash.go)", table, column)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for table, columns := range known {
		for _, column := range columns {
			if !have[table+"."+column] {
				t.Errorf("there is no column %s.%s", table, column)
			}
		}
	}
}

// dumpTables are what a dump of a released version holds.
func dumpTables(t *testing.T, db *DB) []string {
	rows, err := db.reader.QueryContext(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'`)
	if db.Engine() == "postgres" {
		rows, err = db.reader.QueryContext(t.Context(), `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`)
	}
	if err != nil {
		t.Fatal(err)
	}
	names, err := scanColumn[string](rows)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// TestDumpsMigrate loads a dump of each schema version that was ever released
// and opens it: everything in it must be there and verify. A new migration
// leaves the dumps alone; a release adds one (-update writes the newest).
func TestDumpsMigrate(t *testing.T) {
	for _, engine := range engines {
		known, err := migrationsOf(engine.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range known {
			name := filepath.Join("testdata", "dumps", fmt.Sprintf("%04d-%s.sql.gz", m.version, engine.name))
			t.Run(filepath.Base(name), func(t *testing.T) {
				if *update && m.version == len(known) {
					writeDump(t, engine.name, engine.fresh, name)
				}
				text := readDump(t, name)
				dsn := engine.fresh(t)
				driver := map[string]string{"sqlite": "sqlite", "postgres": "pgx"}[engine.name]
				raw, err := sql.Open(driver, dsn)
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				if _, err := raw.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
				db, err := Open(t.Context(), dsn, Options{})
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				w, err := db.Workspace(t.Context(), "default")
				if err != nil {
					t.Fatal(err)
				}
				report, err := db.VerifyLog(t.Context(), w.ID, VerifyOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if err := report.Err(); err != nil || report.Entries < 4 || report.Blobs != 1 {
					t.Errorf("report %+v: %v", report, err)
				}
				list, _, err := db.Findings(t.Context(), System(w.ID), nil, Page{})
				if err != nil || len(list) != 10 {
					t.Errorf("%d findings, %v", len(list), err)
				}
				if _, err := db.Accept(t.Context(), System(w.ID), Accept{Kind: sinew.EntryRef, Payload: 1, Units: []int64{0}}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func readDump(t *testing.T, name string) string {
	f, err := os.Open(name)
	if err != nil {
		t.Fatalf("%v: go test ./internal/store -run TestDumpsMigrate -update writes it", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// writeDump writes the schema as the migration has it, River's as it is now, and
// a few rows of everything.
func writeDump(t *testing.T, engine string, fresh func(testing.TB) string, name string) {
	ctx := context.Background()
	dsn := fresh(t)
	db, w := openTest(t, dsn)
	blob, err := db.NewBlob(ctx, w.ID, BlobBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(blob, "one\ntwo\n"); err != nil {
		t.Fatal(err)
	}
	digest, _, err := blob.Commit()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Accept(ctx, System(w.ID), Accept{
		Kind: sinew.EntrySnapshot, Units: []int64{0}, Blobs: []BlobRef{{BlobBody, digest}}, Idempotency: "k",
		Payload: sinew.Snapshot{Schema: sinew.SnapshotSchema, Body: hex.EncodeToString(digest[:])},
	}); err != nil {
		t.Fatal(err)
	}
	p, err := db.CreatePrincipal(ctx, System(w.ID), NewPrincipal{Login: "ann", All: sinew.RoleAdmin, Grants: map[int64]sinew.Role{1: sinew.RoleViewer}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateToken(ctx, System(w.ID), NewToken{Principal: p.Pseudonym, Name: "ci", Role: sinew.RoleViewer, Expires: db.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	fill(t, db, w, 10)
	var out bytes.Buffer
	if engine == "postgres" {
		dumpPostgres(t, dsn, &out)
	} else {
		dumpSQLite(t, db, &out)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.WriteTo(z); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// dumpSQLite writes the schema and every row.
func dumpSQLite(t *testing.T, db *DB, out io.Writer) {
	rows, err := db.reader.QueryContext(t.Context(), `SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY type DESC, rowid`)
	if err != nil {
		t.Fatal(err)
	}
	statements, err := scanColumn[string](rows)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(statements, func(a, b string) int { // tables, then what is on them
		table := map[bool]int{true: 0, false: 1}
		return table[strings.HasPrefix(a, "CREATE TABLE")] - table[strings.HasPrefix(b, "CREATE TABLE")]
	})
	for _, s := range statements {
		fmt.Fprintf(out, "%s;\n", s)
	}
	for _, table := range dumpTables(t, db) {
		rows, err := db.reader.QueryContext(t.Context(), `SELECT name FROM pragma_table_info('`+table+`')`)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := scanColumn[string](rows)
		if err != nil {
			t.Fatal(err)
		}
		quoted := make([]string, len(columns))
		for i, c := range columns {
			quoted[i] = `quote("` + c + `")`
		}
		rows, err = db.reader.QueryContext(t.Context(), `SELECT `+strings.Join(quoted, `||','||`)+` FROM `+table)
		if err != nil {
			t.Fatal(err)
		}
		values, err := scanColumn[string](rows)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(out, "INSERT INTO %s VALUES (%s);\n", table, v)
		}
	}
}

// dumpPostgres asks pg_dump, which the server's package brings along.
func dumpPostgres(t *testing.T, dsn string, out io.Writer) {
	text, err := exec.CommandContext(t.Context(), "pg_dump", "--inserts", "--no-owner", "--no-privileges", dsn).Output()
	if err != nil {
		t.Fatalf("pg_dump: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, `\`) { // for psql
			io.WriteString(out, line)
		}
	}
}
