// Package bench measures the binary against the budgets of the design: import,
// re-import, memory, list and detail, on both engines. Sizes are flags, so that
// CI can check that the benchmarks run, and `make bench` can run them in full.
package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/pgtest"
)

var (
	sizes    = flag.String("bench.sizes", "", "findings per imported report, comma separated; default 100000,1000000, with -short 2000")
	gigabyte = flag.Bool("bench.gb", true, "also import reports of 1 GB; never with -short")
)

var binary, workDir string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "sinew-bench-")
	if err == nil {
		workDir, binary = dir, filepath.Join(dir, "sinew")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", binary, "../../cmd/sinew").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build sinew:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func sizeList(b *testing.B) (out []int) {
	list := *sizes
	switch {
	case list == "" && testing.Short():
		list = "2000"
	case list == "":
		list = "100000,1000000"
	}
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			b.Fatalf("-bench.sizes: %v", err)
		}
		out = append(out, n)
	}
	return out
}

// BenchmarkImport imports into an empty database; BenchmarkReimport then
// imports the same findings in other bytes.
func BenchmarkImport(b *testing.B) {
	eachEngine(b, func(b *testing.B, d database, n int) { importOnce(b, d, n, 1) })
}

// BenchmarkReimport measures an unchanged report whose bytes differ.
func BenchmarkReimport(b *testing.B) {
	eachEngine(b, func(b *testing.B, d database, n int) {
		path, _ := reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(n, 1))
		d.sinew(b, "import", "--json", "--target", "bench", "--ref", "main", "--coverage", "complete", path)
		importOnce(b, d, n, 2)
	})
}

// counted keeps the benchmarks honest: every finding of the report arrived.
func counted(b *testing.B, out []byte, n int) {
	b.Helper()
	var line struct{ Observations int }
	if err := json.Unmarshal(out, &line); err != nil || line.Observations != n {
		b.Fatalf("imported %d of %d findings: %v %s", line.Observations, n, err, out)
	}
}

func eachEngine(b *testing.B, run func(b *testing.B, d database, n int)) {
	for _, n := range sizeList(b) {
		for _, engine := range []string{"sqlite", "postgres"} {
			b.Run(fmt.Sprintf("%s/n=%d", engine, n), func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					d := newDatabase(b, engine)
					b.StartTimer()
					run(b, d, n)
				}
			})
		}
	}
}

func importOnce(b *testing.B, d database, n, round int) {
	b.StopTimer()
	path, size := reportFile(b, fmt.Sprintf("r-%d-%d.sarif", n, round), sarif(n, round))
	b.StartTimer()
	begin := time.Now()
	out, peak := d.sinew(b, "import", "--json", "--target", "bench", "--ref", "main", "--coverage", "complete", path)
	took := time.Since(begin)
	counted(b, out, n)
	b.ReportMetric(float64(n)/took.Seconds(), "findings/s")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
	b.ReportMetric(float64(size)/(1<<20), "report-MB")
	if st, err := os.Stat(d.dsn); err == nil {
		b.ReportMetric(float64(st.Size())/float64(size), "db/report")
	}
}

// BenchmarkGigabyte imports reports of 1 GB: the budget is 256 MB and 2 minutes.
// With -short the reports are small.
func BenchmarkGigabyte(b *testing.B) {
	sarifs, items := 1_000_000, 500_000
	if testing.Short() || !*gigabyte {
		sarifs, items = 500, 500
	}
	for name, write := range map[string]func(io.Writer) error{"gb.sarif": sarif(sarifs, 1), "gb.nessus": nessus(items)} {
		b.Run(name, func(b *testing.B) {
			path, size := reportFile(b, name, write)
			for range b.N {
				d := newDatabase(b, "sqlite")
				begin := time.Now()
				out, peak := d.sinew(b, "import", "--json", "--target", "bench", "--ref", "main", path)
				counted(b, out, map[string]int{"gb.sarif": sarifs, "gb.nessus": items}[name])
				b.ReportMetric(time.Since(begin).Seconds(), "s")
				b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
				b.ReportMetric(float64(size)/(1<<20), "report-MB")
				if st, err := os.Stat(d.dsn); err == nil {
					b.ReportMetric(float64(st.Size())/float64(size), "db/report")
				}
			}
			_ = os.Remove(path)
		})
	}
}

// queries are filter and sort pairs; the published ones have an index
// (docs/filter.md), the others the wider budget.
var queries = []struct{ name, query string }{
	{"published/open-by-severity", "filter=is:open&sort=-severity"},
	{"published/critical", "filter=is:open+severity:critical&sort=-severity"},
	{"published/all", "sort=-severity"},
	{"other/rule", "filter=rule:BENCH042"},
	{"other/file", "filter=file:services/area07/**"},
	{"other/nothing-matches", "filter=cwe:99999"},
	{"other/text", "filter=operation+17"},
}

