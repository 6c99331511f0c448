package model

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// A story is a text in testdata/*.story: facts in, states out.
//
//	# a comment, to the end of the line
//	scan REF[@VERSION] DAY [WORD...]: ROW...    a snapshot
//	merge REF into REF DAY | close REF DAY | delete REF DAY
//	deploy VERSION to ENVIRONMENT DAY | end HOST DAY
//	decide NAME VERDICT DAY                     none = the decision's time ran out
//	expect: [NAME STATE PLACE=STATE... [reopened=N] [verdict=V] [basis=B]] ...
//
// Words of a scan: complete partial failed (declared coverage), paths=GLOB[,GLOB],
// rules=..., proven=GLOB (paths that the report itself tells), delta, window,
// after=COMMIT[,COMMIT], withdraw=TOOLID. A day is a number: days since the beginning
// of 2026. A row is NAME[:LINE][,field=value...]; the name gives rule, file and
// snippet, each of which a field overrides: file, rule, snippet, symbol, title,
// severity, tool (id), status, host, secret, plain (no snippet).
//
// A finding is called after the first of its observations; two that would be called
// alike are NAME and NAME#2, in order of lines. `expect:` lists every finding, its
// state, then its presences; it ends at an empty line. Places are refs and
// environments; @ marks an environment.
//
// Every story is told again with its facts arriving in other orders: the states at the
// end must be the same. `in order` as the first line says that this one may not be.
type story struct {
	facts   []Fact
	names   map[string]string // of observations, by content
	expects []expectation
	inOrder bool
}

type expectation struct {
	after int // facts told before
	line  int
	want  []string
}

func parseStory(t *testing.T, text string) *story {
	t.Helper()
	s := &story{names: map[string]string{}}
	expecting := false
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(" "+line, " # ")
		line = strings.TrimPrefix(line, " ")
		if strings.TrimSpace(line) == "" {
			expecting = false
			continue
		}
		if line == "in order" {
			s.inOrder = true
			continue
		}
		if strings.TrimSpace(line) == "expect:" {
			expecting = true
			s.expects = append(s.expects, expectation{after: len(s.facts), line: n + 1})
			continue
		}
		if expecting {
			e := &s.expects[len(s.expects)-1]
			e.want = append(e.want, strings.Join(strings.Fields(line), " "))
			continue
		}
		f, err := s.fact(line)
		if err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		f.Seq = int64(len(s.facts) + 1)
		s.facts = append(s.facts, f)
	}
	if len(s.expects) == 0 {
		t.Fatal("the story expects nothing")
	}
	return s
}

func day(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(n)).UnixMicro(), err
}

func (s *story) fact(line string) (f Fact, err error) {
	head, rows, _ := strings.Cut(line, ": ")
	w := strings.Fields(strings.TrimSuffix(head, ":"))
	bad := fmt.Errorf("cannot read %q", line)
	last := w[len(w)-1]
	switch {
	case w[0] == "scan" && len(w) >= 3:
		f.Snapshot, err = s.scan(w[1], w[3:], strings.Fields(rows))
		if err != nil {
			return f, err
		}
		last = w[2]
	case w[0] == "merge" && len(w) == 5 && w[2] == "into":
		f.Ref = &RefEvent{Ref: w[1], What: "merged", Into: w[3]}
	case (w[0] == "close" || w[0] == "delete") && len(w) == 3:
		f.Ref = &RefEvent{Ref: w[1], What: w[0] + "d"}
	case w[0] == "deploy" && len(w) == 5 && w[2] == "to":
		f.Deploy = &Deployment{Version: w[1], Environment: w[3]}
	case w[0] == "end" && len(w) == 3:
		f.End = &End{Host: w[1]}
	case w[0] == "decide" && len(w) == 4:
		f.Decision = &Decision{Verdict: sinew.Verdict(strings.TrimSuffix(w[2], "none"))}
		s.names[fmt.Sprintf("decision %d", len(s.facts))] = w[1]
	default:
		return f, bad
	}
	f.At, err = day(last)
	return f, err
}

