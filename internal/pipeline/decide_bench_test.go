package pipeline

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// BenchmarkDecideMany decides on ten thousand findings and takes it back: found,
// accepted and projected. It reports the milliseconds of each, and the bytes of
// the entry of a finding.
func BenchmarkDecideMany(b *testing.B) {
	const n = 10_000
	h := newHouse(b, filepath.Join(b.TempDir(), "s.db"))
	obs := make([]sinew.Observation, n)
	for i := range obs {
		obs[i] = code(fmt.Sprintf("R%d", i), fmt.Sprintf("f%d.go", i%100), i+1)
	}
	h.send(scan("main", obs...), at(10))
	for b.Loop() {
		start := time.Now()
		targets, _, err := h.db.Targets(b.Context(), h.r, nil, n)
		if err != nil || len(targets) != n {
			b.Fatal(len(targets), err)
		}
		d := sinew.Decision{Verdict: sinew.VerdictAccepted, Reason: "a benchmark"}
		for _, t := range targets {
			d.Findings = append(d.Findings, t.ID)
		}
		a, err := h.p.Decide(b.Context(), h.r, d, "")
		if err != nil {
			b.Fatal(err)
		}
		accepted := time.Now()
		h.project()
		projected := time.Now()
		u, err := h.p.Undo(b.Context(), h.r, sinew.PublicID(h.ws.UUID, sinew.IDDecision, a.Seq<<28), "")
		if err != nil || u.Restored != n {
			b.Fatal(u, err)
		}
		h.project()
		e, err := h.db.Entry(b.Context(), h.r, a.Seq)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(accepted.Sub(start).Milliseconds()), "accept-ms")
		b.ReportMetric(float64(projected.Sub(accepted).Milliseconds()), "project-ms")
		b.ReportMetric(float64(time.Since(projected).Milliseconds()), "undo-ms")
		b.ReportMetric(float64(len(e.Payload))/n, "entry-B/finding")
	}
}
