// Package chaos kills the product at random moments and checks that nothing
// accepted is lost, nothing is doubled, the chain verifies and live equals
// rebuild. TRU2, TRU3.
package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/pgtest"
)

var (
	rounds = flag.Int("chaos.rounds", 10, "kills per engine")
	seed   = flag.Uint64("chaos.seed", uint64(time.Now().UnixNano()), "random seed")
)

var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "sinew-chaos-")
	if err == nil {
		binary = filepath.Join(dir, "sinew")
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

func TestKillSQLite(t *testing.T) {
	newWorld(t, filepath.Join(t.TempDir(), "chaos.db")).run(*rounds)
}

func TestKillPostgres(t *testing.T) { newWorld(t, pgtest.URL(t)).run(*rounds) }

// world is one database under attack and what must be true of it.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	dsn     string
	dir     string
	day     int
	reports map[string]map[int]bool // target -> lines that its newest accepted report has
	pending []op                    // started, killed, not yet known to be accepted
	done    map[string]bool         // idempotency keys that were acknowledged
	took    map[string]time.Duration
	kills   int
}

// op is one call of the product. Calling it again with the same key must change
// nothing if it was accepted before.
type op struct {
	kind   string
	key    string
	args   []string
	target string
	lines  map[int]bool
}

func newWorld(t *testing.T, dsn string) *world {
	t.Logf("seed %d (repeat with -chaos.seed)", *seed)
	return &world{
		t: t, rng: rand.New(rand.NewPCG(*seed, 1)), dsn: dsn, dir: t.TempDir(),
		reports: map[string]map[int]bool{}, done: map[string]bool{}, took: map[string]time.Duration{},
	}
}

func (w *world) run(rounds int) {
	w.must(w.newImport()) // so that there is something to decide on
	w.must(w.newImport())
	for w.kills < rounds {
		o := w.next()
		if w.killed(o) {
			w.kills++
			if o.kind != "rebuild" {
				w.pending = append(w.pending, o)
			}
		} else {
			w.accepted(o)
		}
		if w.kills%25 == 24 {
			w.settle()
		}
	}
	w.settle()
	w.t.Logf("%d kills, %d acknowledged calls", w.kills, len(w.done))
}

// next chooses what to do: mostly imports, sometimes a decision, a rebuild, or
// a retry of what was killed.
func (w *world) next() op {
	if len(w.pending) > 0 && w.rng.IntN(3) == 0 {
		i := w.rng.IntN(len(w.pending))
		o := w.pending[i]
		w.pending = append(w.pending[:i], w.pending[i+1:]...)
		return o
	}
	switch n := w.rng.IntN(10); {
	case n < 6:
		return w.newImport()
	case n < 8:
		return w.newDecision()
	default:
		return op{kind: "rebuild", args: []string{"rebuild"}}
	}
}

// newImport writes a report of one of four targets. A target with a call in
// doubt is left alone until that call is settled, so that the order is known.
func (w *world) newImport() op {
	busy := map[string]bool{}
	for _, o := range w.pending {
		busy[o.target] = true
	}
	var target string
	for n := 0; target == "" || busy[target]; n++ {
		target = fmt.Sprintf("git.example.org/shop/service-%d", w.rng.IntN(4)+n/8*4)
	}
	lines := map[int]bool{}
	for range 50 + w.rng.IntN(1500) {
		lines[1+w.rng.IntN(5000)] = true
	}
	w.day++
	path := filepath.Join(w.dir, fmt.Sprintf("report-%d.sarif", w.day))
	if err := os.WriteFile(path, sarif(lines), 0o600); err != nil {
		w.t.Fatal(err)
	}
	key := fmt.Sprintf("import-%d", w.day)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.day) * time.Hour)
	return op{
		kind: "import", key: key, target: target, lines: lines,
		args: []string{
			"import", "--idempotency-key", key, "--target", target, "--ref", "main",
			"--at", at.Format(time.RFC3339), "--coverage", "complete", path,
		},
	}
}

func (w *world) newDecision() op {
	out := w.output("findings", "is:open", "--limit", "5", "--json")
	var id string
	for line := range bytes.Lines(out) {
		var f struct{ ID string }
		if err := json.Unmarshal(line, &f); err != nil {
			w.t.Fatalf("%v in %s", err, line)
		}
		id = f.ID
	}
	w.day++
	key := fmt.Sprintf("decide-%d", w.day)
	return op{kind: "decide", key: key, args: []string{"findings", "decide", "triaged", id, "--idempotency-key", key}}
}