func (s *story) scan(ref string, words, rows []string) (*Snapshot, error) {
	snap := &Snapshot{}
	snap.Mode = sinew.ModeComplete
	snap.Stream = sinew.Stream{Tool: "tool", Target: "git.example.org/shop", Ref: strings.Trim(ref, "-")}
	if r, v, ok := strings.Cut(ref, "@"); ok {
		snap.Stream.Ref, snap.Commit = r, v
	}
	var report, declared sinew.Coverage
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		list := strings.Split(value, ",")
		switch key {
		case "complete", "partial", "failed":
			declared.Status, declared.Basis = sinew.CoverageStatus(key), sinew.BasisDeclared
		case "paths":
			declared.Paths.Include = list
		case "rules":
			declared.Rules.Include = list
		case "proven":
			all := sinew.Scope{All: true}
			report = sinew.Coverage{Status: sinew.CoverageComplete, Basis: sinew.BasisProven, Rules: all, Hosts: all, Paths: sinew.Scope{Include: list}}
		case "delta", "window":
			snap.Mode = sinew.Mode(key)
		case "after":
			snap.Ancestors = list
		case "withdraw":
			snap.Withdraw = list
		default:
			return nil, fmt.Errorf("unknown word %q", w)
		}
	}
	snap.Coverage = identity.Combine(report, declared)
	for _, r := range rows {
		o, name, err := parseRow(r)
		if err != nil {
			return nil, err
		}
		s.names[observationKey(&o)] = name
		snap.Observations = append(snap.Observations, o)
	}
	return snap, nil
}

func parseRow(row string) (o sinew.Observation, name string, err error) {
	fields := strings.Split(row, ",")
	name, line, _ := strings.Cut(fields[0], ":")
	o = sinew.Observation{
		Tool: "tool", Rule: "rule-" + strings.ToLower(name), Title: "Title of " + name, Severity: sinew.SeverityHigh,
		File: strings.ToLower(name) + ".go", Snippet: "the line that shows " + name + " of the story",
	}
	if line != "" {
		if o.Line, err = strconv.Atoi(line); err != nil {
			return o, name, err
		}
	}
	for _, f := range fields[1:] {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "file":
			o.File = value
		case "rule":
			o.Rule = value
		case "snippet":
			o.Snippet = value
		case "plain":
			o.Snippet = ""
		case "symbol":
			o.Symbol = value
		case "title":
			o.Title = value
		case "severity":
			o.Severity = sinew.Severity(value)
		case "tool":
			o.ToolID = value
		case "status":
			o.Status = sinew.ToolStatus(value)
		case "host":
			o.Host, o.File, o.Snippet = value, "", ""
		case "secret":
			o.Secret, o.Snippet = value, ""
		default:
			return o, name, fmt.Errorf("unknown field %q", f)
		}
	}
	return o, name, nil
}

func observationKey(o *sinew.Observation) string {
	return fmt.Sprint(identity.ContentHash(o))
}

// told is a story that is being told, in some order.
type told struct {
	*story
	model *Model
	seqOf map[int]int64 // log entry of each fact of the story
}

func (s *story) tell() *told {
	return &told{story: s, model: New(identity.RefRules{}), seqOf: map[int]int64{}}
}

func (p *told) add(i int) error {
	f := p.facts[i]
	f.Seq = int64(len(p.seqOf) + 1)
	if f.Decision != nil {
		d := *f.Decision
		f.Decision = &d
		for name, v := range p.named() {
			if name == p.names[fmt.Sprintf("decision %d", i)] {
				d.Finding = v.ID
			}
		}
		if d.Finding == 0 {
			return fmt.Errorf("nothing is called %s yet", p.names[fmt.Sprintf("decision %d", i)])
		}
	}
	p.seqOf[i] = f.Seq
	p.model.Add(f)
	return nil
}

