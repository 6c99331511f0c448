package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// by gives an observation of another tool.
func by(tool string, o sinew.Observation) sinew.Observation {
	o.Tool, o.Rule = tool, tool+"-"+o.Rule
	o.Fingerprints = nil
	return o
}

// scanBy is a report of a tool on the main branch of the shop.
func scanBy(tool string, obs ...sinew.Observation) report {
	s := snapshotOf(tool, "shop", "main")
	s.Coverage = covered
	return report{s, body(obs...)}
}

// shown lists what a list shows, one a line: rule, state, tools.
func (h *house) shown(query string) string {
	h.Helper()
	q, err := filter.Parse(query)
	if err != nil {
		h.Fatal(err)
	}
	list, _, err := h.db.Findings(h.Context(), h.r, q, store.Page{Limit: 1000})
	if err != nil {
		h.Fatal(err)
	}
	var lines []string
	for _, f := range list {
		line := f.Rule + " " + string(f.State)
		if len(f.Tools) > 0 {
			line += " told by " + strings.Join(f.Tools, ", ")
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func (h *house) wantShown(query, want string) {
	h.Helper()
	if got := h.shown(query); got != want {
		h.Errorf("%q shows %q, want %q", query, got, want)
	}
}

// idOf is the public id of the finding of a rule.
func (h *house) idOf(rule string) string {
	h.Helper()
	for _, f := range h.rows() {
		if f.Rule == rule {
			return sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID)
		}
	}
	h.Fatalf("there is no finding of %s", rule)
	return ""
}

// checkRebuild has the projection rebuilt and wants no difference.
func (h *house) checkRebuild() {
	h.Helper()
	_, hist := h.hashes()
	r, err := h.p.Rebuild(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatalf("rebuild: %v", err)
	}
	if !r.Equal || r.Before != hist {
		h.Errorf("rebuild: %+v", r)
	}
}

// TestOneProblem is two tools telling the same problem: lists show it once, what is
// decided holds for both, a person may tell them apart and take that back, and when
// one tool sees it no more it is still there (ING4).
func TestOneProblem(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, fresh func() *house) {
		h := fresh()
		h.now = minute(50)
		worse := by("codeql", code("A", "a.go", 10))
		worse.Severity = sinew.SeverityCritical
		h.send(scan("main", code("A", "a.go", 10), code("B", "b.go", 2)), at(10))
		h.wantShown("", "A open; B open")
		first := h.idOf("A")
		h.send(scanBy("codeql", worse), at(11))
		h.wantShown("", "B open; codeql-A open told by codeql, semgrep")
		h.wantShown("is:duplicate", "A open")
		h.wantShown("tool:semgrep", "B open; codeql-A open told by codeql, semgrep")
		h.wantShown("-tool:semgrep", "")
		h.wantShown("is:merged", "codeql-A open told by codeql, semgrep")

		counts, err := h.db.Counts(t.Context(), h.r, nil)
		if err != nil || counts.Total != 2 || counts.Tools["semgrep"] != 2 || counts.Tools["codeql"] != 1 {
			t.Errorf("counts: %+v %v", counts, err)
		}
		d, err := h.db.Finding(t.Context(), h.r, first)
		if err != nil || d.Cluster == nil || len(d.Cluster.Members) != 2 || len(d.Cluster.Joins) != 1 {
			t.Fatalf("the first id leads to %+v %v", d, err)
		}
		if j := d.Cluster.Joins[0]; j.Rule != "code: weakness and line" || len(j.Fields) == 0 || j.Fields[0].A != "CWE-89" {
			t.Errorf("joined by %+v", j)
		}
		if d.Finding.PartOf != h.idOf("codeql-A") {
			t.Errorf("part of %q", d.Finding.PartOf)
		}

		// What is decided on one holds for all, also when the other is alone later.
		decision := sinew.Decision{Findings: []string{first}, Verdict: sinew.VerdictFalsePositive, Reason: "the input is a constant"}
		a, err := h.p.Decide(t.Context(), h.r, decision, "")
		if err != nil {
			t.Fatal(err)
		}
		h.project()
		undone, err := h.p.Undo(t.Context(), h.r, sinew.PublicID(h.ws.UUID, sinew.IDDecision, a.Seq<<28), "")
		if err != nil || undone.Restored != 1 || undone.Kept != 0 {
			t.Errorf("taken back: %+v %v", undone, err)
		}
		h.project()
		h.wantShown("is:false_positive", "")
		if _, err := h.p.Decide(t.Context(), h.r, decision, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		h.wantShown("is:false_positive", "codeql-A false_positive told by codeql, semgrep")
		h.send(scan("main", code("B", "b.go", 2)), at(12))
		h.wantShown("", "B open; codeql-A false_positive told by codeql, semgrep")
		h.checkRebuild()

		// A tool that comes later does not open it again.
		h.send(scanBy("bandit", by("bandit", code("A", "a.go", 10))), at(13))
		h.wantShown("is:open", "B open")

		// Told apart, each stands for itself; taken back, they are one again.
		link, err := h.p.Link(t.Context(), h.r, sinew.Link{Kind: sinew.LinkDifferent, Findings: []string{h.idOf("bandit-A"), first, h.idOf("codeql-A")}}, "")
		if err != nil {
			t.Fatal(err)
		}
		h.project()
		h.wantShown("is:open", "B open; bandit-A open")
		h.checkRebuild()
		if _, err := h.p.UndoLink(t.Context(), h.r, link.Seq, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		h.wantShown("is:open", "B open")
		if links, err := h.db.LinksSeen(t.Context(), h.r); err != nil || len(links) != 0 {
			t.Errorf("links: %+v %v", links, err)
		}

		// Rules that are never the same, and findings that a person joins.
		if _, err := h.p.Link(t.Context(), h.r, sinew.Link{Kind: sinew.LinkNever, Findings: []string{h.idOf("bandit-A"), h.idOf("codeql-A")}}, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		if e, err := h.p.ExplainDedup(t.Context(), h.r, h.idOf("bandit-A"), h.idOf("codeql-A")); err != nil || e.Same || !strings.Contains(e.Why, "never") {
			t.Errorf("explained: %+v %v", e, err)
		}
		join := sinew.Link{Kind: sinew.LinkSame, Findings: []string{h.idOf("B"), h.idOf("bandit-A")}}
		if p, err := h.p.PreviewLink(t.Context(), h.r, join); err != nil || len(p.After) == 0 || slices.EqualFunc(p.Before, p.After, slices.Equal) {
			t.Errorf("preview: %+v %v", p, err)
		}
		if _, err := h.p.Link(t.Context(), h.r, join, ""); err != nil {
			t.Fatal(err)
		}
		h.project()
		if e, err := h.p.ExplainDedup(t.Context(), h.r, h.idOf("B"), h.idOf("bandit-A")); err != nil || !e.Same {
			t.Errorf("explained: %+v %v", e, err)
		}
		h.checkRebuild()
	})
}

// TestOneProblemInAnyOrder sends what several tools tell of one tree, in any order:
// the state is the same, and so is what lists show (ING4).
func TestOneProblemInAnyOrder(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, fresh func() *house) {
		rnd := rand.New(rand.NewPCG(1, 2))
		tools := []string{"semgrep", "codeql", "bandit", "sonar"}
		var facts []fact
		for i := range 12 {
			tool := tools[i%len(tools)]
			var obs []sinew.Observation
			for range 1 + rnd.IntN(5) {
				o := by(tool, code(string(rune('A'+rnd.IntN(2))), fmt.Sprintf("%c.go", 'x'+rnd.IntN(2)), 10+10*rnd.IntN(3)))
				o.EndLine = o.Line + 10*rnd.IntN(2)
				obs = append(obs, o)
			}
			facts = append(facts, fact{rep: new(scanBy(tool, obs...)), opt: at(i + 1)})
		}
		var state, shown string
		for try := range 4 {
			h := fresh()
			h.now = minute(10_000)
			for _, f := range facts {
				h.tell(f)
				if rnd.IntN(2) == 0 {
					h.project()
				}
			}
			h.project()
			s, _ := h.hashes()
			if try == 0 {
				state, shown = s, h.shown("")
				if !strings.Contains(shown, "told by") {
					t.Fatal("nothing is told by several: the test says nothing")
				}
			}
			if got := h.shown(""); s != state || got != shown {
				t.Errorf("order %d shows\n%s\nwas\n%s", try, got, shown)
			}
			h.checkRebuild()
			rnd.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
		}
	})
}

// dependency is an observation of a package with a vulnerability.
func dependency(tool, id, at string) sinew.Observation {
	return sinew.Observation{
		Tool: tool, Rule: id, Title: id + " in lodash", Severity: sinew.SeverityHigh, IDs: []string{id},
		Package: &sinew.Package{Name: "lodash", Version: "4.17.15", PURL: "pkg:npm/lodash@4.17.15", Path: at},
	}
}

// TestLateAliases: two tools tell one vulnerability by different names. Once a bundle
// says that these are one, so are the findings; the order does not matter (ING3, ING4).
func TestLateAliases(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, fresh func() *house) {
		bundle := `{"id":"GHSA-p6mc-m468-83gw","aliases":["CVE-2020-8203"]}`
		reports := []report{
			scanBy("trivy", dependency("trivy", "CVE-2020-8203", "package-lock.json")),
			scanBy("npm-audit", dependency("npm-audit", "GHSA-p6mc-m468-83gw", "package-lock.json")),
		}
		aliases := func(h *house) {
			if _, _, err := h.p.ImportAliases(h.Context(), h.r, "all.zip", strings.NewReader(bundle)); err != nil {
				h.Fatal(err)
			}
			h.project()
		}
		var states []string
		for _, early := range []bool{false, true} {
			h := fresh()
			h.now = minute(50)
			if early {
				aliases(h)
			}
			for i, r := range reports {
				h.send(r, at(10+i))
			}
			if !early {
				h.wantShown("", "CVE-2020-8203 open; GHSA-p6mc-m468-83gw open")
				aliases(h)
			}
			h.wantShown("", "CVE-2020-8203 open told by npm-audit, trivy")
			h.wantShown("id:CVE-2020-8203", "CVE-2020-8203 open told by npm-audit, trivy")
			h.checkRebuild()
			state, _ := h.hashes()
			states = append(states, state)
			if in, err := h.p.Intel(t.Context(), h.r); err != nil || len(in) != 1 || in[0].Sets != 1 {
				t.Errorf("intelligence: %+v %v", in, err)
			}
		}
		if states[0] != states[1] {
			t.Error("the state depends on when the names came")
		}
	})
}

