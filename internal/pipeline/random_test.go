package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// fact is something dated that is told to a house: a snapshot, or an event.
type fact struct {
	rep    *report
	opt    ImportOptions
	ref    *RefEvent
	deploy *Deployment
	end    *AssetEnd
}

// tell records a fact without projecting it.
func (h *house) tell(f fact) int64 {
	h.Helper()
	h.now = h.now.Add(time.Second)
	var seq int64
	var err error
	switch {
	case f.rep != nil:
		seq = h.accept(*f.rep, f.opt).Seq
	case f.ref != nil:
		a, e := h.p.RefEvent(h.Context(), h.r, *f.ref, "")
		seq, err = a.Seq, e
	case f.deploy != nil:
		a, e := h.p.Deploy(h.Context(), h.r, *f.deploy, "")
		seq, err = a.Seq, e
	case f.end != nil:
		a, e := h.p.EndAsset(h.Context(), h.r, f.end.Asset, f.end.At, "")
		seq, err = a.Seq, e
	}
	if err != nil {
		h.Fatalf("tell: %v", err)
	}
	return seq
}

// history makes a random history of one target: dated snapshots of a few refs
// whose findings move, multiply and go away, and things that happen to the refs.
func history(rnd *rand.Rand, n int) []fact {
	refs := []string{"main", "feature", "pr:7", "v1.0"}
	tools := []string{"semgrep", "semgrep", "codeql"}
	var facts []fact
	at := 1
	for range n {
		at += rnd.IntN(3) + 1
		switch rnd.IntN(12) {
		case 0:
			facts = append(facts, fact{ref: &RefEvent{
				Target: "shop", Ref: refs[1+rnd.IntN(2)], Event: []string{RefMerged, RefClosed, RefDeleted}[rnd.IntN(3)], Into: "main", At: minute(at),
			}})
			continue
		case 1:
			facts = append(facts, fact{deploy: &Deployment{
				Environment: "prod", Version: fmt.Sprintf("commit-%d", rnd.IntN(4)), At: minute(at),
			}})
			continue
		case 2:
			facts = append(facts, fact{end: &AssetEnd{Asset: sinew.AssetKey{Kind: sinew.KindCompute, Key: "host-1"}, At: minute(at)}})
			continue
		}
		s := snapshotOf(tools[rnd.IntN(len(tools))], "shop", refs[rnd.IntN(len(refs))])
		s.Coverage = []sinew.Coverage{
			covered, covered,
			{},
			{Status: sinew.CoverageFailed},
			{Status: sinew.CoveragePartial, Rules: all, Paths: sinew.Scope{Include: []string{"a/**"}}},
		}[rnd.IntN(5)]
		if rnd.IntN(3) == 0 {
			s.Commit = fmt.Sprintf("commit-%d", rnd.IntN(4))
		}
		var obs []sinew.Observation
		for range rnd.IntN(7) {
			o := code(string(rune('A'+rnd.IntN(3))), fmt.Sprintf("%c/%c.go", 'a'+rnd.IntN(2), 'x'+rnd.IntN(2)), 1+rnd.IntN(4)*10)
			switch rnd.IntN(8) {
			case 0:
				o.Status = sinew.ToolFixed
			case 1:
				o.Status = sinew.ToolFalsePositive
			case 2:
				o.Severity = sinew.SeverityLow
			case 3:
				o.File, o.Line, o.Snippet, o.Host = "", 0, "", fmt.Sprintf("host-%d", rnd.IntN(2))
			}
			obs = append(obs, o)
		}
		facts = append(facts, fact{rep: &report{s, body(obs...)}, opt: ImportOptions{At: minute(at)}})
	}
	return facts
}

// hashes gives the state and the history hash of the live projection.
func (h *house) hashes() (state, hist string) {
	h.Helper()
	space, err := h.db.LiveSpace(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatal(err)
	}
	s, err := h.db.StateHash(h.Context(), space.ID)
	if err != nil {
		h.Fatal(err)
	}
	hh, err := h.db.HistoryHash(h.Context(), space.ID)
	if err != nil {
		h.Fatal(err)
	}
	return s.String(), hh.String()
}

// TestOrder is the order of dated inputs not mattering, and a rebuild being equal
// to what was live, on random histories (ING4, TRU2).
func TestOrder(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		rounds := 3
		for range rounds {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
				checkOrder(t, seed, open)
			})
		}
	})
}

func checkOrder(t *testing.T, seed uint64, open func() *house) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	facts := history(rnd, 14)
	tied(rnd, facts)
	var first, firstStates string
	for try := range 3 {
		order := slices.Clone(facts)
		if try > 0 {
			rnd.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		h := open()
		h.now = minute(10_000) // everything is received after it happened
		for _, f := range order {
			h.tell(f)
			if rnd.IntN(2) == 0 {
				h.project()
			}
		}
		h.project()
		state, hist := h.hashes()
		if try == 0 {
			first, firstStates = state, h.states()
		} else if state != first {
			t.Errorf("order %d: another state:\n%s\nwas\n%s", try, h.states(), firstStates)
		}
		r, err := h.p.Rebuild(t.Context(), h.ws.ID)
		if err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		if !r.Equal || !r.Swapped || r.Before != hist {
			t.Errorf("order %d: rebuild: %+v", try, r)
		}
		if s2, h2 := h.hashes(); s2 != state || h2 != hist {
			t.Errorf("order %d: after the rebuild the hashes are others", try)
		}
	}
}
