package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/sinewsec/sinew/internal/pgtest"
)

// TestURL checks that two tests never see each other's tables, and that a
// connection left open doesn't keep the database from being dropped.
func TestURL(t *testing.T) {
	for _, name := range []string{"first", "second"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := pgx.Connect(t.Context(), pgtest.URL(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), "CREATE TABLE only_here (n BIGINT)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestCollation keeps the server's order of text different from that of bytes,
// so that a missing COLLATE "C" shows in a test and not at a customer's.
func TestCollation(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), pgtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var byteOrder bool
	if err := conn.QueryRow(t.Context(), "SELECT 'B' < 'a'").Scan(&byteOrder); err != nil {
		t.Fatal(err)
	}
	if byteOrder {
		t.Error("this server sorts text as bytes: point SINEW_TEST_POSTGRES to a database with a linguistic collation, or unset it")
	}
}
