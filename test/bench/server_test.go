package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// BenchmarkIdle measures the resident memory of a server that has answered a few
// requests and has nothing to do; the budget is 150 MB.
func BenchmarkIdle(b *testing.B) {
	for _, n := range sizeList(b) {
		b.Run(fmt.Sprintf("sqlite/n=%d", n), func(b *testing.B) {
			d := newDatabase(b, "sqlite")
			d.importReport(b, reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(amount{rows: n}, 1)))
			for range b.N {
				a := d.serve(b)
				before := resident(a.pid)
				for _, q := range queries {
					a.list(b, q.query+"&limit=50")
				}
				b.ReportMetric(float64(before)/(1<<20), "started-MB")
				b.ReportMetric(float64(resident(a.pid))/(1<<20), "asked-MB")
			}
		})
	}
}

// BenchmarkWriteWhileImporting measures how long small writes take while a server
// imports a report into SQLite, which has one writer: the longest is what the
// longest transaction of the import makes somebody wait, with the answer and on a
// busy machine; the budget is 500 ms.
func BenchmarkWriteWhileImporting(b *testing.B) {
	for _, n := range sizeList(b) {
		b.Run(fmt.Sprintf("sqlite/n=%d", n), func(b *testing.B) {
			r := reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(amount{rows: n}, 1))
			for range b.N {
				a := newDatabase(b, "sqlite").serve(b)
				imported := make(chan error, 1)
				go func() { imported <- a.upload(b.Context(), r) }()
				took, err := a.writeUntil(b.Context(), imported)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(took)), "writes")
				b.ReportMetric(percentile(took, 100), "longest-ms")
				b.ReportMetric(percentile(took, 99), "p99-ms")
				b.ReportMetric(percentile(took, 50), "p50-ms")
			}
		})
	}
}

func (a api) upload(ctx context.Context, r report) error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var out any
	_, err = a.call(ctx, http.MethodPost, "/api/v1/imports?wait=true&target=bench&ref=main&coverage=complete&name=r.sarif", f, &out)
	return err
}

// writeUntil makes a token now and then until something else is done.
func (a api) writeUntil(ctx context.Context, done <-chan error) (took []time.Duration, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var out any
		t, err := a.call(ctx, http.MethodPost, "/api/v1/tokens", strings.NewReader(`{"name":"w","role":"viewer","days":1}`), &out)
		if err != nil {
			return nil, err
		}
		took = append(took, t)
		select {
		case err := <-done:
			return took, err
		case <-tick.C:
		}
	}
}
