package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/sinewsec/sinew/internal/sinew"
)

//go:embed migrations
var migrations embed.FS

// migration is one numbered file, the same number and name on both engines.
type migration struct {
	version  int
	name     string
	text     string
	checksum string
}

func migrationsOf(engine string) ([]migration, error) {
	files, err := fs.Glob(migrations, "migrations/"+engine+"/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	list := make([]migration, 0, len(files))
	for i, file := range files {
		text, err := migrations.ReadFile(file)
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(path.Base(file), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != i+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", file, i+1)
		}
		sum := sha256.Sum256(text)
		list = append(list, migration{version, path.Base(file), string(text), hex.EncodeToString(sum[:])})
	}
	return list, nil
}

// migrate applies the migrations that the database lacks. A binary that knows
// schema N also runs on N+1, so that replicas can be upgraded one by one.
func (db *DB) migrate(ctx context.Context) error {
	known, err := migrationsOf(db.Engine())
	if err != nil {
		return err
	}
	jobs, err := db.jobsMigrator()
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	// Read first: a process that only wants to read needs no lock.
	if applied, err := db.applied(ctx, db.reader); err == nil {
		todo, err := compareMigrations(known, applied)
		if err != nil || (len(todo) == 0 && jobsCurrent(ctx, db.reader, jobs)) {
			return err
		}
	}
	if db.Engine() == "postgres" {
		// River adds a word to a type and uses it, which PostgreSQL allows only
		// in two transactions. The lock keeps a second process waiting.
		conn, err := db.writer.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
			return err
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock) //nolint:errcheck // the connection's end unlocks too
		if _, err := jobs.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
	}
	return db.write(ctx, func(t *tx) error {
		if db.Engine() == "sqlite" {
			//nolint:staticcheck // SQLite's can all share one, and that keeps a second process out
			if _, err := jobs.MigrateTx(ctx, t.Tx, rivermigrate.DirectionUp, nil); err != nil {
				return fmt.Errorf("jobs: %w", err)
			}
		}
		if _, err := t.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migration (
			version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`); err != nil {
			return err
		}
		applied, err := db.applied(ctx, t)
		if err != nil {
			return err
		}
		todo, err := compareMigrations(known, applied)
		if err != nil {
			return err
		}
		for _, m := range todo {
			if _, err := t.ExecContext(ctx, m.text); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			if _, err := t.ExecContext(ctx, `INSERT INTO migration (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`,
				m.version, m.name, m.checksum, micros(db.Now())); err != nil {
				return err
			}
		}
		return nil
	})
}

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (db *DB) applied(ctx context.Context, from queryer) (list []migration, err error) {
	rows, err := from.QueryContext(ctx, `SELECT version, name, checksum FROM migration ORDER BY version`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.version, &m.name, &m.checksum); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, rows.Err()
}

// compareMigrations says which of the known ones are still to be applied.
func compareMigrations(known, applied []migration) (todo []migration, err error) {
	for i, m := range applied {
		switch {
		case m.version != i+1:
			return nil, fmt.Errorf("the database lacks migration %d and has %d", i+1, m.version)
		case i > len(known):
			return nil, sinew.Errorf(sinew.CodeConflict, "the database has schema version %d and this sinew knows %d",
				applied[len(applied)-1].version, len(known)).Hint("install the newer release that made it")
		case i < len(known) && m.checksum != known[i].checksum:
			return nil, sinew.Errorf(sinew.CodeConflict, "migration %s of the database is not the one that this sinew knows", m.name).
				Hint("the database was made by another build; restore a backup of it into a new one")
		}
	}
	if len(applied) >= len(known) {
		return nil, nil
	}
	return slices.Clone(known[len(applied):]), nil
}

// migrationLock is a number of ours for PostgreSQL's advisory locks.
const migrationLock = 7308604894

// jobsMigrator brings River's own tables up to date.
func (db *DB) jobsMigrator() (*rivermigrate.Migrator[*sql.Tx], error) {
	var driver riverdriver.Driver[*sql.Tx] = riversqlite.New(db.writer)
	if db.Engine() == "postgres" {
		driver = riverdatabasesql.New(db.writer)
	}
	return rivermigrate.New(driver, &rivermigrate.Config{Logger: db.options.Logger})
}

func jobsCurrent(ctx context.Context, from queryer, jobs *rivermigrate.Migrator[*sql.Tx]) bool {
	all := jobs.AllVersions()
	var version int
	err := from.QueryRowContext(ctx, `SELECT MAX(version) FROM river_migration`).Scan(&version)
	return err == nil && version >= all[len(all)-1].Version
}
