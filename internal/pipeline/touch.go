package pipeline

import (
	"cmp"
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// rowSet is the current rows of some findings, changed in memory and staged as a
// whole: however many of a finding's presences change in one step, its own row
// is written once.
type rowSet struct {
	f        *fold
	at       int64
	findings map[int64]*findingState
	order    []int64
}

type findingState struct {
	row       store.FindingRow
	was       store.FindingRow // as it is stored; ID 0 if it is not
	presences []*presenceState
	gone      bool  // taken back: no row is to stay
	n         int64 // events so far
}

type presenceState struct {
	row   store.PresenceRow
	was   store.PresenceRow // Finding 0 if it is not stored
	place *store.PlaceRow
	gone  bool
}

// load reads the rows of some findings as they are staged.
func (f *fold) load(ctx context.Context, at int64, ids []int64) (*rowSet, error) {
	if err := f.st.Flush(ctx); err != nil {
		return nil, err
	}
	set, err := f.read(ctx, ids)
	if err == nil {
		set.at = at
	}
	return set, err
}

func (f *fold) read(ctx context.Context, ids []int64) (*rowSet, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	rows, err := f.j.db.FindingsByID(ctx, f.j.space, ids)
	if err != nil {
		return nil, err
	}
	set := &rowSet{f: f, findings: make(map[int64]*findingState, len(ids)), order: ids}
	for i := range rows {
		set.findings[rows[i].ID] = &findingState{row: rows[i], was: rows[i]}
	}
	if len(rows) == 0 {
		return set, nil
	}
	presences, err := f.j.db.PresencesOf(ctx, f.j.space, ids)
	if err != nil {
		return nil, err
	}
	for i := range presences {
		if fs := set.findings[presences[i].Finding]; fs != nil {
			fs.presences = append(fs.presences, &presenceState{
				row: presences[i], was: presences[i], place: f.place(presences[i].Place),
			})
		}
	}
	return set, nil
}

// presence gives the presence of a finding in a place, nil if there is none.
func (s *findingState) presence(place int64) *presenceState {
	for _, p := range s.presences {
		if p.row.Place == place {
			return p
		}
	}
	return nil
}

func (s *findingState) addPresence(pl *store.PlaceRow) *presenceState {
	p := &presenceState{row: store.PresenceRow{Finding: s.row.ID, Place: pl.ID}, place: pl}
	s.presences = append(s.presences, p)
	return p
}

// touch applies a snapshot to the findings of a batch.
func (f *fold) touch(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, batch []touched) error {
	if len(batch) == 0 {
		return nil
	}
	ids := make([]int64, len(batch))
	for i := range batch {
		ids[i] = batch[i].id
	}
	set, err := f.load(ctx, at, ids)
	if err != nil {
		return err
	}
	for i := range batch {
		t := &batch[i]
		fs := set.findings[t.id]
		if t.obs == nil {
			if fs == nil {
				continue
			}
			if err := f.unseen(ctx, fs, pl, sn, at, t); err != nil {
				return err
			}
			continue
		}
		if fs == nil {
			fs = &findingState{row: store.FindingRow{
				ID: t.id, Family: f.fam.ID, FirstSeen: at, Since: at, Origin: sn.Seq<<28 | sn.ordinal(t.n),
			}}
			set.findings[t.id] = fs
			f.res.New++
		}
		if err := f.seen(ctx, fs, pl, sn, at, t); err != nil {
			return err
		}
	}
	return set.save(ctx)
}

// seen applies an observation to a finding.
func (f *fold) seen(ctx context.Context, fs *findingState, pl *store.PlaceRow, sn *snap, at int64, t *touched) error {
	p := fs.presence(pl.ID)
	if p == nil {
		p = fs.addPresence(pl)
	}
	if p.row.ObsSeq == sn.Seq && p.was.ObsSeq != sn.Seq && p.row.Finding != 0 && p.row.ObsHash != 0 {
		return nil // two observations of one finding (joined by hand): the first one is shown
	}
	was := p.row.State
	changed := p.row.ObsHash != t.hash
	f.see(&p.row, sn, at, t)
	switch {
	case fs.was.ID == 0:
	case was == identity.PresenceNone:
		f.res.Elsewhere++
	case identity.Reopens(was, p.row.State):
		f.res.Reopened++
	case changed:
		f.res.Changed++
	default:
		f.res.Unchanged++
	}
	if was != identity.PresenceNone && was != p.row.State {
		cause := "observed again by " + f.name(sn)
		if p.row.State == sinew.PresenceFixed {
			cause = "the tool says fixed in " + f.name(sn)
		}
		if err := f.event(ctx, fs, at, "", pl.ID, string(was), string(p.row.State), cause); err != nil {
			return err
		}
	}
	return f.headline(ctx, fs, at, change{presence: p, obs: t.obs, sn: sn, reopens: identity.Reopens(was, p.row.State), why: f.name(sn)})
}

// unseen applies to a presence that a snapshot does not show it.
func (f *fold) unseen(ctx context.Context, fs *findingState, pl *store.PlaceRow, sn *snap, at int64, t *touched) error {
	p := fs.presence(pl.ID)
	if p == nil {
		return nil
	}
	event, why := t.event, "withdrawn by "+f.name(sn)
	if event == identity.EventNone {
		class, rule, path, host, err := f.where(ctx, fs, p)
		if err != nil {
			return err
		}
		answer, reason := sn.coverage().Explain(class, rule, path, host)
		event = identity.UnseenEvent(sn.S.Mode, sn.S.Coverage.Status, answer)
		why = "not seen by " + f.name(sn) + ": " + reason
		if event == identity.EventUnseenNotCovered {
			f.res.missing(reason)
		}
	}
	return f.step(ctx, fs, p, at, event, sn.S.Coverage.Basis, why)
}

// step moves a presence by an event without an observation.
func (f *fold) step(ctx context.Context, fs *findingState, p *presenceState, at int64, event identity.Event, basis sinew.Basis, why string) error {
	was := p.row.State
	now := identity.Step(was, event)
	if now == was {
		return nil
	}
	if p.row.LastSeen == 0 {
		p.row.LastSeen = p.place.SeenAt
	}
	p.row.State, p.row.Since, p.row.SinceSeq, p.row.Basis = now, at, f.entry, sinew.BasisNone
	if now == sinew.PresenceFixed {
		p.row.Basis = basis
		if event == identity.EventWithdrawn {
			p.row.Basis = sinew.BasisProven
		}
	}
	f.res.closed(now, p.row.Basis)
	if was != identity.PresenceNone {
		if err := f.event(ctx, fs, at, "", p.row.Place, string(was), string(now), why); err != nil {
			return err
		}
	}
	return f.headline(ctx, fs, at, change{why: why})
}

// change is why a headline is derived again.
type change struct {
	presence *presenceState     // that was observed, if one was
	obs      *sinew.Observation // what was observed
	sn       *snap
	reopens  bool // the presence was closed before
	why      string
}

// headline derives the finding's own row from its presences.
func (f *fold) headline(ctx context.Context, fs *findingState, at int64, c change) error {
	f.sortPresences(fs)
	row := &fs.row
	f.views = f.views[:0]
	for _, p := range fs.presences {
		seen := p.row.LastSeen
		if seen == 0 {
			seen = p.place.SeenAt
		}
		f.views = append(f.views, identity.PresenceView{Kind: p.place.Kind, State: p.row.State, Tool: p.row.ToolStatus, SeenAt: seen})
	}
	if row.VerdictBy == byTool {
		row.Verdict, row.VerdictBy = "", ""
	}
	state, i := identity.Headline(f.views, row.Verdict)
	if i < 0 {
		return nil
	}
	head := fs.presences[i]
	if c.reopens && (row.State == sinew.StateFixed || row.State == sinew.StateGone) {
		row.Reopened++
		if err := f.fall(ctx, fs, at); err != nil {
			return err
		}
		state, _ = identity.Headline(f.views, row.Verdict)
	}
	f.toolVerdict(row, f.views)
	if row.State != state {
		if row.State != "" {
			if err := f.event(ctx, fs, at, headlineKind(row.State, state), 0, string(row.State), string(state), c.why); err != nil {
				return err
			}
		}
		row.State, row.Since = state, at
	}
	row.LastSeen = head.row.LastSeen
	for _, p := range fs.presences {
		if p.row.FirstSeen != 0 {
			row.FirstSeen = min(row.FirstSeen, p.row.FirstSeen)
		}
	}
	return f.showHead(ctx, fs, head, at, c)
}

// byTool marks a verdict that is the tool's own status.
const byTool = "tool"

func (f *fold) toolVerdict(row *store.FindingRow, views []identity.PresenceView) {
	if row.Verdict != "" {
		return
	}
	if v, tool := identity.Standing(views, ""); tool {
		row.Verdict, row.VerdictBy = v, byTool
	}
}

// fall is what being observed again does to the standing decision.
func (f *fold) fall(ctx context.Context, fs *findingState, at int64) error {
	row := &fs.row
	now := identity.StepDecision(row.Verdict, identity.DecisionReopened, "")
	if now == row.Verdict {
		return nil
	}
	was := row.Verdict
	row.Verdict, row.VerdictBy, row.VerdictSeq, row.Until = now, "", 0, 0
	return f.event(ctx, fs, at, "decided", 0, string(was), string(now), "the decision fell: the finding was observed again")
}

// sortPresences puts presences into the order in which ties of a headline are
// decided: nothing of it depends on arrival.
func (f *fold) sortPresences(fs *findingState) {
	slices.SortFunc(fs.presences, func(a, b *presenceState) int {
		return cmp.Or(
			cmp.Compare(identity.KindRank(a.place.Kind), identity.KindRank(b.place.Kind)), cmp.Compare(a.place.Ref, b.place.Ref),
			cmp.Compare(a.place.Environment, b.place.Environment), cmp.Compare(a.place.Service, b.place.Service))
	})
}

// event writes a line of a finding's history.
func (f *fold) event(ctx context.Context, fs *findingState, at int64, kind string, place int64, was, became, cause string) error {
	if f.quiet {
		return nil
	}
	if kind == "" {
		kind = presenceKind(sinew.PresenceState(became))
	}
	e := store.EventRow{
		Finding: fs.row.ID, Seq: f.entry, N: f.phase<<16 | fs.n, At: at, KnownAt: f.known,
		Kind: kind, Place: place, Was: was, Became: became, Cause: cause, Actor: f.actor,
	}
	fs.n++
	return f.st.Event(ctx, &e)
}

func presenceKind(s sinew.PresenceState) string {
	switch s {
	case sinew.PresenceObserved:
		return "observed"
	case sinew.PresenceFixed:
		return "fixed"
	case sinew.PresenceNotObserved:
		return "not_observed"
	case sinew.PresenceScopeLost:
		return "scope_lost"
	case sinew.PresenceGone:
		return "gone"
	}
	return "changed"
}

func headlineKind(was, now sinew.FindingState) string {
	closed := func(s sinew.FindingState) bool { return s == sinew.StateFixed || s == sinew.StateGone }
	switch {
	case closed(now) && !closed(was):
		return "closed"
	case closed(was) && !closed(now):
		return "reopened"
	}
	return "state"
}

// save stages what changed.
func (s *rowSet) save(ctx context.Context) error {
	f := s.f
	for _, id := range s.order {
		fs := s.findings[id]
		if fs == nil {
			continue
		}
		f.note(id, fs.was.State)
		if f.recording() {
			if err := f.record(ctx, fs); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(fs.presences, func(p *presenceState) bool { return p.gone || p.row != p.was }) {
			f.st.Spread(&fs.row)
		}
		for _, p := range fs.presences {
			var err error
			switch {
			case p.gone:
				err = f.st.EndPresence(ctx, id, p.row.Place)
			case p.was.Finding == 0:
				err = f.st.NewPresence(ctx, &p.row)
			case p.row != p.was:
				err = f.st.ChangePresence(ctx, &p.row)
			}
			if err != nil {
				return err
			}
		}
		var err error
		switch {
		case fs.gone:
			err = f.st.EndFinding(ctx, &fs.was, f.fam.Target)
		case fs.was.ID == 0:
			err = f.st.NewFinding(ctx, &fs.row, f.fam.Target)
		case fs.row != fs.was:
			err = f.st.ChangeFinding(ctx, &fs.was, &fs.row, f.fam.Target)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