// BenchmarkList asks a server for the first and second page of findings, and
// for one finding in detail, and reports the 95th percentile.
func BenchmarkList(b *testing.B) {
	for _, n := range sizeList(b) {
		for _, engine := range []string{"sqlite", "postgres"} {
			b.Run(fmt.Sprintf("%s/n=%d", engine, n), func(b *testing.B) {
				d := newDatabase(b, engine)
				path, _ := reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(n, 1))
				d.sinew(b, "import", "--json", "--target", "bench", "--ref", "main", "--coverage", "complete", path)
				api := d.serve(b)
				var ids []string
				for _, q := range queries {
					b.Run(q.name, func(b *testing.B) {
						var took []time.Duration
						for range b.N {
							page, t := api.list(b, q.query+"&limit=50")
							took = append(took, t)
							if page.Next != "" {
								_, t := api.list(b, q.query+"&limit=50&cursor="+page.Next)
								took = append(took, t)
							}
							for _, f := range page.Items {
								ids = append(ids, f.ID)
							}
						}
						b.ReportMetric(percentile(took, 95), "p95-ms")
					})
				}
				b.Run("detail", func(b *testing.B) {
					var took []time.Duration
					for i := range b.N {
						var f struct{ ID string }
						took = append(took, api.get(b, "/api/v1/findings/"+ids[i%len(ids)], &f))
					}
					b.ReportMetric(percentile(took, 95), "p95-ms")
				})
			})
		}
	}
}

func percentile(d []time.Duration, p int) float64 {
	slices.Sort(d)
	return float64(d[min(len(d)-1, len(d)*p/100)].Microseconds()) / 1000
}

// database is one fresh database and the key beside it.
type database struct{ dsn, key string }

func newDatabase(b *testing.B, engine string) database {
	b.Helper()
	dir := b.TempDir()
	d := database{dsn: filepath.Join(dir, "bench.db"), key: filepath.Join(dir, "key")}
	if engine == "postgres" {
		d.dsn = pgtest.URL(b)
	}
	return d
}

func (d database) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "SINEW_DATABASE="+d.dsn, "SINEW_KEY_FILE="+d.key)
	return cmd
}

// sinew runs a command; peak is the largest resident memory of its process
// tree, sampled.
func (d database) sinew(tb testing.TB, args ...string) (out []byte, peak int64) {
	tb.Helper()
	cmd := d.command(tb.Context(), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				peak = max(peak, resident(cmd.Process.Pid))
			}
		}
	})
	err := cmd.Wait()
	close(stop)
	wg.Wait()
	if err != nil {
		tb.Fatalf("sinew %s: %v\n%s%s", strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes(), peak
}

// resident sums the resident memory of a process and its descendants (Linux).
func resident(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var sum int64
	if f := strings.Fields(string(status)); len(f) > 1 {
		pages, _ := strconv.ParseInt(f[1], 10, 64)
		sum = pages * int64(os.Getpagesize())
	}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		kids, _ := os.ReadFile(t)
		for kid := range strings.FieldsSeq(string(kids)) {
			n, _ := strconv.Atoi(kid)
			sum += resident(n)
		}
	}
	return sum
}

type api struct{ url, token string }

// serve starts a server on d and ends it with the benchmark.
func (d database) serve(b *testing.B) api {
	b.Helper()
	out, _ := d.sinew(b, "token", "create", "bench", "--role", "viewer", "--json")
	var tok struct{ Token string }
	if err := json.Unmarshal(out, &tok); err != nil {
		b.Fatalf("%v in %s", err, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := d.command(ctx, "serve", "--listen", "127.0.0.1:0", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cancel(); _ = cmd.Wait() })
	var line struct{ URL string }
	if err := json.NewDecoder(stdout).Decode(&line); err != nil {
		b.Fatalf("the server printed no URL: %v", err)
	}
	return api{url: line.URL, token: tok.Token}
}

func (a api) get(b *testing.B, path string, into any) time.Duration {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, a.url+path, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	took := time.Since(begin)
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("GET %s: %d %v %s", path, res.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		b.Fatalf("GET %s: %v", path, err)
	}
	return took
}

type page struct {
	Items []struct{ ID string }
	Next  string
}

func (a api) list(b *testing.B, query string) (page, time.Duration) {
	b.Helper()
	var p page
	took := a.get(b, "/api/v1/findings?"+query, &p)
	return p, took
}