// upgraded reads reports as a newer mapping does: other words, other severities.
type upgraded struct{ n int }

func (u upgraded) Parse(ctx context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	raw, err := io.ReadAll(io.NewSectionReader(req.Input.R, 0, req.Input.Size))
	if err != nil {
		return nil, err
	}
	var r report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	for i := range r.Body {
		o := r.Body[i].Observation
		o.Title, o.Description = fmt.Sprintf("%s, as mapping %d says it", o.Title, u.n), fmt.Sprint("Words of mapping ", u.n)
		o.Severity = sinew.Severities[u.n%len(sinew.Severities)]
	}
	if raw, err = json.Marshal(r); err != nil {
		return nil, err
	}
	req.Input.R, req.Input.Size = bytes.NewReader(raw), int64(len(raw))
	return fakeParser{}.Parse(ctx, req, body, evidence)
}

// TestUpgrades has ten upgrades of mapping and matcher run over what is stored, after
// decisions on problems that several tools tell: none is lost, and every id still
// leads to its finding (ING2, ING4).
func TestUpgrades(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, fresh func() *house) {
		h := fresh()
		h.now = minute(100)
		for round := range 2 {
			for i, tool := range []string{"semgrep", "codeql", "bandit"} {
				line := 10 + 3*round
				h.send(scanBy(tool, by(tool, code("A", "a.go", line)), by(tool, code("A", "b.go", line+10)), by(tool, code("B", "c.go", line+10))), at(10+10*round+i))
			}
		}
		var ids, decided []string
		for _, f := range h.rows() {
			id := sinew.PublicID(h.ws.UUID, sinew.IDFinding, f.ID)
			if ids = append(ids, id); f.Lead <= 0 && f.File != "a.go" {
				decided = append(decided, id)
			}
		}
		if len(ids) != 9 || len(decided) != 2 {
			t.Fatalf("%d findings, %d to decide on", len(ids), len(decided))
		}
		for _, id := range decided {
			if _, err := h.p.Decide(t.Context(), h.r, sinew.Decision{Findings: []string{id}, Verdict: sinew.VerdictAccepted, Reason: "known " + id}, ""); err != nil {
				t.Fatal(err)
			}
			h.project()
		}
		want := h.stands()
		if strings.Count(want, "accepted") != 6 {
			t.Fatalf("decided: %s", want)
		}
		for n := range 10 {
			h.now = h.now.Add(time.Hour)
			var err error
			if n%2 == 0 {
				h.p.opt.Parser = upgraded{n}
				_, err = h.p.Remap(t.Context(), h.r, func(format string) (string, string) { return format, fmt.Sprintf("%02d", n+1) }, false, nil)
			} else {
				h.p.pair = identity.MatchRows
				if n%4 == 1 { // one that recognises nothing, put right by the next
					h.p.pair = func(identity.Rows[identity.Prior], identity.Rows[identity.Keys], []identity.Pair) (int, error) {
						return 0, nil
					}
				}
				_, err = h.p.Rematch(t.Context(), h.r, false, nil)
			}
			if err != nil {
				t.Fatalf("upgrade %d: %v", n, err)
			}
			for _, id := range ids {
				if _, err := h.db.Finding(t.Context(), h.r, id); err != nil {
					t.Fatalf("after upgrade %d: %v", n, err)
				}
			}
			for _, id := range decided {
				d, err := h.db.Finding(t.Context(), h.r, id)
				if err != nil || d.Decision == nil || d.Decision.Reason != "known "+id {
					t.Fatalf("after upgrade %d the decision on %s is %+v %v", n, id, d, err)
				}
			}
		}
		h.p.pair = identity.MatchRows
		if _, err := h.p.Rematch(t.Context(), h.r, false, nil); err != nil {
			t.Fatal(err)
		}
		if got := h.stands(); got != want {
			t.Errorf("in the end stands\n%s\nwant\n%s", got, want)
		}
		h.checkRebuild()
	})
}
