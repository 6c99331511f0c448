package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestSuffix tells two houses the same random history, item by item and out of
// order, with decisions and rules in between. One folds what comes late with all
// that came before it, the other the suffix only: after each item every row of both
// is the same, and so is a rebuild (ING4, TRU2).
func TestSuffix(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		stayed := 0
		seeds := []uint64{10295510217427932956} // a finding that is born again, in another block than before
		for range 2 {
			seeds = append(seeds, rand.Uint64())
		}
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { stayed += checkSuffix(t, seed, open(), open()) })
		}
		if stayed == 0 {
			t.Error("every late item was folded with all that came before it")
		}
	})
}

// checkSuffix reports how many steps stayed where they were when something came late.
func checkSuffix(t *testing.T, seed uint64, h, whole *house) (stayed int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 4))
	facts := history(rnd, 14)
	for i := range facts {
		if r := facts[i].rep; r != nil && rnd.IntN(4) > 0 {
			r.Snapshot.Stream.Tool = "semgrep"
		}
	}
	tied(rnd, facts)
	descended(rnd, facts)
	late := facts[len(facts)/2:]
	rnd.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	if rnd.IntN(3) == 0 {
		rnd.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	}
	whole.p.foldWhole = true
	if rnd.IntN(3) == 0 {
		h.p.undo = 200 + rnd.Int64N(3000) // what is late by more is folded from the beginning
	}
	both := []*house{h, whole}
	h.now, whole.now = minute(10), minute(10)
	for i, f := range facts {
		decide := rnd.IntN(3) == 0
		rules := rnd.IntN(8) == 0
		pick, verdict := rnd.IntN(1000), []sinew.Verdict{sinew.VerdictAccepted, sinew.VerdictTriaged, sinew.VerdictReopen}[rnd.IntN(3)]
		for _, h := range both {
			h.now = minute(22 + 2*i)
			seq := h.tell(f)
			h.project()
			if h != whole {
				stayed += h.stayed(seq)
			}
			if rows := h.rows(); decide && len(rows) > 0 {
				h.decideOn(rows[pick%len(rows)].ID, verdict)
			}
			if rules {
				h.setRules(fmt.Sprintf("%c/**", 'a'+pick%3), pick%4 == 0)
			}
		}
		names := []string{"snapshot", "event"} // of the workspace are in these
		if d := differ(h.tables(names...), whole.tables(names...)); d != nil {
			t.Fatalf("after item %d of %d (%s): %s\nsuffix\n%s\nwhole\n%s", i+1, len(facts), describe(f), d, h.summary(), whole.summary())
		}
	}
	r, err := h.p.Rebuild(t.Context(), h.ws.ID)
	if err != nil || !r.Equal {
		t.Errorf("rebuild: %+v %v", r, err)
	}
	h.verified()
	was := h.tables()
	h.p.foldWhole = true
	if _, err := h.p.Rebuild(t.Context(), h.ws.ID); err != nil {
		t.Fatal(err)
	}
	if d := differ(was, h.tables()); d != nil {
		t.Errorf("rebuilt with whole folds: %s", d)
	}
	return stayed
}

// tied gives some snapshots the time of another.
func tied(rnd *rand.Rand, facts []fact) {
	for i := range facts {
		if j := rnd.IntN(len(facts)); rnd.IntN(4) == 0 && facts[i].rep != nil && facts[j].rep != nil {
			facts[i].opt.At = facts[j].opt.At
		}
	}
}

// descended gives some snapshots a commit, and ancestors that say something else than
// the times.
func descended(rnd *rand.Rand, facts []fact) {
	for i := range facts {
		f := &facts[i]
		if f.rep == nil || rnd.IntN(4) > 0 {
			continue
		}
		f.rep.Snapshot.Commit = fmt.Sprintf("commit-%d", rnd.IntN(6))
		if rnd.IntN(2) == 0 {
			f.opt.Ancestors = []string{fmt.Sprintf("commit-%d", rnd.IntN(6))}
		}
	}
}

func describe(f fact) string {
	switch {
	case f.rep != nil:
		return fmt.Sprintf("snapshot of %s at %s", f.rep.Snapshot.Stream.Ref, f.opt.At)
	case f.ref != nil:
		return fmt.Sprintf("%s %s at %s", f.ref.Ref, f.ref.Event, f.ref.At)
	case f.deploy != nil:
		return fmt.Sprintf("deployment at %s", f.deploy.At)
	}
	return fmt.Sprintf("end at %s", f.end.At)
}

func (h *house) decideOn(finding int64, v sinew.Verdict) {
	h.Helper()
	h.now = h.now.Add(time.Second)
	d := sinew.Decision{Findings: []string{sinew.PublicID(h.ws.UUID, sinew.IDFinding, finding)}, Verdict: v, Reason: "because"}
	if _, err := h.p.Decide(h.Context(), h.r, d, ""); err != nil {
		h.Fatal(err)
	}
	h.project()
}

// setRules makes rules by which some paths belong to an application, and branches may
// count as releases.
func (h *house) setRules(glob string, features bool) {
	h.Helper()
	doc := fmt.Sprintf("schema: rules/v1\napplications:\n- name: shop\n  match:\n  - path: %q\n", glob)
	if features {
		doc += "refs:\n- target: shop\n  default: [main]\n  release: [feature]\n"
	}
	if _, err := h.p.SetRules(h.Context(), h.r, doc, ""); err != nil {
		h.Fatal(err)
	}
	h.project()
}

// tables gives the roots of the projection's tables, but of those that say how its
// rows came to be.
func (h *house) tables(but ...string) map[string]string {
	h.Helper()
	space, err := h.db.LiveSpace(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatal(err)
	}
	hash, err := h.db.HistoryHash(h.Context(), space.ID)
	if err != nil {
		h.Fatal(err)
	}
	out := map[string]string{}
	for _, t := range hash.Tables {
		if !slices.Contains(but, t.Name) && !slices.Contains([]string{"step", "step_part", "family"}, t.Name) {
			out[t.Name] = fmt.Sprintf("%d rows, %x", t.Rows, t.Root)
		}
	}
	return out
}

// differ names the tables that differ.
func differ(a, b map[string]string) (names []string) {
	for name := range a {
		if a[name] != b[name] {
			names = append(names, fmt.Sprintf("%s: %s and %s", name, a[name], b[name]))
		}
	}
	slices.Sort(names)
	return names
}

// stayed counts the steps that were not made again in the families that were folded
// again because of an entry.
func (h *house) stayed(entry int64) (n int) {
	h.Helper()
	space, err := h.db.LiveSpace(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatal(err)
	}
	families, err := h.db.FamiliesOf(h.Context(), space.ID, "")
	if err != nil {
		h.Fatal(err)
	}
	for _, f := range families {
		steps, err := h.db.Steps(h.Context(), space.ID, f.ID, 0)
		if err != nil {
			h.Fatal(err)
		}
		again, stay := false, 0
		for _, s := range steps {
			again = again || s.Entry == entry && s.Item != entry
			if s.Entry != entry {
				stay++
			}
		}
		if again {
			n += stay
		}
	}
	return n
}
