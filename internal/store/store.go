// Package store keeps everything that outlives a process: the log, its blobs,
// who may do what, the lease, jobs, and the projections that are built from the
// log. It is the only package that speaks SQL. It refuses to decide anything:
// what an observation is the same as, and which state follows, comes from above.
//
// There is one set of queries. Both engines accept $1 placeholders, ON CONFLICT
// and RETURNING; where they differ, the difference is a migration file or a
// field of dialect, and package storetest holds both to the same behaviour.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Options says how a database is opened. The zero value is usable.
type Options struct {
	Now     func() time.Time // the clock; nil for the real one
	Version string           // of the product, recorded in the genesis entry
	Purpose string           // what this process does, named to others that want the lease: "server", "import"
	Logger  *slog.Logger     // of the jobs; nil discards
}

// DB is an open database, migrated to the current schema. It is safe for
// concurrent use.
type DB struct {
	writer *sql.DB // SQLite: one connection, and its queue
	reader *sql.DB // SQLite: a read-only pool; PostgreSQL: the same as writer
	pool   *pgxpool.Pool
	river  *river.Client[*sql.Tx] // inserts only

	dialect dialect
	options Options
	now     func() time.Time

	inserts    inserts
	projecting sync.Map // workspace -> *sync.Mutex: one projection of a workspace at a time in this process
}

// Open opens the database at dsn, a postgres:// URL or the path of a SQLite
// file that is made when it is missing, and applies the migrations it lacks.
func Open(ctx context.Context, dsn string, options Options) (*DB, error) {
	db := &DB{options: options, now: options.Now}
	if db.now == nil {
		db.now = time.Now
	}
	if db.options.Logger == nil {
		db.options.Logger = slog.New(slog.DiscardHandler)
	}
	open := db.openSQLite
	if isPostgres(dsn) {
		open = db.openPostgres
	}
	if err := open(ctx, dsn); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.Close())
	}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate database: %w", err), db.Close())
	}
	if err := db.openJobs(); err != nil {
		return nil, errors.Join(fmt.Errorf("open jobs: %w", err), db.Close())
	}
	return db, nil
}

func isPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Engine reports "sqlite" or "postgres".
func (db *DB) Engine() string { return db.dialect.engine }

// Now reports the time by the database's clock, in UTC and microseconds.
func (db *DB) Now() time.Time { return db.now().UTC().Truncate(time.Microsecond) }

// Close closes the database.
func (db *DB) Close() error {
	errs := []error{db.inserts.Close()}
	if db.reader != nil && db.reader != db.writer {
		errs = append(errs, db.reader.Close())
	}
	if db.writer != nil {
		errs = append(errs, db.writer.Close())
	}
	if db.pool != nil {
		db.pool.Close()
	}
	return errors.Join(errs...)
}

// tx is a transaction. Reading ones see one moment of the database.
type tx struct {
	*sql.Tx
	db   *DB
	conn *sql.Conn // the connection below, for bulk rows; nil when reading
}

// write runs fn in a transaction that may write, and commits when fn returns
// nil. On SQLite it waits for the one writer connection; fn must be short.
func (db *DB) write(ctx context.Context, fn func(*tx) error) error {
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	raw, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", db.dialect.explain(err))
	}
	defer raw.Rollback()
	t := &tx{Tx: raw, db: db, conn: conn}
	if err := fn(t); err != nil {
		return err
	}
	if err := t.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// read runs fn in a read-only transaction that sees one moment.
func (db *DB) read(ctx context.Context, fn func(*tx) error) error {
	raw, err := db.reader.BeginTx(ctx, db.dialect.readTx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer raw.Rollback()
	return fn(&tx{Tx: raw, db: db})
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// notFound turns the absence of a row into an error for people.
func notFound(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return sinew.Errorf(sinew.CodeNotFound, format, args...)
	}
	return err
}
