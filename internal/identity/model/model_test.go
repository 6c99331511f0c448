package model

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// valid writes the valid-time content of m, without ids, log entries and receipt: what
// the state hash is over (docs/decisions/005).
func valid(m *Model) string {
	var lines []string
	for _, f := range m.Findings() {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s reopened %d, %d..%d made by %d", f.State, f.Verdict, f.Reopened, f.FirstSeen, f.LastSeen, f.Made)
		for _, p := range f.Presences {
			fmt.Fprintf(&b, " [%s %s %s: %s %s %d..%d since %d]", p.Place.Kind, p.Place.Ref, p.Place.Environment, p.State, p.Basis,
				p.FirstSeen, p.LastSeen, p.Since)
			if o := p.Observation; o != nil {
				fmt.Fprintf(&b, " %s %s:%d %s %d", o.Rule, o.File, o.Line, o.Severity, identity.ContentHash(o))
			}
		}
		lines = append(lines, b.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// history makes a random one of a family: branches, changes, deployments, releases,
// scans that are complete, narrowed or failed, and rows that shift, move, are edited,
// rescored, fixed, copied and brought back.
type history struct {
	r    *rand.Rand
	rows map[string][]sinew.Observation // by ref
	next int
}

var refs = []string{"main", "release/1", "dev", "pr:1", "pr:2"}

func newHistory(seed uint64) *history {
	return &history{r: rand.New(rand.NewPCG(seed, 6)), rows: map[string][]sinew.Observation{}}
}

func (h *history) row() sinew.Observation {
	h.next++
	n := h.r.IntN(5)
	o := sinew.Observation{
		Tool: "tool", Rule: fmt.Sprint("rule", h.r.IntN(3)), Title: fmt.Sprint("title", h.next), Severity: sinew.SeverityHigh,
		File: fmt.Sprint("f", h.r.IntN(3), ".go"), Line: 1 + h.r.IntN(100),
	}
	if n > 0 {
		o.Snippet = fmt.Sprint("a snippet that is long enough ", h.r.IntN(6))
	}
	if n > 1 {
		o.Symbol = fmt.Sprint("f", h.r.IntN(3))
	}
	if n == 4 {
		o.ToolID = fmt.Sprint("id", h.next)
	}
	return o
}

func (h *history) facts(n int) []Fact {
	var facts []Fact
	for i := range n {
		at := int64(i+1) * 1_000_000
		if h.r.IntN(4) == 0 {
			at = int64(h.r.IntN(n)) * 1_000_000 // not unique, not ascending
		}
		f := Fact{At: at}
		ref := refs[h.r.IntN(len(refs))]
		switch h.r.IntN(12) {
		case 0:
			f.Ref = &RefEvent{Ref: ref, What: []string{"merged", "closed", "deleted"}[h.r.IntN(3)], Into: "main"}
		case 1:
			f.Deploy = &Deployment{Environment: []string{"prod", "stage"}[h.r.IntN(2)], Version: fmt.Sprint("c", h.r.IntN(i+1))}
		default:
			f.Snapshot = h.scan(ref, i)
		}
		facts = append(facts, f)
	}
	return facts
}

func (h *history) scan(ref string, i int) *Snapshot {
	rows, ok := h.rows[ref]
	if !ok {
		rows = slices.Clone(h.rows["main"])
	}
	var out []sinew.Observation
	shift := h.r.IntN(3) * h.r.IntN(20)
	for _, o := range rows {
		o.Line += shift
		switch h.r.IntN(12) {
		case 0:
			continue
		case 1:
			o.File = fmt.Sprint("f", h.r.IntN(4), ".go")
		case 2:
			o.Severity = sinew.SeverityLow
		case 3:
			o.Snippet = fmt.Sprint("a snippet that was edited ", h.r.IntN(3))
		case 4:
			out = append(out, o) // a copy
			o.Line += h.r.IntN(30)
		case 5:
			o.Status = sinew.ToolFixed
		}
		out = append(out, o)
	}
	for range h.r.IntN(3) {
		out = append(out, h.row())
	}
	h.rows[ref] = out
	s := &Snapshot{Observations: slices.Clone(out)}
	s.Stream = sinew.Stream{Tool: "tool", Target: "repo", Ref: ref}
	s.Mode = []sinew.Mode{sinew.ModeComplete, sinew.ModeComplete, sinew.ModeComplete, sinew.ModeDelta}[h.r.IntN(4)]
	s.Commit = fmt.Sprint("c", i)
	if i > 0 && h.r.IntN(2) == 0 {
		s.Ancestors = []string{fmt.Sprint("c", h.r.IntN(i))}
	}
	all := sinew.Scope{All: true}
	switch h.r.IntN(5) {
	case 0:
	case 1:
		s.Coverage = sinew.Coverage{Status: sinew.CoverageFailed}
	case 2:
		s.Coverage = sinew.Coverage{Status: sinew.CoverageComplete, Basis: sinew.BasisProven, Rules: all, Paths: sinew.Scope{Include: []string{"f1.go"}}}
	default:
		s.Coverage = sinew.Coverage{Status: sinew.CoverageComplete, Basis: sinew.BasisDeclared, Rules: all, Paths: all, Hosts: all}
	}
	return s
}

func folded(facts []Fact) *Model {
	m := New(identity.RefRules{})
	for i, f := range facts {
		f.Seq = int64(i + 1)
		m.facts = append(m.facts, f)
	}
	m.refold()
	return m
}

func seeded(t *testing.T) uint64 {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return seed
}

// ING4: any arrival of the same dated inputs ends in the same state.
func TestArrivalDoesNotMatter(t *testing.T) {
	seed := seeded(t)
	for round := range uint64(150) {
		h := newHistory(seed + round)
		facts := h.facts(4 + h.r.IntN(14))
		want := valid(folded(facts))
		for range 4 {
			h.r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
			if got := valid(folded(facts)); got != want {
				t.Fatalf("round %d:\n%s\nthen\n%s", round, want, got)
			}
		}
	}
}

// ING4: every observation is in exactly one finding, and a finding is observed at most
// once in a snapshot: N rows are N findings.
func TestOneToOne(t *testing.T) {
	seed := seeded(t)
	for round := range uint64(100) {
		h := newHistory(seed + round)
		facts := h.facts(12)
		m := folded(facts)
		rows := 0
		for i := range facts {
			s := facts[i].Snapshot
			if s == nil {
				continue
			}
			rows += len(s.Observations)
			births := map[int64]bool{}
			for n, a := range m.Assigned(int64(i + 1)) {
				if a.Birth == 0 {
					a.Birth, _ = sinew.LocalID(int64(i+1), int64(n))
				}
				if births[a.Birth] {
					t.Fatalf("round %d: snapshot %d shows a finding twice", round, i+1)
				}
				births[a.Birth] = true
			}
			if len(births) != len(s.Observations) {
				t.Fatalf("round %d: %d rows are %d findings", round, len(s.Observations), len(births))
			}
		}
		seen := 0
		ids := map[int64]bool{}
		for _, f := range m.Findings() {
			seen += len(f.Seen)
			if ids[f.ID] || !slices.Contains(f.Seen, f.ID) {
				t.Fatalf("round %d: finding %d is there twice, or was born elsewhere", round, f.ID)
			}
			ids[f.ID] = true
		}
		if seen != rows {
			t.Fatalf("round %d: %d observations are in findings, of %d", round, seen, rows)
		}
	}
}

// ING6: nothing is fixed without a coverage that includes it, a withdrawal, or the
// tool's own word; without any of these the active number never falls.
func TestNothingClosesWithoutCoverage(t *testing.T) {
	seed := seeded(t)
	for round := range uint64(100) {
		h := newHistory(seed + round)
		facts := h.facts(12)
		for i := range facts {
			if s := facts[i].Snapshot; s != nil {
				s.Coverage = []sinew.Coverage{
					{},
					{Status: sinew.CoverageFailed},
					{Status: sinew.CoveragePartial, Rules: sinew.Scope{All: true}, Paths: sinew.Scope{All: true}},
					{Status: sinew.CoverageComplete, Paths: sinew.Scope{All: true}},
					{Status: sinew.CoverageComplete, Rules: sinew.Scope{All: true}},
				}[h.r.IntN(5)]
				for n := range s.Observations {
					s.Observations[n].Status = ""
				}
			}
			if facts[i].Ref != nil && facts[i].Ref.What == "closed" {
				facts[i].Ref.What = "merged"
			}
		}
		for i, f := range facts {
			if f.Ref != nil && f.Ref.Ref == "main" {
				facts[i].Ref = &RefEvent{Ref: "main", What: "deleted"} // what is merged into itself is gone
			}
		}
		for _, f := range folded(facts).Findings() {
			if !f.State.Active() {
				t.Fatalf("round %d: a finding is %s\n%+v", round, f.State, f.Presences)
			}
		}
	}
}

// ING4: the same report twice changes nothing but when things were last seen.
func TestRepeatedReport(t *testing.T) {
	seed := seeded(t)
	states := func(m *Model) (s []string) {
		for _, f := range m.Findings() {
			for _, p := range f.Presences {
				s = append(s, fmt.Sprint(f.ID, f.State, f.Reopened, p.Place, p.State, p.Basis, p.FirstSeen, p.Since, identity.ContentHash(p.Observation)))
			}
		}
		return s
	}
	for round := range uint64(100) {
		h := newHistory(seed + round)
		facts := h.facts(10)
		last := Fact{At: 100_000_000, Snapshot: h.scan(refs[h.r.IntN(len(refs))], 50)}
		for n := range last.Snapshot.Observations {
			last.Snapshot.Observations[n].Status = ""
		}
		facts = append(facts, last)
		before := folded(facts)
		last.At++
		after := folded(append(facts, last))
		if a, b := states(before), states(after); !slices.Equal(a, b) {
			t.Fatalf("round %d:\n%s\nthen\n%s", round, strings.Join(a, "\n"), strings.Join(b, "\n"))
		}
		for n, a := range after.Assigned(int64(len(facts) + 1)) {
			if a.Pass != identity.PassUnchanged {
				t.Fatalf("round %d: row %d was recognised by pass %s", round, n, a.Pass)
			}
		}
	}
}

// ING4: shifted lines, renamed files, rescored severities and reworded texts keep the
// identity of every finding that can be told from the others.
func TestIdentitySurvives(t *testing.T) {
	seed := seeded(t)
	r := rand.New(rand.NewPCG(seed, 7))
	for round := range 100 {
		n := 1 + r.IntN(30)
		rows := make([]sinew.Observation, n)
		for i := range rows {
			rows[i] = sinew.Observation{
				Tool: "tool", Rule: fmt.Sprint("rule", i%3), Title: "t", Severity: sinew.SeverityHigh, File: fmt.Sprint("dir/f", i%4, ".go"),
				Line: 10 * (i + 1), Snippet: fmt.Sprint("something worth to be reported ", i),
			}
		}
		scan := func(at int64, rows []sinew.Observation) Fact {
			s := &Snapshot{Observations: rows}
			s.Mode, s.Coverage.Status = sinew.ModeComplete, sinew.CoverageComplete
			all := sinew.Scope{All: true}
			s.Coverage.Rules, s.Coverage.Paths = all, all
			return Fact{At: at, Snapshot: s}
		}
		changed := slices.Clone(rows)
		shift := r.IntN(200)
		for i := range changed {
			o := &changed[i]
			o.Line += shift
			switch r.IntN(4) {
			case 0:
				o.File = "moved/" + o.File
			case 1:
				o.Severity, o.CVSS = sinew.SeverityLow, []sinew.CVSS{{Score: 3}}
			case 2:
				o.Title, o.Description = "other words", "more of them"
			case 3:
				o.Snippet = strings.ReplaceAll(o.Snippet, " ", "\n\t")
			}
		}
		r.Shuffle(n, func(i, j int) { changed[i], changed[j] = changed[j], changed[i] })
		m := folded([]Fact{scan(1, rows), scan(2, changed)})
		findings := m.Findings()
		if len(findings) != n {
			t.Fatalf("round %d: %d rows became %d findings", round, n, len(findings))
		}
		number := func(o *sinew.Observation) string {
			f := strings.Fields(o.Snippet)
			return f[len(f)-1]
		}
		for _, f := range findings {
			_, first := sinew.SplitLocalID(f.Seen[0])
			if f.State != sinew.StateOpen || number(&rows[first]) != number(f.Presences[0].Observation) {
				t.Fatalf("round %d: %s became %s, %s", round, rows[first].Snippet, f.Presences[0].Observation.Snippet, f.State)
			}
		}
	}
}

// Decision 005: births that were given out stay, or redirect to one that stays; and
// assignments can be written and read.
func TestBirthsAreKept(t *testing.T) {
	seed := seeded(t)
	for round := range uint64(60) {
		h := newHistory(seed + round)
		facts := h.facts(12)
		h.r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
		m := New(identity.RefRules{})
		given := map[int64]bool{}
		for i, f := range facts {
			f.Seq = int64(i + 1)
			m.Add(f)
			now := map[int64]bool{}
			for _, f := range m.Findings() {
				now[f.ID] = true
			}
			for id := range given {
				to, redirected := m.Redirects()[id]
				if now[id] == redirected || redirected && (!now[to] || to > id) {
					t.Fatalf("round %d: finding %d is there: %v, redirected: %v to %d", round, id, now[id], redirected, to)
				}
			}
			for from := range m.Redirects() {
				if !given[from] {
					t.Fatalf("round %d: %d redirects and was never given out", round, from)
				}
			}
			maps.Copy(given, now)
		}
		for i := range facts {
			list := m.Assigned(int64(i + 1))
			b, err := identity.EncodeAssignment(list)
			if err != nil {
				t.Fatal(err)
			}
			if back, err := identity.DecodeAssignment(b); err != nil || !slices.Equal(back, list) {
				t.Fatalf("round %d: %v, %v", round, back, err)
			}
		}
	}
}
