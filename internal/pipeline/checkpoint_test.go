package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// rebuilt rebuilds and demands what was live; it gives the entry that the rebuild
// started from.
func (h *house) rebuilt(o RebuildOptions) int64 {
	h.Helper()
	r, err := h.p.RebuildWith(h.Context(), h.ws.ID, o)
	if err != nil {
		h.Fatalf("rebuild: %v", err)
	}
	if !r.Equal || r.NewVersion || !r.Swapped {
		h.Errorf("rebuild: %+v", r)
	}
	return r.From
}

func (h *house) checkpoint() *store.Checkpoint {
	h.Helper()
	c, err := h.p.Checkpoint(h.Context(), h.r)
	if err != nil {
		h.Fatalf("checkpoint: %v", err)
	}
	return c
}

// keepBodies says how many days bodies are kept, lets time go by and deletes what
// is older.
func (h *house) keepBodies(days int, pass time.Duration) int {
	h.Helper()
	if err := h.db.SetRetention(h.Context(), h.r, store.BlobBody, days); err != nil {
		h.Fatal(err)
	}
	h.now = h.now.Add(pass)
	n, err := h.p.Retain(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatalf("retain: %v", err)
	}
	return n
}

const fortyDays = 40 * 24 * time.Hour

// restored restores a backup of h into an empty database of the other engine,
// and projects it there.
func (h *house) restored(t *testing.T) *house {
	t.Helper()
	var backup bytes.Buffer
	if _, err := h.db.Backup(t.Context(), &backup, nil); err != nil {
		t.Fatal(err)
	}
	dsn := filepath.Join(t.TempDir(), "other.db")
	if h.db.Engine() == "sqlite" {
		dsn = pgtest.URL(t)
	}
	o := &house{TB: t, dsn: dsn, now: h.now, r: h.r}
	o.open()
	t.Cleanup(func() { o.db.Close() })
	if _, err := o.db.Restore(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	var err error
	if o.ws, err = o.db.Workspace(t.Context(), h.ws.Name); err != nil {
		t.Fatal(err)
	}
	o.r.Workspace = o.ws.ID
	o.project()
	return o
}

// TestRebuildFromCheckpoint starts from the newest dump, replays what came after
// it, and ends where live is; from the first entry it ends there too (TRU2).
func TestRebuildFromCheckpoint(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		h.send(scan("main", code("A", "a.go", 1), code("B", "b.go", 2)), at(1))
		first := h.checkpoint()
		h.send(scan("main", code("A", "a.go", 4)), at(3))
		h.send(scan("feature", code("A", "a.go", 4), code("C", "c.go", 4)), at(2)) // late: the family is folded again
		if first.Dump == "" {
			t.Error("the checkpoint has no dump")
		}
		if from := h.rebuilt(RebuildOptions{}); from != first.Seq {
			t.Errorf("the rebuild started from entry %d, not from %d", from, first.Seq)
		}
		second := h.checkpoint()
		h.send(scan("main"), at(5))
		var told []int64
		if from := h.rebuilt(RebuildOptions{Progress: func(seq, of int64) error {
			told = append(told, seq, of)
			return nil
		}}); from != second.Seq {
			t.Errorf("the rebuild started from entry %d, not from %d", from, second.Seq)
		}
		if len(told) == 0 || told[len(told)-1] != told[len(told)-2] {
			t.Errorf("progress was told as %v", told)
		}
		if from := h.rebuilt(RebuildOptions{Whole: true}); from != 0 {
			t.Errorf("the whole log was asked for, and the rebuild started from entry %d", from)
		}
		h.want("A a.go:4 fixed", "B b.go:2 fixed", "C c.go:4 open")
		h.verified()
	})
}

