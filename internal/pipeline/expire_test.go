package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// TestExpire: decisions end when their time runs out, each once, whoever holds the
// lease meanwhile; what was decided anew in the meantime stands.
func TestExpire(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10)
		h.send(scan("main", code("A", "a.go", 1), code("B", "b.go", 2)), at(1))
		decide := func(rule string, until time.Time) {
			t.Helper()
			for _, f := range h.rows() {
				if f.Rule != rule {
					continue
				}
				d := sinew.Decision{
					Findings: []string{sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID)},
					Verdict:  sinew.VerdictAccepted, Reason: "until the release", Until: until,
				}
				if _, err := h.p.Decide(t.Context(), h.r, d, ""); err != nil {
					t.Fatal(err)
				}
			}
		}
		decide("A", minute(20))
		decide("B", minute(20))
		h.project()
		expire := func(p *Pipeline, want int) {
			t.Helper()
			if n, err := p.Expire(t.Context(), h.ws.ID); err != nil || n != want {
				t.Errorf("expire: %d %v, want %d", n, err, want)
			}
		}
		expire(h.p, 0)

		h.now = minute(30)
		other := &house{TB: t, dsn: h.dsn, now: h.now, ws: h.ws, r: h.r}
		other.open()
		t.Cleanup(func() { other.db.Close() })
		lease, err := other.db.AcquireLease(t.Context(), h.ws.ID, "another")
		if err != nil {
			t.Fatal(err)
		}
		expire(h.p, 0) // the other one has the lease: no error, and nothing is logged
		if err := lease.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		decide("B", minute(90)) // anew, and not projected yet
		errs := make(chan error, 1)
		go func() {
			_, err := other.p.Expire(t.Context(), h.ws.ID)
			errs <- err
		}()
		_, err = h.p.Expire(t.Context(), h.ws.ID)
		if err := errors.Join(err, <-errs); err != nil {
			t.Fatal(err)
		}
		expire(h.p, 0)
		h.want("A a.go:1 open", "B b.go:2 accepted")
		ended := 0
		for e, err := range h.db.Entries(t.Context(), h.ws.ID, 1) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind != sinew.EntryDecision {
				continue
			}
			if d, err := payload[DecisionEntry](e); err != nil {
				t.Fatal(err)
			} else if d.Expired {
				ended += len(d.Births)
			}
		}
		if ended != 1 {
			t.Errorf("the log says %d times that a decision ended, want once", ended)
		}
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil || !r.Equal {
			t.Errorf("rebuild: %+v %v", r, err)
		}
	})
}

// TestExpireDecidedAnew: an end that was logged before a newer decision was projected
// does not end that one.
func TestExpireDecidedAnew(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		h := open()
		h.now = minute(10)
		h.send(scan("main", code("A", "a.go", 1)), at(1))
		id := h.rows()[0].ID
		decide := func(until time.Time) {
			t.Helper()
			_, err := h.p.Decide(t.Context(), h.r, sinew.Decision{
				Findings: []string{sinew.PublicID(h.ws.UUID, sinew.IDFinding, id)}, Verdict: sinew.VerdictTriaged, Until: until,
			}, "")
			if err != nil {
				t.Fatal(err)
			}
		}
		decide(minute(20))
		h.project()
		h.now = minute(30)
		decide(minute(90))
		if _, err := h.db.Accept(t.Context(), store.System(h.ws.ID), store.Accept{
			Kind: sinew.EntryDecision, Units: []int64{sinew.UnassignedUnit},
			Payload: DecisionEntry{
				Schema: "decision/v1", Births: []int64{id}, Expired: true, Decision: sinew.Decision{Verdict: sinew.VerdictReopen},
			},
		}); err != nil {
			t.Fatal(err)
		}
		h.project()
		h.want("A a.go:1 triaged")
	})
}
