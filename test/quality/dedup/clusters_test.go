package dedup

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/store"
)

// What the whole corpus must reach, and each class at least.
const (
	wantPrecision = 0.99
	wantRecall    = 0.95
)

// TestClusters shows row ING4 without a database: correlation over the parsed
// reports of each world gives the labelled groups.
func TestClusters(t *testing.T) {
	engine := newEngine(t)
	all := newFigures()
	for _, dir := range worlds(t) {
		w := load(t, engine, dir)
		of := w.correlate(w.order())
		one := newFigures()
		for _, f := range []*figures{one, all} {
			f.count(w, of)
			f.countAlike(w, of)
		}
		t.Logf("%s: %d findings of %d reports, %s", w.Name, len(w.sightings), len(w.Reports), one.total())
		for _, line := range one.failures {
			t.Log(line)
		}
	}
	all.judge(t)
}

// TestOrder shows row ING4: the order in which findings come changes no cluster.
func TestOrder(t *testing.T) {
	engine := newEngine(t)
	for _, dir := range worlds(t) {
		w := load(t, engine, dir)
		want := w.described(w.correlate(w.order()))
		chance := rand.New(rand.NewPCG(1, 2))
		for range 24 {
			order := w.order()
			chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			if got := w.described(w.correlate(order)); !slices.Equal(got, want) {
				t.Fatalf("%s: the clusters depend on the order of findings:\n%s\nand\n%s", w.Name, strings.Join(want, "\n"), strings.Join(got, "\n"))
			}
		}
	}
}

// described gives each cluster as a text. Findings that say the same may stand for
// each other.
func (w *loaded) described(of []int) (out []string) {
	members := map[int][]string{}
	for i, c := range of {
		members[c] = append(members[c], w.sightings[i].String())
	}
	for _, list := range members {
		slices.Sort(list)
		out = append(out, strings.Join(list, "\n  "))
	}
	slices.Sort(out)
	return out
}

func (w *loaded) order() []int {
	out := make([]int, len(w.sightings))
	for i := range out {
		out[i] = i
	}
	return out
}

// correlate gives the cluster of each sighting, a number that only its cluster has.
// The order decides ids and the order in blocks.
func (w *loaded) correlate(order []int) []int {
	families := slices.Sorted(maps.Keys(w.Reports))
	blocks := map[int64][]identity.Sighting{}
	at := map[int64]int{}
	for n, i := range order {
		o := w.sightings[i].o
		stream := w.stream[w.sightings[i].report]
		s := identity.Sighting{
			ID: int64(n + 1), Family: int64(slices.Index(families, w.sightings[i].report) + 1),
			Stream: stream.Tool + "\x00" + stream.Target + "\x00" + stream.Label + "\x00" + stream.Source, Target: stream.Target,
			Class: o.Class(), Tool: o.Tool, Rule: o.Rule, Title: o.Title, CWE: o.CWE, IDs: o.IDs, File: identity.PathOf(o), Line: o.Line,
			Image: o.Image, Host: o.Host, Resource: store.ResourceText(o.Resource), Severity: o.Severity.Rank(),
		}
		if p := o.Package; p != nil {
			s.Package, s.Version, s.PURL = p.Name, p.Version, p.PURL
		}
		s.ReadSpot(identity.Spot(o))
		at[s.ID] = i
		if b := s.Block(); b != 0 {
			blocks[b] = append(blocks[b], s)
		}
	}
	of := make([]int, len(w.sightings))
	for i := range of {
		of[i] = -1 - i // alone
	}
	next := 0
	for _, block := range blocks {
		for _, c := range identity.Correlate(block, nil, nil) {
			for _, m := range c.Members {
				of[at[block[m].ID]] = next
			}
			next++
		}
	}
	return of
}

// figures count pairs of sightings of different reports.
type figures struct {
	right, wrong, missed map[[2]string]int // by class and pair of reports' tools
	failures             []string
}

func newFigures() *figures {
	return &figures{right: map[[2]string]int{}, wrong: map[[2]string]int{}, missed: map[[2]string]int{}}
}