// observation finds an observation of the story by its local id.
func (p *told) observation(id int64) *sinew.Observation {
	seq, n := sinew.SplitLocalID(id)
	for i, s := range p.seqOf {
		if s == seq {
			return &p.facts[i].Snapshot.Observations[n]
		}
	}
	return nil
}

func (p *told) named() map[string]Finding {
	findings := p.model.Findings()
	firstLine := func(f Finding) int { return p.observation(f.Seen[0]).Line }
	slices.SortStableFunc(findings, func(a, b Finding) int { return firstLine(a) - firstLine(b) })
	out := map[string]Finding{}
	for _, f := range findings {
		base := p.names[observationKey(p.observation(f.Seen[0]))]
		name := base
		for n := 2; ; n++ {
			if _, taken := out[name]; !taken {
				break
			}
			name = fmt.Sprintf("%s#%d", base, n)
		}
		out[name] = f
	}
	return out
}

func (p *told) states() map[string]string {
	out := map[string]string{}
	for name, f := range p.named() {
		words := []string{name, string(f.State)}
		basis := ""
		for i, pr := range f.Presences {
			place := pr.Place.Ref
			if pr.Place.Kind == sinew.PlaceDeployed {
				place = "@" + pr.Place.Environment
			}
			if place == "" {
				place = "-"
			}
			words = append(words, place+"="+string(pr.State))
			if i == f.Made && pr.State == sinew.PresenceFixed {
				basis = "basis=" + string(pr.Basis)
			}
		}
		if f.Reopened > 0 {
			words = append(words, fmt.Sprintf("reopened=%d", f.Reopened))
		}
		if f.Verdict != "" {
			words = append(words, "verdict="+string(f.Verdict))
		}
		if basis != "" {
			words = append(words, basis)
		}
		out[name] = strings.Join(words, " ")
	}
	return out
}

func (e *expectation) check(states map[string]string) error {
	var names []string
	for _, want := range e.want {
		name, _, _ := strings.Cut(want, " ")
		names = append(names, name)
		if got := states[name]; got != want && strings.TrimSuffix(strings.TrimSuffix(got, " basis=declared"), " basis=proven") != want {
			return fmt.Errorf("line %d: got  %s\n        want %s", e.line, got, want)
		}
	}
	for name, got := range states {
		if !slices.Contains(names, name) {
			return fmt.Errorf("line %d: not expected: %s", e.line, got)
		}
	}
	return nil
}

// TestStories tells the stories of ING4, ING6 and GRA14, in order and in other orders.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(text), "\n=== ")[1:] {
			title, body, _ := strings.Cut(part, "\n")
			t.Run(fmt.Sprintf("%s/%s", strings.TrimSuffix(filepath.Base(file), ".story"), title), func(t *testing.T) {
				tellStory(t, parseStory(t, body), uint64(i))
			})
		}
	}
}

func tellStory(t *testing.T, s *story, seed uint64) {
	p := s.tell()
	for i := 0; ; i++ {
		for _, e := range s.expects {
			if e.after == i {
				if err := e.check(p.states()); err != nil {
					t.Error(err)
				}
			}
		}
		if i == len(s.facts) {
			break
		}
		if err := p.add(i); err != nil {
			t.Fatal(err)
		}
	}
	if s.inOrder || slices.ContainsFunc(s.facts, func(f Fact) bool { return f.Decision != nil }) {
		return // a decision names what was known when it was made
	}
	want := valid(p.model)
	r := rand.New(rand.NewPCG(seed, 5))
	for range 20 {
		order := r.Perm(len(s.facts))
		q := s.tell()
		for _, i := range order {
			if err := q.add(i); err != nil {
				t.Fatal(err)
			}
		}
		if got := valid(q.model); got != want {
			t.Fatalf("arriving as %v it ends otherwise:\n%s\nin order:\n%s", order, got, want)
		}
	}
}
