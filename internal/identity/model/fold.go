package model

import (
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// fold is the state after some facts of a family, in fold order. Findings are chains
// of observations, numbered as they begin; their names follow when all are folded.
type fold struct {
	refs     identity.RefRules
	findings []*finding
	assigned map[int64][]identity.Assigned // by snapshot; Birth is the chain's number
	versions map[string]*capture           // what the newest snapshot of a version says
	running  map[Place]string              // version by deployed place
	chainOf  map[int64]int                 // by local id of an observation
	pending  map[int64][]*Decision         // on observations that come later in the fold
}

type finding struct {
	id        int64
	seen      []int64
	presences []*Presence // by place
	verdict   sinew.Verdict
	state     sinew.FindingState
	reopened  int
}

// capture is what a snapshot shows of the version that it looked at.
type capture struct {
	findings []int
	keys     []identity.Keys
	rows     []*sinew.Observation
	coverage sinew.Coverage
}

func (f *fold) apply(fact *Fact) {
	switch {
	case fact.Snapshot != nil:
		f.snapshot(fact)
	case fact.Ref != nil:
		f.ref(fact)
	case fact.Deploy != nil:
		place := Place{Kind: sinew.PlaceDeployed, Environment: fact.Deploy.Environment}
		f.running[place] = fact.Deploy.Version
		f.deployed(fact, place)
	case fact.End != nil:
		for _, fd := range f.findings {
			for _, p := range fd.presences {
				if p.Observation != nil && strings.EqualFold(p.Observation.Host, fact.End.Host) {
					f.step(fact, fd, p, identity.EventEnded)
				}
			}
		}
	case fact.Decision != nil:
		if n, ok := f.chainOf[fact.Decision.Finding]; ok {
			f.decide(f.findings[n], fact.Decision)
		} else {
			f.pending[fact.Decision.Finding] = append(f.pending[fact.Decision.Finding], fact.Decision)
		}
	}
}

func (f *fold) decide(fd *finding, d *Decision) {
	ev := identity.DecisionMade
	if d.Verdict == "" {
		ev = identity.DecisionExpired
	}
	fd.verdict = identity.StepDecision(fd.verdict, ev, d.Verdict)
	fd.state, _ = fd.headline()
}

func (f *fold) placeOf(ref string) Place {
	ref = identity.NormalRef(ref)
	return Place{Kind: identity.PlaceKind(ref, f.refs), Ref: ref}
}

// snapshot recognises what a snapshot shows and moves the presences of its place.
func (f *fold) snapshot(fact *Fact) {
	s := fact.Snapshot
	place := f.placeOf(s.Stream.Ref)
	next := make([]identity.Keys, len(s.Observations))
	for i := range s.Observations {
		next[i] = identity.KeysOf(&s.Observations[i])
	}

	var priors []identity.Prior
	var held []*Presence
	var owner []int
	for n, fd := range f.findings {
		if p := fd.in(place); p != nil {
			priors = append(priors, identity.Prior{ID: int64(n), Keys: p.keys, Closed: closed(p.State)})
			held = append(held, p)
			owner = append(owner, n)
		}
	}
	pairs := identity.Match(priors, next)
	shown := map[int]bool{}
	for _, p := range pairs {
		if p.Prior >= 0 {
			shown[owner[p.Prior]] = true
		}
	}
	var siblings []identity.Prior
	for n, fd := range f.findings {
		if _, by := fd.headline(); !shown[n] && by >= 0 && fd.presences[by].Place != place {
			p := fd.presences[by]
			siblings = append(siblings, identity.Prior{ID: int64(n), Keys: p.keys, Closed: closed(p.State)})
		}
	}
	identity.MatchSiblings(siblings, next, pairs)

	withdrawn := map[int64]bool{}
	for _, id := range s.Withdraw {
		withdrawn[identity.ToolKey(id)] = true
	}
	covers := identity.IndexCoverage(s.Coverage)
	var observed []*finding
	identity.FoldPlace(len(priors), pairs,
		func(sibling int32) int32 { return int32(slices.Index(owner, int(siblings[sibling].ID))) }, //nolint:gosec // an index of few
		func(p int32) sinew.PresenceState { return held[p].State },
		func(n int32) sinew.ToolStatus { return s.Observations[n].Status },
		func(p int32) identity.Event {
			if s.Mode == sinew.ModeDelta && withdrawn[held[p].keys.Tool] {
				return identity.EventWithdrawn
			}
			return identity.UnseenEvent(s.Mode, s.Coverage.Status, ask(covers, held[p].Observation))
		},
		func(t identity.Transition) {
			if t.Next < 0 {
				f.step(fact, f.findings[owner[t.Prior]], held[t.Prior], t.Event)
				return
			}
			n := len(f.findings)
			switch pair := pairs[t.Next]; {
			case pair.Prior < 0:
				f.findings = append(f.findings, &finding{})
			case pair.Pass.Sibling():
				n = int(siblings[pair.Prior].ID)
			default:
				n = owner[pair.Prior]
			}
			f.see(fact, n, place, int(t.Next), t.Event, &s.Observations[t.Next], next[t.Next], pairs[t.Next].Pass)
			observed = append(observed, f.findings[n])
		})

	for _, fd := range observed {
		for _, id := range fd.seen {
			for _, d := range f.pending[id] {
				f.decide(fd, d)
			}
			delete(f.pending, id)
		}
	}
	f.capture(fact, place)
}

func ask(x *identity.CoverageIndex, o *sinew.Observation) identity.Answer {
	if o == nil {
		return identity.Unknown
	}
	return x.Covers(o.Class(), o.Rule, identity.PathOf(o), identity.HostOf(o))
}

func closed(s sinew.PresenceState) bool {
	return s == sinew.PresenceFixed || s == sinew.PresenceGone
}

// see records that observation ordinal of a snapshot is finding n.
func (f *fold) see(fact *Fact, n int, place Place, ordinal int, ev identity.Event, o *sinew.Observation, k identity.Keys, pass identity.Pass) {
	fd := f.findings[n]
	id, err := sinew.LocalID(fact.Seq, int64(ordinal))
	if err == nil {
		fd.seen = append(fd.seen, id)
		f.chainOf[id] = n
	}
	f.assigned[fact.Seq] = append(f.assigned[fact.Seq], identity.Assigned{Pass: pass, Birth: int64(n)})
	p := fd.in(place)
	if p == nil {
		p = fd.enter(place, fact.At)
	}
	p.Observation, p.keys, p.Pass = o, k, pass
	p.FirstSeen, p.LastSeen = min(p.FirstSeen, fact.At), max(p.LastSeen, fact.At)
	f.step(fact, fd, p, ev)
}

// step moves a presence by an event, and the finding with it.
func (f *fold) step(fact *Fact, fd *finding, p *Presence, ev identity.Event) {
	from, was := p.State, fd.state
	if p.State = identity.Step(from, ev); p.State != from {
		p.Since, p.SinceSeq = fact.At, fact.Seq
		p.Basis = sinew.BasisNone
		if p.State == sinew.PresenceFixed {
			p.Basis = sinew.BasisProven
			if ev == identity.EventUnseenCovered && fact.Snapshot != nil {
				p.Basis = fact.Snapshot.Coverage.Basis
			}
		}
	}
	if identity.Reopens(from, p.State) && (was == sinew.StateFixed || was == sinew.StateGone) {
		fd.reopened++
		fd.verdict = identity.StepDecision(fd.verdict, identity.DecisionReopened, "")
	}
	fd.state, _ = fd.headline()
}

// ref applies what happened to a ref. A merged change hands its presences over to the
// branch that it went into, where nobody has looked yet.
func (f *fold) ref(fact *Fact) {
	place := f.placeOf(fact.Ref.Ref)
	for _, fd := range f.findings {
		p := fd.in(place)
		if p == nil {
			continue
		}
		if fact.Ref.What == "deleted" {
			f.step(fact, fd, p, identity.EventScopeLost)
			continue
		}
		if into := f.placeOf(fact.Ref.Into); fact.Ref.What == "merged" && fact.Ref.Into != "" && into != place && !closed(p.State) {
			q := fd.in(into)
			if q == nil {
				q = fd.enter(into, fact.At)
				q.Observation, q.keys, q.Pass, q.LastSeen = p.Observation, p.keys, p.Pass, p.LastSeen
				q.FirstSeen = p.FirstSeen
			}
			f.step(fact, fd, q, identity.EventMerged)
		}
		f.step(fact, fd, p, identity.EventEnded)
	}
}

// capture keeps what a snapshot shows of its version, for places where that runs.
func (f *fold) capture(fact *Fact, place Place) {
	s := fact.Snapshot
	if s.Coverage.Status == sinew.CoverageFailed {
		return
	}
	c := &capture{coverage: s.Coverage}
	for n, fd := range f.findings {
		if p := fd.in(place); p != nil && p.State == sinew.PresenceObserved {
			c.findings = append(c.findings, n)
			c.keys = append(c.keys, p.keys)
			c.rows = append(c.rows, p.Observation)
		}
	}
	for _, v := range []string{s.Commit, s.Digest} {
		if v == "" {
			continue
		}
		f.versions[v] = c
		for _, place := range f.runningIn(v) {
			f.deployed(fact, place)
		}
	}
}

func (f *fold) runningIn(version string) []Place {
	var places []Place
	for p, v := range f.running {
		if v == version {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, comparePlaces)
	return places
}

// deployed sets a deployed place to what the newest snapshot of its version says.
func (f *fold) deployed(fact *Fact, place Place) {
	c := f.versions[f.running[place]]
	shown := map[int]int{}
	if c != nil {
		for i, n := range c.findings {
			shown[n] = i
		}
	}
	for n, fd := range f.findings {
		p := fd.in(place)
		i, ok := shown[n]
		switch {
		case ok:
			if p == nil {
				p = fd.enter(place, fact.At)
			}
			p.Observation, p.keys = c.rows[i], c.keys[i]
			p.FirstSeen, p.LastSeen = min(p.FirstSeen, fact.At), max(p.LastSeen, fact.At)
			f.step(fact, fd, p, identity.EventSeen)
		case p == nil:
		case c == nil:
			f.step(fact, fd, p, identity.EventScopeLost)
		default:
			ev := identity.UnseenEvent(sinew.ModeComplete, c.coverage.Status, ask(identity.IndexCoverage(c.coverage), p.Observation))
			f.step(fact, fd, p, ev)
			if p.State == sinew.PresenceFixed && p.Since == fact.At && p.SinceSeq == fact.Seq {
				p.Basis = c.coverage.Basis
			}
		}
	}
}

func (fd *finding) in(place Place) *Presence {
	for _, p := range fd.presences {
		if p.Place == place {
			return p
		}
	}
	return nil
}

func (fd *finding) enter(place Place, at int64) *Presence {
	p := &Presence{Place: place, FirstSeen: at, LastSeen: at, Since: at}
	fd.presences = append(fd.presences, p)
	slices.SortFunc(fd.presences, func(a, b *Presence) int { return comparePlaces(a.Place, b.Place) })
	return p
}

func (fd *finding) views() []identity.PresenceView {
	views := make([]identity.PresenceView, len(fd.presences))
	for i, p := range fd.presences {
		views[i] = identity.PresenceView{Kind: p.Place.Kind, State: p.State, SeenAt: p.LastSeen}
		if p.Observation != nil {
			views[i].Tool = p.Observation.Status
		}
	}
	return views
}

func (fd *finding) headline() (state sinew.FindingState, by int) {
	return identity.Headline(fd.views(), fd.verdict)
}

func (f *fold) view() []Finding {
	out := make([]Finding, 0, len(f.findings))
	for _, fd := range f.findings {
		v := Finding{ID: fd.id, Reopened: fd.reopened, Seen: slices.Clone(fd.seen)}
		v.State, v.Made = fd.headline()
		v.Verdict, v.ByTool = identity.Standing(fd.views(), fd.verdict)
		for i, p := range fd.presences {
			v.Presences = append(v.Presences, *p)
			if i == 0 {
				v.FirstSeen = p.FirstSeen
			}
			v.FirstSeen, v.LastSeen = min(v.FirstSeen, p.FirstSeen), max(v.LastSeen, p.LastSeen)
		}
		out = append(out, v)
	}
	return out
}
