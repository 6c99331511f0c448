package storetest

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func testLease(t *testing.T, e *env) {
	a, b := e.open(), e.handle(e.dsn)
	first, err := a.AcquireLease(t.Context(), e.ws.ID, "import of report.sarif")
	e.ok(err)
	_, err = b.AcquireLease(t.Context(), e.ws.ID, "second")
	e.code(err, sinew.CodeConflict, "take a lease that is held")
	if !errors.Is(err, store.ErrLeased) || !strings.Contains(err.Error(), "import of report.sarif") || !strings.Contains(err.Error(), "--server") {
		t.Errorf("error %q names neither holder nor next step", err)
	}
	holder, err := b.LeaseHolder(t.Context(), e.ws.ID)
	e.ok(err)
	if !strings.Contains(holder, "import of report.sarif") {
		t.Errorf("holder %q", holder)
	}
	// Another workspace is another lease.
	demo, err := a.CreateWorkspace(t.Context(), "demo")
	e.ok(err)
	other, err := b.AcquireLease(t.Context(), demo.ID, "second")
	e.ok(err)
	e.ok(other.Release(t.Context()))

	// The holder sleeps; somebody else takes over; the holder loses.
	space, err := a.LiveSpace(t.Context(), e.ws.ID)
	e.ok(err)
	stage, err := a.BeginStage(t.Context(), first, e.ws.ID, space.ID)
	e.ok(err)
	e.clock.move(14 * time.Second)
	e.ok(first.Renew(t.Context()))
	e.clock.move(14 * time.Second)
	_, err = b.AcquireLease(t.Context(), e.ws.ID, "second")
	e.code(err, sinew.CodeConflict, "take a lease that was renewed")
	e.clock.move(2 * time.Second)
	second, err := b.AcquireLease(t.Context(), e.ws.ID, "second")
	e.ok(err)
	if second.Fence <= first.Fence {
		t.Errorf("fence %d after %d", second.Fence, first.Fence)
	}
	for doing, err := range map[string]error{
		"renew": first.Renew(t.Context()),
		"skip":  a.SkipTo(t.Context(), first, space.ID, 1),
		"flip":  flipOnly(t, stage),
	} {
		if !errors.Is(err, store.ErrFenced) {
			t.Errorf("%s by the loser: %v, want ErrFenced", doing, err)
		}
	}
	e.ok(first.Release(t.Context())) // no harm
	e.ok(b.SkipTo(t.Context(), second, space.ID, 1))
	e.ok(second.Release(t.Context()))
	third, err := a.AcquireLease(t.Context(), e.ws.ID, "third")
	e.ok(err)
	if third.Fence <= second.Fence {
		t.Errorf("fence %d after %d", third.Fence, second.Fence)
	}
	if err := second.Renew(t.Context()); !errors.Is(err, store.ErrFenced) {
		t.Errorf("renew a released lease: %v", err)
	}
	held, stop := third.Keep(t.Context())
	if held.Err() != nil {
		t.Error("the lease was just taken")
	}
	stop()
	e.ok(third.Release(t.Context()))
	// Releasing with nothing left to project leaves no wake-ups behind.
	if n := e.query(`SELECT COUNT(*) FROM river_job`); n != 0 {
		t.Errorf("%d jobs", n)
	}
}

func flipOnly(t *testing.T, s *store.Stage) error {
	_, err := s.Flip(t.Context(), store.Flip{Projected: 1})
	return err
}

func testDeadHolder(t *testing.T, e *env) {
	db := e.open()
	lease, err := db.AcquireLease(t.Context(), e.ws.ID, "killed")
	e.ok(err)
	// The row is that of a process of this machine that is no more: of a number
	// that was never given, and of one that was given to another process.
	for _, pid := range []int{1 << 30, os.Getppid()} {
		e.exec(`UPDATE lease SET pid = $1`, pid)
		next, err := db.AcquireLease(t.Context(), e.ws.ID, "next")
		e.ok(err)
		if next.Fence != lease.Fence+1 {
			t.Errorf("fence %d after %d", next.Fence, lease.Fence)
		}
		lease = next
	}
	// Of another machine we know nothing.
	e.exec(`UPDATE lease SET host = 'elsewhere', pid = $1`, 1<<30)
	_, err = db.AcquireLease(t.Context(), e.ws.ID, "next")
	e.code(err, sinew.CodeConflict, "take the lease of another machine")
	e.clock.move(16 * time.Second)
	_, err = db.AcquireLease(t.Context(), e.ws.ID, "next")
	e.ok(err)
}
