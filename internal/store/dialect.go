package store

import (
	"database/sql"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/sinewsec/sinew/internal/sinew"
)

// dialect is what differs between the engines.
type dialect struct {
	engine    string
	copies    bool           // bulk rows go by COPY, else by multi-row VALUES
	readTx    *sql.TxOptions // a transaction that reads one moment
	forUpdate string         // after a SELECT whose row we are going to change
	forShare  string         // after a SELECT whose row must not change until we commit
	binary    string         // after a text expression that is compared or ordered by its bytes
	like      string         // operator of a match that ignores the case of ASCII letters
	jobArg    string         // expression: the workspace of a project job, as an integer
}

var sqliteDialect = dialect{
	engine: "sqlite",
	readTx: &sql.TxOptions{ReadOnly: true},
	like:   "LIKE",
	jobArg: `json_extract(args, '$.workspace')`,
}

var postgresDialect = dialect{
	engine:    "postgres",
	copies:    true,
	readTx:    &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	forUpdate: " FOR UPDATE",
	forShare:  " FOR SHARE",
	binary:    ` COLLATE "C"`,
	like:      `COLLATE "C" ILIKE`,
	jobArg:    `(args->>'workspace')::bigint`,
}

// explain gives the errors that a user can do something about their next step.
func (d dialect) explain(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok && e.Code()&0xff == 5 {
		return sinew.Errorf(sinew.CodeUnavailable, "another process is writing to the database: %w", err).
			Hint("try again, or send the command to the running server with --server")
	}
	return err
}

// duplicate reports whether err says that a unique key is taken.
func (d dialect) duplicate(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == 2067 || e.Code() == 1555 // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "23505"
}

// query builds a statement whose values are always arguments.
type query struct {
	text strings.Builder
	args []any
}

// add appends text in which every ? stands for the next of args.
func (q *query) add(text string, args ...any) *query {
	for _, arg := range args {
		before, after, _ := strings.Cut(text, "?")
		q.text.WriteString(before)
		q.args = append(q.args, arg)
		q.text.WriteByte('$')
		q.text.WriteString(strconv.Itoa(len(q.args)))
		text = after
	}
	q.text.WriteString(text)
	return q
}

// in appends "expr IN (...)", which is never true for no values.
func in[T any](q *query, expr string, values []T) {
	if len(values) == 0 {
		q.add("1 = 0")
		return
	}
	q.add(expr + " IN (")
	for i, v := range values {
		if i > 0 {
			q.add(", ")
		}
		q.add("?", v)
	}
	q.add(")")
}

func (q *query) String() string { return q.text.String() }
