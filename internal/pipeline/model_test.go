package pipeline

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/identity/model"
	"github.com/sinewsec/sinew/internal/sinew"
)

// TestModel compares the projection with package identity's model, which folds
// everything in memory from scratch after each fact: same findings under the same
// births, same presences, same decisions, whatever arrives late.
func TestModel(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, open func() *house) {
		seeds := []uint64{1433307776277317820} // what ran was replaced before anything had looked at it
		for range 4 {
			seeds = append(seeds, rand.Uint64())
		}
		for _, seed := range seeds {
			t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { checkModel(t, seed, 16, open()) })
		}
	})
}

func checkModel(t *testing.T, seed uint64, n int, h *house) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 3))
	facts := history(rnd, n)
	for i := range facts { // one family
		if r := facts[i].rep; r != nil {
			r.Snapshot.Stream.Tool = "semgrep"
		}
	}
	if rnd.IntN(2) == 0 {
		rnd.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	}
	h.now = minute(10_000)
	m := model.New(identity.RefRules{})
	for i, f := range facts {
		seq := h.tell(f)
		h.project()
		mf := model.Fact{Seq: seq}
		switch {
		case f.rep != nil:
			e, err := h.db.Entry(t.Context(), h.r, seq)
			if err != nil {
				t.Fatal(err)
			}
			s, err := payload[sinew.Snapshot](e)
			if err != nil {
				t.Fatal(err)
			}
			ms := &model.Snapshot{Snapshot: s}
			for _, l := range f.rep.Body {
				ms.Observations = append(ms.Observations, *l.Observation)
			}
			mf.At, mf.Snapshot = micros(f.opt.At), ms
		case f.ref != nil:
			mf.At, mf.Ref = micros(f.ref.At), &model.RefEvent{Ref: f.ref.Ref, What: f.ref.Event, Into: f.ref.Into}
		case f.deploy != nil:
			mf.At, mf.Deploy = micros(f.deploy.At), &model.Deployment{Environment: f.deploy.Environment, Version: f.deploy.Version}
		case f.end != nil:
			mf.At, mf.End = micros(f.end.At), &model.End{Host: f.end.Asset.Key}
		}
		m.Add(mf)
		if got, want := h.summary(), modelSummary(m); got != want {
			t.Fatalf("after fact %d of %d the projection is\n%s\nthe model\n%s", i+1, n, got, want)
		}
	}
}

func modelSummary(m *model.Model) string {
	var lines []string
	for _, f := range m.Findings() {
		var ps []string
		for _, p := range f.Presences {
			ps = append(ps, fmt.Sprintf("%s%s %s %s first %d since %d line %d", p.Place.Ref, p.Place.Environment, p.State, p.Basis,
				minutes(p.FirstSeen), minutes(p.Since), p.Observation.Line))
		}
		slices.Sort(ps)
		lines = append(lines, fmt.Sprintf("%d.%d %s reopened %d first %d: %s", f.ID>>28, f.ID&(1<<28-1), f.State, f.Reopened,
			minutes(f.FirstSeen), strings.Join(ps, "; ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func minutes(us int64) int64 { return (us - t0.UnixMicro()) / 60e6 }

func (h *house) summary() string {
	h.Helper()
	space, err := h.db.LiveSpace(h.Context(), h.ws.ID)
	if err != nil {
		h.Fatal(err)
	}
	var lines []string
	for _, f := range h.rows() {
		rows, err := h.db.PresencesOf(h.Context(), space.ID, []int64{f.ID})
		if err != nil {
			h.Fatal(err)
		}
		places, err := h.db.PlacesOf(h.Context(), space.ID, f.Family)
		if err != nil {
			h.Fatal(err)
		}
		var ps []string
		for _, p := range rows {
			for _, pl := range places {
				if pl.ID == p.Place {
					ps = append(ps, fmt.Sprintf("%s%s %s %s first %d since %d line %d", pl.Ref, pl.Environment, p.State, p.Basis,
						minutes(p.FirstSeen), minutes(p.Since), p.Line))
				}
			}
		}
		slices.Sort(ps)
		lines = append(lines, fmt.Sprintf("%d.%d %s reopened %d first %d: %s", f.ID>>28, f.ID&(1<<28-1), f.State, f.Reopened,
			minutes(f.FirstSeen), strings.Join(ps, "; ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
