package bench

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// BenchmarkOverlap imports what five tools tell of the same places, a fifth of n each,
// one after another, and the same where no tool speaks of a file of another: the
// difference is what correlation costs. merged is how many findings are shown as
// part of others.
func BenchmarkOverlap(b *testing.B) {
	const tools = 5
	eachEngine(b, func(b *testing.B, same database, n int) {
		b.StopTimer()
		run := func(d database, apart bool) (took time.Duration, peak int64, merged int) {
			for i := range tools {
				name := fmt.Sprintf("Bench%d", i)
				r := reportFile(b, fmt.Sprintf("r-%d-%s-%v.sarif", n, name, apart), sarif(amount{rows: n / tools, tool: name, apart: apart}, i))
				begin := time.Now()
				res := d.importReport(b, r)
				took += time.Since(begin)
				peak = max(peak, res.peak)
				r.drop(b)
			}
			var stats struct{ Told, Shown int }
			if err := json.Unmarshal(d.sinew(b, "dedup", "--json").out, &stats); err != nil {
				b.Fatal(err)
			}
			return took, peak, stats.Told - stats.Shown
		}
		engine := "sqlite"
		if same.dsn[:4] == "post" {
			engine = "postgres"
		}
		plain, _, none := run(newDatabase(b, engine), true)
		if none != 0 {
			b.Fatalf("%d findings in files of their own were joined", none)
		}
		b.StartTimer()
		took, peak, merged := run(same, false)
		b.ReportMetric(took.Seconds()/plain.Seconds(), "ratio")
		b.ReportMetric(float64(n)/took.Seconds(), "findings/s")
		b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
		b.ReportMetric(float64(merged), "merged")
		if merged < n/tools*(tools-1)*9/10 {
			b.Fatalf("only %d of %d findings were joined", merged, n)
		}
	})
}
