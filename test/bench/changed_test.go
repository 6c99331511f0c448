package bench

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// BenchmarkChanged imports a report over one whose every finding stood some lines
// higher: every row is matched, and every row is written again. Budget: 256 MB.
func BenchmarkChanged(b *testing.B) {
	eachEngine(b, func(b *testing.B, d database, n int) {
		d.importReport(b, reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(amount{rows: n}, 1)))
		r := reportFile(b, fmt.Sprintf("r-%d-moved.sarif", n), sarif(amount{rows: n, shift: 3}, 2))
		begin := time.Now()
		res := d.importReport(b, r)
		took := time.Since(begin)
		var line struct{ Changed int }
		if err := json.Unmarshal(res.out, &line); err != nil || line.Changed != n {
			b.Fatalf("%d of %d findings changed: %v %s", line.Changed, n, err, res.out)
		}
		tellImport(b, d, r, res, took)
	})
}

// BenchmarkLate imports a report that is an hour older than the last of five, of
// which each moved some findings: what it costs follows from what came after it.
func BenchmarkLate(b *testing.B) {
	eachEngine(b, func(b *testing.B, d database, n int) {
		b.StopTimer()
		imported := func(name string, shift, hour int) (report, result) {
			r := reportFile(b, name, sarif(amount{rows: n, shift: shift}, shift))
			at := time.Date(2026, 1, 1, hour, 0, 0, 0, time.UTC).Format(time.RFC3339)
			return r, d.sinew(b, "import", "--json", "--target", "bench", "--ref", "main", "--coverage", "complete", "--at", at, r.path)
		}
		for i := range 5 {
			imported(fmt.Sprintf("r-%d-at%d.sarif", n, i), i, 2*i)
		}
		b.StartTimer()
		begin := time.Now()
		r, res := imported(fmt.Sprintf("r-%d-late.sarif", n), 9, 7)
		took := time.Since(begin)
		var line struct {
			Late      bool
			Unchanged int
		}
		if err := json.Unmarshal(res.out, &line); err != nil || !line.Late || line.Unchanged != n {
			b.Fatalf("late: %v, %d of %d findings stand as before: %v %s", line.Late, line.Unchanged, n, err, res.out)
		}
		tellImport(b, d, r, res, took)
	})
}
