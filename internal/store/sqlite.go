package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the "sqlite" driver, free of cgo
)

const sqliteReaders = 4

// openSQLite opens one connection that writes, with a queue before it, and a
// small pool that cannot.
func (db *DB) openSQLite(ctx context.Context, path string) error {
	db.dialect = sqliteDialect
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	// Made by us and not by SQLite, so that it is ours alone; WAL and shared
	// memory take their mode from it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("create the database file: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	// page_size counts only before the first write, hence before WAL. The
	// automatic checkpoint comes every 32 MiB: each costs two fsyncs.
	if db.writer, err = openSQLitePool(path, "rwc", "immediate",
		"page_size(8192)", "journal_mode(wal)", "synchronous(full)", "cache_size(-24576)",
		"wal_autocheckpoint(4000)", "journal_size_limit(67108864)", "temp_store(1)"); err != nil {
		return err
	}
	db.writer.SetMaxOpenConns(1)
	db.writer.SetMaxIdleConns(1)
	if err := db.writer.PingContext(ctx); err != nil {
		return err
	}
	if db.reader, err = openSQLitePool(path, "ro", "deferred",
		"query_only(1)", "cache_size(-8192)", "temp_store(1)"); err != nil {
		return err
	}
	db.reader.SetMaxOpenConns(sqliteReaders)
	db.reader.SetMaxIdleConns(sqliteReaders)
	return db.reader.PingContext(ctx)
}

func openSQLitePool(path, mode, lock string, pragmas ...string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}
	u.RawQuery = url.Values{
		"mode": {mode}, "_txlock": {lock}, "_busy_timeout": {"10000"}, "_pragma": pragmas,
	}.Encode()
	return sql.Open("sqlite", u.String())
}
