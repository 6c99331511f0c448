package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgres opens one pool, which database/sql shares with the workers.
func (db *DB) openPostgres(ctx context.Context, dsn string) error {
	db.dialect = postgresDialect
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("read the database's URL: %w", err)
	}
	if config.MaxConns < 12 {
		config.MaxConns = 12 // readers, the projector, and two of the job workers
	}
	config.ConnConfig.RuntimeParams["application_name"] = "sinew"
	config.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// A plan made for any ids reads the whole table for a handful of them, and
	// compiling a plan takes longer than any of our queries may.
	config.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	config.ConnConfig.RuntimeParams["jit"] = "off"
	if db.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	if err := db.pool.Ping(ctx); err != nil {
		return err
	}
	db.writer = stdlib.OpenDBFromPool(db.pool)
	db.reader = db.writer
	return nil
}