// TestOldReportsGo is a workspace that keeps reports for a month: what is open or
// newest stays, the rest goes with a tombstone, and nothing that is known is lost
// by it, whoever builds it again (TRU2, TRU3).
func TestOldReportsGo(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		a, b, c := code("A", "a.go", 1), code("B", "b.go", 2), code("C", "c.go", 3)
		h.send(scan("main", a, b), at(1))
		h.send(scan("main", b, c), at(2)) // A is fixed; it was seen in the first alone
		h.send(scan("main", c), at(3))
		h.send(scan("old", code("D", "d.go", 4)), at(4)) // still there for all we know
		if n := h.keepBodies(30, 0); n != 0 {
			t.Errorf("%d young payloads were deleted", n)
		}
		h.want("A a.go:1 fixed", "B b.go:2 fixed", "C c.go:3 open", "D d.go:4 open")

		h.now = h.now.Add(fortyDays)
		h.send(scan("main", c, code("E", "e.go", 5)), ImportOptions{})
		_, before := h.hashes()
		n, err := h.p.Retain(t.Context(), h.ws.ID)
		if err != nil || n != 2 {
			t.Fatalf("deleted %d, %v; want two: C was last seen changed in the second, D in the fourth", n, err)
		}
		if _, after := h.hashes(); after != before {
			t.Error("the projection changed when reports were deleted")
		}
		if again, err := h.p.Retain(t.Context(), h.ws.ID); err != nil || again != 0 {
			t.Errorf("once more: %d, %v", again, err)
		}
		if from := h.rebuilt(RebuildOptions{}); from == 0 {
			t.Error("the rebuild started from the first entry")
		}
		_, err = h.p.RebuildWith(t.Context(), h.ws.ID, RebuildOptions{Whole: true})
		if sinew.CodeOf(err) != sinew.CodeConflict || !strings.Contains(err.Error(), "first entry") {
			t.Errorf("a whole rebuild of a log without its reports: %v", err)
		}
		h.verified()

		// Everything goes on: findings change, come back and are decided on.
		h.send(scan("main", a), ImportOptions{})
		h.want("A a.go:1 open", "B b.go:2 fixed", "C c.go:3 fixed", "D d.go:4 open", "E e.go:5 fixed")
		h.rebuilt(RebuildOptions{})
		h.verified()
		_, want := h.hashes()
		o := h.restored(t)
		if _, got := o.hashes(); got != want {
			t.Error("the other engine has another history after the restore")
		}
		o.verified()
		o.rebuilt(RebuildOptions{})
	})
}

// TestLateBeyondTheHorizon is what comes late to a target whose old reports are
// gone. What is newer than all that is known of its ref is applied as it comes;
// the rest is recorded and changes nothing; both say so (ING4).
func TestLateBeyondTheHorizon(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		a, b, c := code("A", "a.go", 1), code("B", "b.go", 2), code("C", "c.go", 3)
		version := func(r report, n int, commit string) {
			h.send(r, ImportOptions{At: minute(n), Commit: commit})
		}
		version(scan("main", a), 1, "commit-1")
		version(scan("main", b), 20_000, "commit-2") // dated when it is received at the latest
		if n := h.keepBodies(30, fortyDays); n != 1 {
			t.Fatalf("deleted %d", n)
		}
		later := func(n int) time.Time { return minute(40_000 + n) }
		h.now = later(1000)
		h.send(scan("main", b, c), ImportOptions{At: later(100)})
		h.send(scan("feature", c), ImportOptions{At: later(50)}) // first of its ref, older than main's newest
		h.want("A a.go:1 fixed", "B b.go:2 open", "C c.go:3 open")
		if got := h.presences("C"); got != "main observed, feature observed" {
			t.Errorf("C is in %q", got)
		}
		space, err := h.db.LiveSpace(t.Context(), h.ws.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, before := h.hashes()
		res := h.send(scan("main", a), ImportOptions{At: later(60)}) // older than main's newest
		h.want("A a.go:1 fixed", "B b.go:2 open", "C c.go:3 open")
		if res.Horizon != horizonRecorded || res.New+res.Reopened+res.Unchanged != 0 || len(res.Notes) == 0 ||
			!strings.Contains(res.Notes[len(res.Notes)-1], "changes nothing") {
			t.Errorf("a report from before the horizon: %+v", res)
		}
		if _, after := h.hashes(); after == before {
			t.Error("the report is not recorded")
		}
		res = h.send(scan("hotfix", a), ImportOptions{At: later(70)})
		if res.Horizon != horizonArrival || res.Elsewhere+res.Reopened != 1 || !strings.Contains(res.Notes[len(res.Notes)-1], "as if it had come in time") {
			t.Errorf("a report out of order: %+v", res)
		}
		h.want("A a.go:1 open", "B b.go:2 open", "C c.go:3 open")

		// A version whose report is gone counts as one that nobody looked at.
		h.tell(fact{deploy: &Deployment{Environment: "prod", Version: "commit-2", At: later(200)}})
		h.project()
		if got := h.presences("B"); got != "main observed, prod observed" {
			t.Errorf("deployed what is there: B is in %q", got)
		}
		h.tell(fact{deploy: &Deployment{Environment: "prod", Version: "commit-1", At: later(300)}})
		h.tell(fact{deploy: &Deployment{Environment: "prod", Version: "commit-2", At: later(250)}}) // overtaken
		h.project()
		if got := h.presences("B"); got != "main observed, prod scope_lost" {
			t.Errorf("deployed what is gone: B is in %q", got)
		}
		// The same report once more: it is another snapshot's.
		version(scan("main", a), 41_100, "commit-1")
		h.tell(fact{ref: &RefEvent{Target: "shop", Ref: "main", Event: RefDeleted, At: later(10)}}) // main was seen after that
		h.project()
		if got := h.presences("A"); !strings.Contains(got, "main observed") {
			t.Errorf("an event that was overtaken: A is in %q", got)
		}
		again, err := h.p.Rematch(t.Context(), h.r, false, nil)
		if err != nil || again.Skipped != 1 || again.Families != 0 {
			t.Errorf("rematch: %+v %v", again, err)
		}
		if h.rebuilt(RebuildOptions{}) == 0 {
			t.Error("the rebuild started from the first entry")
		}
		if now, err := h.db.LiveSpace(t.Context(), h.ws.ID); err != nil || now.ID == space.ID {
			t.Errorf("the space was not swapped: %v", err)
		}
		h.verified()
		_, want := h.hashes()
		o := h.restored(t)
		if _, got := o.hashes(); got != want {
			t.Error("the other engine has another history after the restore")
		}
	})
}

