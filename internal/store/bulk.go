package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// bulkRows is how many rows one INSERT carries on SQLite: more gain nothing.
const bulkRows = 64

// bulkInsert inserts rows into table. values holds the rows one after another,
// len(columns) values each; an element is nil, int64, string or []byte. On
// PostgreSQL it is one COPY, on SQLite statements of bulkRows rows.
func bulkInsert(ctx context.Context, t *tx, table string, columns []string, values []any) error {
	if len(values)%len(columns) != 0 {
		return fmt.Errorf("insert into %s: %d values for %d columns", table, len(values), len(columns))
	}
	if len(values) == 0 {
		return nil
	}
	insert := t.insertRows
	if t.db.dialect.copies {
		insert = t.copyRows
	}
	if err := insert(ctx, table, columns, values); err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	return nil
}

func (t *tx) copyRows(ctx context.Context, table string, columns []string, values []any) error {
	source := &flatRows{values: values, width: len(columns)}
	return t.conn.Raw(func(driverConn any) error {
		_, err := driverConn.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, source)
		return err
	})
}

// flatRows is a pgx.CopyFromSource.
type flatRows struct {
	values []any
	width  int
	next   int
}

func (f *flatRows) Next() bool {
	f.next += f.width
	return f.next <= len(f.values)
}

func (f *flatRows) Values() ([]any, error) { return f.values[f.next-f.width : f.next], nil }
func (f *flatRows) Err() error             { return nil }

// inserts are the prepared multi-row INSERTs of SQLite's one writer connection.
// They go around database/sql, which would convert and copy each of the
// thousands of arguments. Only the holder of that connection touches them.
type inserts struct {
	conn driver.Conn // what they were prepared on
	full map[string]driver.Stmt
	args []driver.NamedValue
}

func (c *inserts) Close() (err error) {
	for _, stmt := range c.full {
		err = errors.Join(err, stmt.Close())
	}
	c.conn, c.full = nil, nil
	return err
}

func (t *tx) insertRows(ctx context.Context, table string, columns []string, values []any) error {
	cache := &t.db.inserts
	return t.conn.Raw(func(driverConn any) error {
		conn := driverConn.(driver.Conn)
		if cache.conn != conn {
			*cache = inserts{conn: conn, full: map[string]driver.Stmt{}, args: cache.args}
		}
		for chunk := bulkRows * len(columns); len(values) > 0; {
			n := min(chunk, len(values))
			if err := cache.exec(ctx, table, columns, values[:n]); err != nil {
				return err
			}
			values = values[n:]
		}
		return nil
	})
}

func (c *inserts) exec(ctx context.Context, table string, columns []string, values []any) error {
	rows := len(values) / len(columns)
	row := "(" + strings.TrimSuffix(strings.Repeat("?,", len(columns)), ",") + ")"
	text := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " +
		strings.TrimSuffix(strings.Repeat(row+",", rows), ",")
	stmt, ok := c.full[text]
	if !ok {
		var err error
		if stmt, err = c.conn.(driver.ConnPrepareContext).PrepareContext(ctx, text); err != nil {
			return err
		}
		if rows == bulkRows {
			c.full[text] = stmt // compiling it costs a millisecond
		} else {
			defer stmt.Close()
		}
	}
	c.args = c.args[:0]
	for i, v := range values {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	_, err := stmt.(driver.StmtExecContext).ExecContext(ctx, c.args)
	return err
}