// killed starts o and kills it at a random moment; it reports whether the kill
// came before the end.
func (w *world) killed(o op) bool {
	cmd := w.command(o.args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	usual := max(w.took[o.kind], 100*time.Millisecond)
	timer := time.AfterFunc(time.Duration(w.rng.Int64N(int64(usual)*5/4)), func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if timer.Stop() || err == nil {
		if err != nil {
			w.t.Fatalf("sinew %s: %v\n%s", strings.Join(o.args, " "), err, out.Bytes())
		}
		w.took[o.kind] = time.Since(begin)
		return false
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 { // it failed by itself before the kill
		w.t.Fatalf("sinew %s: %v\n%s", strings.Join(o.args, " "), err, out.Bytes())
	}
	return true
}

func (w *world) accepted(o op) {
	if o.key != "" {
		w.done[o.key] = true
	}
	if o.kind == "import" {
		w.reports[o.target] = o.lines
	}
}

func (w *world) must(o op) {
	w.output(o.args...)
	w.accepted(o)
}

// settle repeats every call in doubt under its key, then compares the database
// with what must be there.
func (w *world) settle() {
	w.t.Helper()
	for _, o := range w.pending {
		w.must(o)
	}
	w.pending = nil

	var v struct {
		OK      bool           `json:"ok"`
		Kinds   map[string]int `json:"kinds"`
		History string         `json:"history_hash"`
	}
	w.decode(&v, "log", "verify", "--json")
	if !v.OK {
		w.t.Fatal("the log does not verify")
	}
	want := map[string]int{}
	for key := range w.done {
		kind, _, _ := strings.Cut(key, "-")
		want[kind]++
	}
	if v.Kinds["snapshot"] != want["import"] || v.Kinds["decision"] != want["decide"] {
		w.t.Fatalf("the log has %d snapshots and %d decisions; acknowledged were %d and %d",
			v.Kinds["snapshot"], v.Kinds["decision"], want["import"], want["decide"])
	}
	for target, lines := range w.reports {
		got := map[int]int{}
		for line := range bytes.Lines(w.output("findings", "is:open", "target:"+target, "--limit", "100000", "--json")) {
			var f struct{ Line int }
			if err := json.Unmarshal(line, &f); err != nil {
				w.t.Fatal(err)
			}
			got[f.Line]++
		}
		for line, n := range got {
			if n != 1 || !lines[line] {
				w.t.Fatalf("%s: line %d is open %d times; in the newest report: %v", target, line, n, lines[line])
			}
		}
		if len(got) != len(lines) {
			w.t.Fatalf("%s: %d findings are open, want %d", target, len(got), len(lines))
		}
	}
	var r struct {
		Before string `json:"before"`
		After  string `json:"after"`
	}
	w.decode(&r, "rebuild", "--json")
	if r.Before == "" || r.Before != r.After || r.Before != v.History {
		w.t.Fatalf("history hash: verify %s, before rebuild %s, after %s", v.History, r.Before, r.After)
	}
}

func (w *world) decode(into any, args ...string) {
	w.t.Helper()
	if err := json.Unmarshal(w.output(args...), into); err != nil {
		w.t.Fatalf("sinew %s: %v", strings.Join(args, " "), err)
	}
}

func (w *world) output(args ...string) []byte {
	w.t.Helper()
	cmd := w.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		w.t.Fatalf("sinew %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out
}

func (w *world) command(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	w.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "SINEW_DATABASE="+w.dsn, "SINEW_KEY_FILE="+filepath.Join(w.dir, "key"))
	return cmd
}

// sarif is a report with one finding in each of the given lines, told apart by
// its snippet.
func sarif(lines map[int]bool) []byte {
	var b bytes.Buffer
	b.WriteString(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"chaos","rules":[{"id":"R1"}]}},"results":[`)
	first := true
	for line := range lines {
		if !first {
			b.WriteByte(',')
		}
		first = false
		fmt.Fprintf(&b, `{"ruleId":"R1","level":"error","message":{"text":"call %d"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/main.c"},"region":{"startLine":%d,"snippet":{"text":"strcpy(buffer_%d, argument_%d);"}}}}]}`, line, line, line, line)
	}
	b.WriteString(`]}]}`)
	return b.Bytes()
}