// TestRetentionAnywhere deletes old reports in the middle of random histories, and
// goes on with what is in time and what is late: a rebuild is equal to what was
// live, on both engines, and the log verifies (TRU2, TRU3).
func TestRetentionAnywhere(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		for range 3 {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(seed, 2))
				h := open()
				h.now = minute(10_000)
				deleted := 0
				for round := range 3 {
					facts := history(rnd, 10)
					rnd.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
					for _, f := range facts {
						h.tell(shifted(f, time.Duration(round)*fortyDays))
						if rnd.IntN(2) == 0 {
							h.project()
						}
						if rnd.IntN(12) == 0 {
							h.checkpoint()
						}
					}
					deleted += h.keepBodies(30, fortyDays)
				}
				if deleted == 0 {
					t.Error("nothing was deleted")
				}
				h.rebuilt(RebuildOptions{})
				h.verified()
				_, want := h.hashes()
				if _, got := h.restored(t).hashes(); got != want {
					t.Error("the other engine has another history after the restore")
				}
			})
		}
	})
}

// shifted is a fact that happened later by d.
func shifted(f fact, d time.Duration) fact {
	switch {
	case f.rep != nil:
		f.opt.At = f.opt.At.Add(d)
	case f.ref != nil:
		ev := *f.ref
		ev.At = ev.At.Add(d)
		f.ref = &ev
	case f.deploy != nil:
		dep := *f.deploy
		dep.At = dep.At.Add(d)
		f.deploy = &dep
	case f.end != nil:
		end := *f.end
		end.At = end.At.Add(d)
		f.end = &end
	}
	return f
}

// TestCrashRetention kills the deleting of old reports at each of its steps: what
// is there still can be built again, and the next run goes on (TRU2).
func TestCrashRetention(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		for _, point := range []string{"before checkpoint", "before deleting"} {
			t.Run(point, func(t *testing.T) {
				h := open()
				h.now = minute(10_000)
				h.send(scan("main", code("A", "a.go", 1)), at(1))
				h.send(scan("main", code("B", "b.go", 1)), at(2))
				if err := h.db.SetRetention(t.Context(), h.r, store.BlobBody, 30); err != nil {
					t.Fatal(err)
				}
				h.now = h.now.Add(fortyDays)
				h.fail = func(at string) error {
					if at == point {
						return errKilled
					}
					return nil
				}
				if _, err := h.p.Retain(t.Context(), h.ws.ID); !errors.Is(err, errKilled) {
					t.Fatalf("retain: %v", err)
				}
				h.fail = nil
				h.reopen()
				h.send(scan("main", code("A", "a.go", 2)), ImportOptions{})
				h.rebuilt(RebuildOptions{})
				if n, err := h.p.Retain(t.Context(), h.ws.ID); err != nil || n != 2 {
					t.Errorf("the next run deleted %d, %v", n, err)
				}
				h.rebuilt(RebuildOptions{})
				h.verified()
			})
		}
	})
}

// TestBadDump is a dump that is not what was signed: no projection is made of it,
// and the live one stays (TRU2).
func TestBadDump(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10_000)
		h.send(scan("main", code("A", "a.go", 1)), at(1))
		h.send(scan("main", code("B", "b.go", 1)), at(2))
		if n := h.keepBodies(30, fortyDays); n != 1 {
			t.Fatalf("deleted %d", n)
		}
		state, hist := h.hashes()
		keys, err := NewKeys(bytes.Repeat([]byte{8}, 32))
		if err != nil {
			t.Fatal(err)
		}
		ours := h.p.opt.Keys
		h.p.opt.Keys = keys
		if _, err := h.p.Rebuild(t.Context(), h.ws.ID); sinew.CodeOf(err) != sinew.CodeConflict || !strings.Contains(err.Error(), "another key") {
			t.Errorf("a rebuild from a stranger's checkpoint: %v", err)
		}
		h.p.opt.Keys = ours
		if s, g := h.hashes(); s != state || g != hist {
			t.Error("the live projection changed")
		}
		h.rebuilt(RebuildOptions{})
	})
}
