package pipeline

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/pgtest"
	"github.com/sinewsec/sinew/internal/sinew"
)

// generator is a parser that makes up a report: n findings, of which the first
// moved have shifted by a line.
type generator struct{ n, moved, off int }

func (g generator) Parse(_ context.Context, _ ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	lines := newBodyWriter(body)
	for i := range g.n {
		o := sinew.Observation{
			Tool: "semgrep", Rule: fmt.Sprintf("java.lang.security.rule-%d", i%200), Title: "User input reaches a query without being escaped",
			Description: strings.Repeat("Untrusted input is concatenated into a query. ", 4),
			Severity:    sinew.Severities[i%5], ToolSeverity: "ERROR", CWE: []int{89}, IDs: []string{"CWE-89"},
			File: fmt.Sprintf("services/app-%d/src/main/File%d.java", i%50, i/20), Line: 10 + i%400, EndLine: 12 + i%400,
			Snippet: fmt.Sprintf("statement.executeQuery(\"SELECT * FROM t WHERE id = \" + request.getParameter(\"id%d\"));", i),
			Refs:    []string{"https://owasp.org/Top10/A03_2021-Injection"}, Tags: []string{"security", "owasp"},
		}
		if i < g.moved {
			o.Line++
		}
		if i < g.off {
			continue
		}
		if err := lines.write(sinew.SnapshotBody{Observation: &o}); err != nil {
			return nil, err
		}
	}
	if _, err := io.WriteString(evidence, strconv.Itoa(g.n)); err != nil {
		return nil, err
	}
	s := snapshotOf("semgrep", "shop", "main")
	s.Coverage = covered
	return parsed(s, false, lines), nil
}

// TestSpeed prints findings per second; SINEW_SPEED says how many findings.
func TestSpeed(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SINEW_SPEED"))
	if n == 0 {
		n = 2000
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			if only := os.Getenv("SINEW_ENGINE"); only != "" && only != engine {
				return
			}
			dsn := filepath.Join(t.TempDir(), "s.db")
			if engine == "postgres" {
				dsn = pgtest.URL(t)
			}
			h := newHouse(t, dsn)
			step := func(name string, g generator) *Result {
				h.p.opt.Parser = g
				begin := time.Now()
				h.now = h.now.Add(time.Hour)
				a, err := h.p.Import(t.Context(), h.r, Upload{Name: "r", Body: strings.NewReader(name)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				imported := time.Since(begin)
				res, err := h.p.ProjectUntil(t.Context(), h.ws.ID, a.Seq)
				if err != nil {
					t.Fatal(err)
				}
				took := time.Since(begin)
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				t.Logf("%-12s %8.0f/s  accept %v project %v  %v  heap %d MB sys %d MB", name, float64(g.n)/took.Seconds(),
					imported.Round(time.Millisecond), (took - imported).Round(time.Millisecond), res, m.HeapInuse>>20, m.Sys>>20)
				return res
			}
			if r := step("cold", generator{n: n}); r.New != n {
				t.Errorf("cold: %+v", r)
			}
			if r := step("same", generator{n: n}); r.Unchanged != n {
				t.Errorf("same: %+v", r)
			}
			if r := step("some moved", generator{n: n, moved: n / 100}); r.Changed != n/100 {
				t.Errorf("moved: %+v", r)
			}
			if n > 500_000 {
				return
			}
			if r := step("all moved", generator{n: n, moved: n}); r.Changed == 0 {
				t.Errorf("all moved: %+v", r)
			}
			if r := step("half gone", generator{n: n, moved: n, off: n / 2}); r.Fixed.Proven != n/2 {
				t.Errorf("half gone: %+v", r)
			}
		})
	}
}
