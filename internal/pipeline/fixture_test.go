package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// t0 is when the tests begin. Minutes after it are written as numbers.
var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func minute(n int) time.Time { return t0.Add(time.Duration(n) * time.Minute) }

// report is what the parser of the tests reads, as JSON.
type report struct {
	Snapshot sinew.Snapshot       `json:"snapshot"`
	Body     []sinew.SnapshotBody `json:"body"`
}

// fakeParser reads reports of the tests: formats are another package's business.
type fakeParser struct{}

func (fakeParser) Parse(_ context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	raw, err := io.ReadAll(io.NewSectionReader(req.Input.R, 0, req.Input.Size))
	if err != nil {
		return nil, err
	}
	var r report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	lines := newBodyWriter(body)
	for _, l := range r.Body {
		req.Paths.rewrite(l.Observation)
		if err := lines.write(l); err != nil {
			return nil, err
		}
	}
	if _, err := evidence.Write(raw); err != nil {
		return nil, err
	}
	return parsed(r.Snapshot, false, lines), nil
}

// house is a database with one workspace and a pipeline on it.
type house struct {
	testing.TB
	dsn  string
	now  time.Time
	db   *store.DB
	p    *Pipeline
	ws   sinew.Workspace
	r    sinew.Reader
	fail func(string) error
}

// engines runs a test on both databases. Nothing is skipped.
func engines(t *testing.T, fn func(*testing.T, func() *house)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		fn(t, func() *house { return newHouse(t, filepath.Join(t.TempDir(), "s.db")) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		fn(t, func() *house { return newHouse(t, pgtest.URL(t)) })
	})
}

func newHouse(t testing.TB, dsn string) *house {
	t.Helper()
	h := &house{TB: t, dsn: dsn, now: t0}
	h.open()
	var err error
	if h.ws, err = h.db.CreateWorkspace(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	h.r = sinew.Reader{Workspace: h.ws.ID, Principal: "ann", All: sinew.RoleAdmin}
	t.Cleanup(func() { h.db.Close() })
	return h
}

// openEmpty gives another database of the same kind, without a workspace.
func openEmpty(t *testing.T, like *house) *house {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "other.db")
	if like.db.Engine() == "postgres" {
		dsn = pgtest.URL(t)
	}
	h := &house{TB: t, dsn: dsn, now: like.now, r: like.r}
	h.open()
	t.Cleanup(func() { h.db.Close() })
	return h
}

func (h *house) open() {
	h.Helper()
	db, err := store.Open(h.Context(), h.dsn, store.Options{Now: func() time.Time { return h.now }})
	if err != nil {
		h.Fatal(err)
	}
	keys, err := NewKeys(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		h.Fatal(err)
	}
	h.db = db
	h.p = New(db, Options{Parser: fakeParser{}, Keys: keys, SpoolDir: h.TempDir(), Fail: func(point string) error {
		if h.fail != nil {
			return h.fail(point)
		}
		return nil
	}})
}

// reopen is what a new process sees.
func (h *house) reopen() {
	h.Helper()
	if err := h.db.Close(); err != nil {
		h.Fatal(err)
	}
	h.open()
}

func snapshotOf(tool, target, ref string) sinew.Snapshot {
	return sinew.Snapshot{
		Schema: sinew.SnapshotSchema, Mode: sinew.ModeComplete, Format: tool + "/1", FormatSHA: "00", ToolName: tool, ToolVer: "1",
		Stream: sinew.Stream{Tool: tool, Target: target, Ref: ref},
	}
}

var all = sinew.Scope{All: true}

// covered is a coverage that includes everything.
var covered = sinew.Coverage{Status: sinew.CoverageComplete, Basis: sinew.BasisProven, Rules: all, Paths: all, Hosts: all}

func body(obs ...sinew.Observation) []sinew.SnapshotBody {
	out := make([]sinew.SnapshotBody, len(obs))
	for i := range obs {
		out[i].Observation = &obs[i]
	}
	return out
}

// code is an observation in a file: rule file:line.
// weaknesses are those of rules that several tools have: they tell the same problems.
var weaknesses = map[string][]int{"A": {89}, "B": {79}}

func code(rule, file string, line int) sinew.Observation {
	return sinew.Observation{
		Tool: "semgrep", Rule: rule, Title: "Problem " + rule, Severity: sinew.SeverityHigh, File: file, Line: line, CWE: weaknesses[rule],
		Snippet: fmt.Sprintf("call_%s_%s(input, options)", rule, strings.TrimSuffix(filepath.Base(file), ".go")),
	}
}

// accept imports without projecting.
func (h *house) accept(rep report, opt ImportOptions) *Accepted {
	h.Helper()
	raw, err := json.Marshal(rep)
	if err != nil {
		h.Fatal(err)
	}
	h.now = h.now.Add(time.Second)
	a, err := h.p.Import(h.Context(), h.r, Upload{Name: "r.json", Body: bytes.NewReader(raw), ImportOptions: opt}, nil)
	if err != nil {
		h.Fatalf("import: %v", err)
	}
	return a
}

// send imports and projects.
func (h *house) send(rep report, opt ImportOptions) *Result {
	h.Helper()
	a := h.accept(rep, opt)
	res, err := h.p.ProjectUntil(h.Context(), h.ws.ID, a.Seq)
	if err != nil {
		h.Fatalf("project: %v", err)
	}
	if res == nil {
		h.Fatalf("project: no result of entry %d", a.Seq)
	}
	return res
}

func (h *house) project() {
	h.Helper()
	if err := h.p.Project(h.Context(), h.ws.ID); err != nil {
		h.Fatalf("project: %v", err)
	}
}

// rows gives every current finding.
func (h *house) rows() []store.FindingRow {
	h.Helper()
	space, err := h.db.LiveSpace(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatal(err)
	}
	rows, err := h.db.FindingPage(h.Context(), space.ID, store.FindingCond{}, -1, 1_000_000)
	if err != nil {
		h.Fatal(err)
	}
	return rows
}

// states writes the findings as "rule file:line state", one a line, sorted.
func (h *house) states() string {
	h.Helper()
	var lines []string
	for _, f := range h.rows() {
		lines = append(lines, fmt.Sprintf("%s %s:%d %s", f.Rule, f.File, f.Line, f.State))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// want compares the findings with what is expected, one a line.
func (h *house) want(lines ...string) {
	h.Helper()
	slices.Sort(lines)
	if got, want := h.states(), strings.Join(lines, "\n"); got != want {
		h.Errorf("findings are\n%s\nwant\n%s", got, want)
	}
}
