package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/filter"
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
		if _, err := h.p.Decide(t.Context(), h.r, sinew.Decision{
			Findings: []string{first}, Verdict: sinew.VerdictFalsePositive, Reason: "the input is a constant",
		}, ""); err != nil {
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
