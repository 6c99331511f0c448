package pipeline

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

var errKilled = errors.New("killed")

// TestCrash stops the work at every point between two transactions, as if the
// process had died, and goes on in a new one: nothing accepted is lost, nothing
// is applied twice, and what comes out is what comes out undisturbed (TRU3).
func TestCrash(t *testing.T) {
	t.Parallel()
	points := []string{"matched", "assignment written", "staged", "before flip", "after flip"}
	engines(t, func(t *testing.T, open func() *house) {
		seed := rand.Uint64()
		t.Logf("seed=%d", seed)
		facts := history(rand.New(rand.NewPCG(seed, 2)), 8)
		want := open()
		want.now = minute(10_000)
		for _, f := range facts {
			want.tell(f)
			want.project()
		}
		wantState, _ := want.hashes()
		for _, point := range points {
			t.Run(point, func(t *testing.T) {
				h := open()
				h.now = minute(10_000)
				for _, f := range facts {
					h.tell(f)
					armed := true
					h.fail = func(at string) error {
						if at == point && armed {
							armed = false
							return errKilled
						}
						return nil
					}
					if err := h.p.Project(t.Context(), h.ws.ID); err != nil && !errors.Is(err, errKilled) {
						t.Fatal(err)
					}
					h.reopen()
					h.project()
				}
				state, hist := h.hashes()
				if state != wantState {
					t.Errorf("after the kills the state is\n%s\nwithout\n%s", h.states(), want.states())
				}
				h.fail = nil
				r, err := h.p.Rebuild(t.Context(), h.ws.ID)
				if err != nil {
					t.Fatal(err)
				}
				if !r.Equal || r.Before != hist {
					t.Errorf("rebuild: %+v", r)
				}
				h.once()
				h.verified()
			})
		}
	})
}

// once checks that every snapshot has exactly one outcome that belongs to it.
func (h *house) once() {
	h.Helper()
	after := map[int64]int{}
	var snapshots []int64
	for e, err := range h.db.Entries(h.Context(), h.ws.ID, 1) {
		if err != nil {
			h.Fatal(err)
		}
		switch e.Kind {
		case sinew.EntryOutcome:
			o, err := payload[Outcome](e)
			if err != nil {
				h.Fatal(err)
			}
			after[o.After]++
		case sinew.EntrySnapshot:
			snapshots = append(snapshots, e.Seq)
		default:
		}
	}
	for _, seq := range snapshots {
		if after[seq] != 1 {
			h.Errorf("snapshot %d has %d outcomes", seq, after[seq])
		}
	}
}

func (h *house) verified() {
	h.Helper()
	rep, err := h.db.VerifyLog(h.Context(), h.ws.ID, store.VerifyOptions{})
	if err != nil {
		h.Fatal(err)
	}
	if len(rep.Problems) > 0 {
		h.Errorf("the log does not verify: %+v", rep.Problems)
	}
}

// TestCrashRebuild kills a rebuild before the swap: the live projection stays,
// and the next rebuild clears up.
func TestCrashRebuild(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		s := snapshotOf("semgrep", "shop", "main")
		h.send(report{s, body(code("A", "a.go", 1))}, ImportOptions{})
		before, hist := h.hashes()
		h.fail = func(at string) error {
			if at == "before swap" {
				return errKilled
			}
			return nil
		}
		if _, err := h.p.Rebuild(t.Context(), h.ws.ID); !errors.Is(err, errKilled) {
			t.Fatalf("rebuild: %v", err)
		}
		h.fail = nil
		h.reopen()
		if s2, h2 := h.hashes(); s2 != before || h2 != hist {
			t.Error("a rebuild that was killed changed the live projection")
		}
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal || !r.Swapped {
			t.Errorf("rebuild: %+v %v", r, err)
		}
	})
}

// TestTwoProcesses has two pipelines on one database project at the same time:
// one of them does, and each entry once.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		other := &house{TB: t, dsn: h.dsn, now: h.now, ws: h.ws, r: h.r}
		other.open()
		t.Cleanup(func() { other.db.Close() })
		s := snapshotOf("semgrep", "shop", "main")
		s.Coverage = covered
		for i := range 6 {
			rep := report{s, body(code("A", "a.go", 1), code("B", "b.go", i))}
			a := h.accept(rep, ImportOptions{})
			other.now = h.now
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for n, p := range []*Pipeline{h.p, other.p} {
				wg.Go(func() { _, errs[n] = p.ProjectUntil(t.Context(), h.ws.ID, a.Seq) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
		}
		h.want("A a.go:1 open", fmt.Sprintf("B b.go:%d open", 5))
		h.once()
	})
}

// TestLease has a holder that slept lose: what it staged does not count.
func TestLease(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		s := snapshotOf("semgrep", "shop", "main")
		h.accept(report{s, body(code("A", "a.go", 1))}, ImportOptions{})
		h.fail = func(at string) error {
			if at != "staged" {
				return nil
			}
			h.fail = nil
			lease, err := h.db.AcquireLease(t.Context(), h.ws.ID, "another")
			if err == nil {
				return errors.Join(errors.New("the lease was free"), lease.Release(t.Context()))
			}
			if !errors.Is(err, store.ErrLeased) {
				return err
			}
			h.now = h.now.Add(60e9) // the holder sleeps for a minute
			if lease, err = h.db.AcquireLease(t.Context(), h.ws.ID, "another"); err != nil {
				return err
			}
			return lease.Release(t.Context())
		}
		if err := h.p.Project(t.Context(), h.ws.ID); !errors.Is(err, store.ErrFenced) {
			t.Fatalf("a holder that slept projected: %v", err)
		}
		if got := h.states(); got != "" && !slices.Contains([]string{""}, got) {
			t.Logf("staged rows are there until the next stage begins: %s", got)
		}
		h.project()
		h.want("A a.go:1 open")
		h.once()
	})
}