// count compares clusters with labels: of[i] == of[j] says that two are one problem.
func (f *figures) count(w *loaded, of []int) {
	for i := range w.sightings {
		for j := range w.sightings[:i] {
			a, b := &w.sightings[j], &w.sightings[i]
			same, said := w.group[i] >= 0 && w.group[i] == w.group[j], of[i] == of[j]
			if a.report == b.report || !same && !said || same && w.Same[w.group[i]].Alike {
				continue
			}
			key := [2]string{string(a.o.Class()), pairOf(a.o.Tool, b.o.Tool)}
			switch {
			case same && said:
				f.right[key]++
			case said:
				f.wrong[key]++
				f.failures = append(f.failures, fmt.Sprintf("  %s: WRONGLY JOINED\n    %s\n    %s", w.Name, a, b))
			default:
				f.missed[key]++
				f.failures = append(f.failures, fmt.Sprintf("  %s: MISSED (%s)\n    %s\n    %s", w.Name, w.Same[w.group[i]].Why, a, b))
			}
		}
	}
}

// countAlike counts the pairs of groups whose findings stand for each other: as many
// as the report that has fewer of them has.
func (f *figures) countAlike(w *loaded, of []int) {
	for n, g := range w.Same {
		if !g.Alike {
			continue
		}
		members := map[string][]int{}
		for i := range w.sightings {
			if w.group[i] == n {
				members[w.sightings[i].report] = append(members[w.sightings[i].report], i)
			}
		}
		reports := slices.Sorted(maps.Keys(members))
		for x, r := range reports {
			for _, q := range reports[:x] {
				key := [2]string{string(w.sightings[members[r][0]].o.Class()), pairOf(w.sightings[members[r][0]].o.Tool, w.sightings[members[q][0]].o.Tool)}
				want, joined := min(len(members[r]), len(members[q])), 0
				for _, i := range members[r] {
					for _, j := range members[q] {
						if of[i] == of[j] {
							joined++
						}
					}
				}
				f.right[key] += min(joined, want)
				f.missed[key] += want - min(joined, want)
			}
		}
	}
}

func pairOf(a, b string) string { return min(a, b) + " + " + max(a, b) }

func (f *figures) keys() [][2]string {
	all := map[[2]string]bool{}
	for _, m := range []map[[2]string]int{f.right, f.wrong, f.missed} {
		for k := range m {
			all[k] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
}

type share struct{ right, wrong, missed int }

func (s share) precision() float64 { return ratio(s.right, s.right+s.wrong) }
func (s share) recall() float64    { return ratio(s.right, s.right+s.missed) }
func (s share) String() string {
	return fmt.Sprintf("%d pairs right, %d wrong, %d missed: precision %.3f, recall %.3f", s.right, s.wrong, s.missed, s.precision(), s.recall())
}

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

func (f *figures) sum(where func(key [2]string) bool) (s share) {
	for _, k := range f.keys() {
		if where(k) {
			s.right, s.wrong, s.missed = s.right+f.right[k], s.wrong+f.wrong[k], s.missed+f.missed[k]
		}
	}
	return s
}

func (f *figures) total() share { return f.sum(func([2]string) bool { return true }) }

// judge prints the figures of each class and pair of tools, and fails below what is
// wanted.
func (f *figures) judge(t *testing.T) {
	t.Helper()
	var b strings.Builder
	class := ""
	for _, k := range f.keys() {
		if k[0] != class {
			class = k[0]
			fmt.Fprintf(&b, "%s: %s\n", class, f.sum(func(key [2]string) bool { return key[0] == class }))
		}
		fmt.Fprintf(&b, "  %-40s %s\n", k[1], f.sum(func(key [2]string) bool { return key == k }))
	}
	total := f.total()
	t.Logf("all: %s\n%s", total, b.String())
	if total.right == 0 {
		t.Error("no pair was right: nothing was measured")
	}
	if total.precision() < wantPrecision || total.recall() < wantRecall {
		t.Errorf("precision %.3f, recall %.3f; want %.2f and %.2f", total.precision(), total.recall(), wantPrecision, wantRecall)
	}
}

// TestEveryReportIsUsed: a report that no world reads proves nothing.
func TestEveryReportIsUsed(t *testing.T) {
	engine := newEngine(t)
	for _, dir := range worlds(t) {
		w := load(t, engine, dir)
		used := map[string]bool{}
		for _, r := range w.Reports {
			used[filepath.Base(r.File)] = true
		}
		files, err := filepath.Glob(filepath.Join(dir, "reports", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !used[filepath.Base(f)] {
				t.Errorf("%s is in no world: add it to world.yaml or remove it", f)
			}
		}
	}
}
