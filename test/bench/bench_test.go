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
		first := reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(amount{rows: n}, 1))
		d.importReport(b, first)
		importOnce(b, d, n, 2)
	})
}

// importReport imports a report and checks that every finding of it arrived.
func (d database) importReport(b *testing.B, r report) result {
	b.Helper()
	res := d.sinew(b, "import", "--json", "--target", "bench", "--ref", "main", "--coverage", "complete", r.path)
	var line struct{ Observations int }
	if err := json.Unmarshal(res.out, &line); err != nil || line.Observations != r.rows {
		b.Fatalf("imported %d of %d findings: %v %s", line.Observations, r.rows, err, res.out)
	}
	return res
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
	r := reportFile(b, fmt.Sprintf("r-%d-%d.sarif", n, round), sarif(amount{rows: n}, round))
	b.StartTimer()
	begin := time.Now()
	res := d.importReport(b, r)
	tellImport(b, d, r, res, time.Since(begin))
}

// tellImport reports what an import took. Where the machine is shared, the
// processor time says more than the rate.
func tellImport(b *testing.B, d database, r report, res result, took time.Duration) {
	b.Helper()
	b.ReportMetric(float64(r.rows)/took.Seconds(), "findings/s")
	b.ReportMetric(float64(res.cpu.Microseconds())/float64(r.rows), "cpu-us/finding")
	b.ReportMetric(float64(res.peak)/(1<<20), "peak-MB")
	b.ReportMetric(float64(r.size)/1e6, "report-MB")
	if st, err := os.Stat(d.dsn); err == nil {
		b.ReportMetric(float64(st.Size())/float64(r.size), "db/report")
	}
}

// BenchmarkGigabyte imports reports of 1 GB (1e9 bytes): the budget is 256 MB and
// 2 minutes. With -short the reports are small.
func BenchmarkGigabyte(b *testing.B) {
	size := amount{bytes: 1e9}
	if testing.Short() || !*gigabyte {
		size = amount{rows: 500}
	}
	for _, c := range []struct {
		name  string
		write generator
	}{{"gb.sarif", sarif(size, 1)}, {"gb.nessus", nessus(size)}} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				r := reportFile(b, c.name, c.write)
				d := newDatabase(b, "sqlite")
				begin := time.Now()
				res := d.importReport(b, r)
				took := time.Since(begin)
				tellImport(b, d, r, res, took)
				b.ReportMetric(took.Seconds(), "s")
				r.drop(b)
			}
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
	{"other/text-of-few", "filter=p4711"},
	{"other/text-of-none", "filter=nowhere-to-be-found"},
	{"other/last-seen", "filter=is:open&sort=-last_seen"},
	{"other/title", "sort=title"},
}

// BenchmarkList asks a server for the first and second page of findings, and
// for one finding in detail, and reports the 95th percentile.
func BenchmarkList(b *testing.B) {
	for _, n := range sizeList(b) {
		for _, engine := range []string{"sqlite", "postgres"} {
			b.Run(fmt.Sprintf("%s/n=%d", engine, n), func(b *testing.B) {
				d := newDatabase(b, engine)
				d.importReport(b, reportFile(b, fmt.Sprintf("r-%d-1.sarif", n), sarif(amount{rows: n}, 1)))
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
				for _, kind := range []string{"published", "other"} {
					b.Run("20-readers/"+kind, func(b *testing.B) { manyReaders(b, api, kind) })
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

// manyReaders has 20 readers ask at the same time, each b.N times all queries of
// the kind, beginning with different ones.
func manyReaders(b *testing.B, api api, kind string) {
	var asked []string
	for _, q := range queries {
		if strings.HasPrefix(q.name, kind+"/") {
			asked = append(asked, q.query)
		}
	}
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	for reader := range 20 {
		wg.Go(func() {
			for i := range b.N * len(asked) {
				var p page
				t, err := api.call(b.Context(), http.MethodGet, "/api/v1/findings?limit=50&"+asked[(i+reader)%len(asked)], nil, &p)
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				took = append(took, t)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(took) > 0 {
		b.ReportMetric(percentile(took, 95), "p95-ms")
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

// result is what a command printed and needed.
type result struct {
	out  []byte
	peak int64         // the largest resident memory of its process tree, sampled
	cpu  time.Duration // of its process tree, user and system
}

// sinew runs a command.
func (d database) sinew(tb testing.TB, args ...string) result {
	tb.Helper()
	var peak int64
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
	return result{stdout.Bytes(), peak, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
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

type api struct {
	url, token string
	pid        int
}

// serve starts a server on d and ends it with the benchmark.
func (d database) serve(b *testing.B) api {
	b.Helper()
	res := d.sinew(b, "token", "create", "bench", "--role", "developer", "--json")
	var tok struct{ Token string }
	if err := json.Unmarshal(res.out, &tok); err != nil {
		b.Fatalf("%v in %s", err, res.out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := d.command(ctx, "serve", "--listen", "127.0.0.1:0", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if b.Failed() {
			text, err := os.ReadFile(log.Name())
			b.Logf("the end of the server's log (%v):\n%s", err, text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	})
	var line struct{ URL string }
	if err := json.NewDecoder(stdout).Decode(&line); err != nil {
		b.Fatalf("the server printed no URL: %v", err)
	}
	return api{url: line.URL, token: tok.Token, pid: cmd.Process.Pid}
}

func (a api) get(b *testing.B, path string, into any) time.Duration {
	b.Helper()
	took, err := a.call(b.Context(), http.MethodGet, path, nil, into)
	if err != nil {
		b.Fatal(err)
	}
	return took
}

// call asks the server and reads its whole answer.
func (a api) call(ctx context.Context, method, path string, send io.Reader, into any) (time.Duration, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.url+path, send)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
	}
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	took := time.Since(begin)
	if err != nil || res.StatusCode >= 300 {
		return took, fmt.Errorf("%s %s: %d %w %s", method, path, res.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return took, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return took, nil
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
