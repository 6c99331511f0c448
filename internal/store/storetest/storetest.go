// Package storetest is the behaviour that both databases share. There are no
// skips in it: a feature is in the product when both engines pass.
package storetest

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the tests change rows behind the store's back
	_ "modernc.org/sqlite"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Run runs the suite; fresh gives the address of a new, empty database.
func Run(t *testing.T, fresh func(testing.TB) string) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, *env)
	}{
		{"open twice changes nothing", testReopen},
		{"newer schema is refused, the next one is not", testNewerSchema},
		{"altered migration is refused", testAlteredMigration},
		{"workspaces", testWorkspaces},

		{"log: entries form a chain", testChain},
		{"log: the clock may go back, the log does not", testClock},
		{"log: concurrent senders get one chain", testConcurrentAccept},
		{"log: idempotency", testIdempotency},
		{"log: roles", testAcceptRoles},
		{"log: accepting enqueues the projection", testJobs},
		{"log: any altered row is found", testTampering},
		{"log: checkpoints", testCheckpoint},

		{"blob: read back whole and by line", testBlobs},
		{"blob: same bytes are kept once", testBlobOnce},
		{"blob: what no entry names is swept", testSweep},
		{"blob: a killed writer leaves nothing that is seen", testKilledWriter},
		{"blob: retention", testRetention},

		{"lease: two handles, one holder", testLease},
		{"lease: dead and expired holders", testDeadHolder},

		{"access: principals", testPrincipals},
		{"access: the last administrator stays", testLastAdmin},
		{"access: tokens", testTokens},
		{"access: invitations", testInvites},
		{"access: sessions", testSessions},
		{"access: sign-in providers", testProviders},
		{"access: people of a provider", testFederated},

		{"read: nobody sees a foreign unit", testIsolation},
		{"read: findings by filter", testFilters},
		{"read: pages", testPages},
		{"read: cursors of others", testCursors},
		{"read: detail", testDetail},
		{"read: counts", testCounts},
		{"read: groups are what their filters find", testGroups},
		{"read: what was decided", testDecisions},
		{"issues: what is kept is what is counted", testIssuesCounted},
		{"issues: the work on one, and its history", testIssueWork},
		{"issues: a list", testIssueList},
		{"issues: what mends one", testIssueAdvice},
		{"read: coverage", testCoverage},
		{"read: the log is searched", testSearchLog},
		{"read: first steps", testOnboarding},
		{"views: who sees and who changes them", testViews},
		{"read: a generation is seen at once", testGenerations},

		{"hash: every table counts", testHashes},
		{"dump: a projection from a checkpoint", testDump},
		{"dump: old ones go, the newest stays", testOldDumps},
		{"backup: on either engine", testBackup},
		{"backup: what is cut off or altered is refused", testBadBackup},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.test(t, &env{T: t, dsn: fresh(t), fresh: fresh, clock: &clock{now: monday}})
		})
	}
}

var monday = time.Date(2026, 1, 5, 9, 0, 0, 123456000, time.UTC)

// clock is one that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// env is one test's database.
type env struct {
	*testing.T
	dsn   string
	fresh func(testing.TB) string
	clock *clock
	db    *store.DB
	ws    sinew.Workspace
	raw   *sql.DB
}

// open opens the database, with a workspace in it.
func (e *env) open() *store.DB {
	e.Helper()
	if e.db == nil {
		e.db = e.handle(e.dsn)
		var err error
		e.ws, err = e.db.CreateWorkspace(e.Context(), "default")
		e.ok(err)
	}
	return e.db
}

// handle opens a database once more, as another process would.
func (e *env) handle(dsn string) *store.DB {
	e.Helper()
	db, err := store.Open(context.Background(), dsn, store.Options{Now: e.clock.Now, Version: "test", Purpose: "test"})
	e.ok(err)
	e.Cleanup(func() {
		if err := db.Close(); err != nil {
			e.Errorf("close: %v", err)
		}
	})
	return db
}

func (e *env) admin() sinew.Reader { return store.System(e.ws.ID) }

func (e *env) ok(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// code fails unless err carries the code.
func (e *env) code(err error, want sinew.Code, doing string) {
	e.Helper()
	if err == nil || sinew.CodeOf(err) != want {
		e.Fatalf("%s: error %v, want code %s", doing, err, want)
	}
}

// exec changes rows behind the store's back.
func (e *env) exec(text string, args ...any) {
	e.Helper()
	e.ok(e.try(text, args...))
}

func (e *env) try(text string, args ...any) error {
	e.Helper()
	if e.raw == nil {
		driver, dsn := "sqlite", "file:"+e.dsn+"?_busy_timeout=10000"
		if strings.HasPrefix(e.dsn, "postgres") {
			driver, dsn = "pgx", e.dsn
		}
		var err error
		e.raw, err = sql.Open(driver, dsn)
		e.ok(err)
		e.Cleanup(func() { e.raw.Close() })
	}
	_, err := e.raw.ExecContext(e.Context(), text, args...)
	return err
}

// query reads one number behind the store's back.
func (e *env) query(text string, args ...any) (n int64) {
	e.Helper()
	e.ok(e.try(`SELECT 1`))
	e.ok(e.raw.QueryRowContext(e.Context(), text, args...).Scan(&n))
	return n
}

// blob writes one.
func (e *env) blob(kind store.BlobKind, text string) store.BlobRef {
	e.Helper()
	w, err := e.db.NewBlob(e.Context(), e.ws.ID, kind)
	e.ok(err)
	_, err = w.Write([]byte(text))
	e.ok(err)
	digest, _, err := w.Commit()
	e.ok(err)
	return store.BlobRef{Kind: kind, Digest: digest}
}

func testReopen(t *testing.T, e *env) {
	e.open()
	e.exec(`CREATE TABLE mine (n BIGINT)`)
	e.handle(e.dsn)
	if n := e.query(`SELECT COUNT(*) FROM migration`); n != 1 {
		t.Errorf("%d migrations, want 1", n)
	}
}

// TRU3: binary N runs on schema N and N+1.
func testNewerSchema(t *testing.T, e *env) {
	e.open()
	e.exec(`INSERT INTO migration (version, name, checksum, applied_at) VALUES (2, '0002_next.sql', 'x', 0)`)
	db, err := store.Open(t.Context(), e.dsn, store.Options{})
	e.ok(err)
	e.ok(db.Close())
	e.exec(`INSERT INTO migration (version, name, checksum, applied_at) VALUES (3, '0003_after.sql', 'x', 0)`)
	_, err = store.Open(t.Context(), e.dsn, store.Options{})
	e.code(err, sinew.CodeConflict, "open a schema two versions ahead")
}

func testAlteredMigration(t *testing.T, e *env) {
	e.open()
	e.exec(`UPDATE migration SET checksum = 'another'`)
	_, err := store.Open(t.Context(), e.dsn, store.Options{})
	e.code(err, sinew.CodeConflict, "open a database of another build")
}

func testWorkspaces(t *testing.T, e *env) {
	db := e.open()
	_, err := db.CreateWorkspace(t.Context(), "default")
	e.code(err, sinew.CodeConflict, "create a second workspace of that name")
	_, err = db.CreateWorkspace(t.Context(), "")
	e.code(err, sinew.CodeInvalid, "create a workspace without name")
	_, err = db.Workspace(t.Context(), "elsewhere")
	e.code(err, sinew.CodeNotFound, "find a workspace that is not there")
	demo, err := db.CreateWorkspace(t.Context(), "demo")
	e.ok(err)
	list, err := db.Workspaces(t.Context())
	e.ok(err)
	if len(list) != 2 || list[0] != e.ws || list[1] != demo || demo.UUID == e.ws.UUID || len(demo.UUID) != 32 {
		t.Errorf("workspaces %+v", list)
	}
	space, err := db.LiveSpace(t.Context(), demo.ID)
	e.ok(err)
	if space.Workspace != demo.ID || space.State != "live" || space.LiveGen != 0 || space.ProjectedSeq != 0 {
		t.Errorf("space %+v", space)
	}
	behind, err := db.Behind(t.Context())
	e.ok(err)
	if len(behind) != 2 {
		t.Errorf("behind %v: the genesis entries are not projected yet", behind)
	}
}
