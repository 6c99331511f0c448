package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// snap is a snapshot that is being applied.
type snap struct {
	Seq      int64
	S        sinew.Snapshot
	At       int64 // effective
	Received int64
	Body     [32]byte
	// coords are the ordinals that the observations are known by, where a later
	// mapping made another body of the same report: what it has in common with the
	// first one keeps its coordinates. Nil: each is known by its place in the body.
	coords []int64
	fresh  *Remapping // the body was made just now

	cover *identity.CoverageIndex
}

func (s *snap) ordinal(i int64) int64 {
	if s.coords != nil {
		return s.coords[i]
	}
	return i
}

// complete reports whether everything that the snapshot shows in its place is
// all there is: such a snapshot moves the place's last-seen time.
func (s *snap) complete() bool {
	return s.S.Mode == sinew.ModeComplete && s.S.Coverage.Status != sinew.CoverageFailed
}

// fold applies what happened to one family, in one stage.
type fold struct {
	j      *projector
	st     *store.Stage
	fam    store.FamilyRow
	places []*store.PlaceRow // by id
	entry  int64             // seq of the entry that causes this
	known  int64             // when that was received
	actor  string
	phase  int64
	// arrival: what is applied came late to a family that cannot be folded again.
	arrival bool
	quiet   bool // a fold that is done again: no events, decisions are carried over
	res     *Result
	born    int64 // the entry that places are born in

	firstPhase int64                                // of a fold that is done again
	diff       struct{ kept, redirected, born int } // by a fold that was done again

	provisional int64 // in place of the seq of a snapshot, while names are not known; 0 if they are

	running  map[runKey]string   // what is deployed, in a fold that is done again; nil: ask the store
	versions map[string]captured // the newest snapshot of each version, likewise

	order  ranks           // in a family that was folded again; nil: not read yet
	log    *stepLog        // nil: not read yet
	olds   map[int64]uint8 // how findings stood before the fold was done again; nil: it is not
	units  *unitOf
	lines  lineCache
	views  []identity.PresenceView // scratch
	hasher identity.Hasher
}

func (f *fold) place(id int64) *store.PlaceRow {
	i, ok := slices.BinarySearchFunc(f.places, id, func(p *store.PlaceRow, id int64) int { return cmp.Compare(p.ID, id) })
	if !ok {
		return nil
	}
	return f.places[i]
}

func (f *fold) addPlace(p *store.PlaceRow) {
	i, _ := slices.BinarySearchFunc(f.places, p.ID, func(q *store.PlaceRow, id int64) int { return cmp.Compare(q.ID, id) })
	f.places = slices.Insert(f.places, i, p)
}

// savePlace stages a place as it is now. While a family is folded again places come
// and go: what is left of them is staged when that is done.
func (f *fold) savePlace(p *store.PlaceRow) {
	if !f.quiet {
		f.st.SavePlace(*p)
	}
}

// hasSiblings reports whether the family has places other than pl.
func (f *fold) hasSiblings(pl *store.PlaceRow) bool {
	return slices.ContainsFunc(f.places, func(p *store.PlaceRow) bool { return p.ID != pl.ID })
}

// eachObservation decodes the observations of a snapshot in report order.
func (f *fold) eachObservation(ctx context.Context, sn *snap, fn func(int64, *sinew.Observation) error) error {
	b, err := f.j.p.openBody(ctx, f.j.ws.ID, sn.Body)
	if err != nil {
		return err
	}
	defer b.Close()
	for i := range int64(sn.S.Observations) {
		text, err := b.next()
		if err != nil {
			return fmt.Errorf("body of snapshot %d: %w", sn.Seq, noEOF(err))
		}
		o, err := b.observation(text)
		if err != nil {
			return fmt.Errorf("body of snapshot %d: %w", sn.Seq, err)
		}
		if err := fn(i, o); err != nil {
			return err
		}
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// touched is an observation, or a presence that was not observed, whose rows
// must be looked at.
type touched struct {
	id    int64
	pass  uint8
	n     int64 // of the observation in its body
	obs   *sinew.Observation
	hash  int64
	keys  identity.Keys
	event identity.Event
	from  sinew.PresenceState // of one that was not observed
}

// touchBatch is how many findings are read and changed at a time.
const touchBatch = 400

// apply makes the presences of a place what a snapshot says, at the time at. The
// assignment says which finding each observation is; x is the state of the
// place, read if nil. fresh promises that a finding born from an observation of
// this snapshot has no row yet.
func (f *fold) apply(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, as *assignment, x *placeIndex, fresh bool) error {
	if x == nil {
		var err error
		if x, err = f.loadPlace(ctx, pl.ID, nil); err != nil {
			return err
		}
	}
	if err := f.applySeen(ctx, pl, sn, at, as, x, fresh); err != nil {
		return err
	}
	if err := f.applyUnseen(ctx, pl, sn, at, x); err != nil {
		return err
	}
	pl.Head, pl.Version, pl.Ended = sn.Seq, version(&sn.S), ""
	if sn.complete() {
		pl.SeenAt = at
	}
	f.savePlace(pl)
	f.phase++
	return nil
}

func (f *fold) applySeen(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, as *assignment, x *placeIndex, fresh bool) error {
	if len(as.ids) != sn.S.Observations {
		return fmt.Errorf("the assignment of snapshot %d has %d records for %d observations", sn.Seq, len(as.ids), sn.S.Observations)
	}
	b, err := f.j.p.openBody(ctx, f.j.ws.ID, sn.Body)
	if err != nil {
		return err
	}
	defer b.Close()
	batch := make([]touched, 0, touchBatch)
	for i, id := range as.ids {
		text, err := b.next()
		if err != nil {
			return fmt.Errorf("body of snapshot %d: %w", sn.Seq, noEOF(err))
		}
		k := x.find(id)
		if k >= 0 {
			x.seen[k] = true
			if as.matched && as.pass[i] == uint8(identity.PassUnchanged) && x.state[k] == 0 && sn.complete() && !x.dated[k] {
				f.res.Unchanged++ // and need not even be decoded again
				continue
			}
		}
		o, err := b.observation(text)
		if err != nil {
			return fmt.Errorf("body of snapshot %d: %w", sn.Seq, err)
		}
		if pl.Kind == sinew.PlaceDeployed && identity.EventOf(o.Status) != identity.EventSeen {
			if k >= 0 {
				x.seen[k] = false // what the tool says is fixed does not run
			}
			continue
		}
		keys, hash := f.hasher.Hash(o)
		if k >= 0 && f.same(x, k, hash, o.Status, sn) {
			f.res.Unchanged++
			continue
		}
		t := touched{id: id, pass: as.pass[i], n: int64(i), obs: o, hash: hash, keys: keys, event: identity.EventOf(o.Status)}
		if fresh && k < 0 && id == sn.Seq<<28|sn.ordinal(int64(i)) {
			if err := f.bear(ctx, pl, sn, at, &t); err != nil {
				return err
			}
			continue
		}
		if batch = append(batch, t); len(batch) == touchBatch {
			if err := f.touch(ctx, pl, sn, at, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return f.touch(ctx, pl, sn, at, batch)
}

// same reports whether an observation changes nothing of the presence at k.
func (f *fold) same(x *placeIndex, k int, hash int64, status sinew.ToolStatus, sn *snap) bool {
	if x.hash[k] != hash {
		return false
	}
	state := presenceStates[x.state[k]]
	if identity.Step(state, identity.EventOf(status)) != state {
		return false
	}
	// An observed presence was last seen when its place was. That is so for
	// complete snapshots only.
	return state != sinew.PresenceObserved || sn.complete() && !x.dated[k]
}

// bear writes a finding that nothing precedes: two rows, nothing to read.
func (f *fold) bear(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, t *touched) error {
	pr := store.PresenceRow{Finding: t.id, Place: pl.ID}
	f.see(&pr, sn, at, t)
	row := store.FindingRow{ID: t.id, Family: f.fam.ID, FirstSeen: at, Origin: sn.Seq<<28 | sn.ordinal(t.n)}
	f.views = append(f.views[:0], identity.PresenceView{Kind: pl.Kind, State: pr.State, Tool: pr.ToolStatus, SeenAt: at})
	state, _ := identity.Headline(f.views, "")
	row.State, row.Since = state, at
	f.toolVerdict(&row, f.views)
	f.show(&row, &pr, t.obs, sn.S.Service)
	f.res.New++
	f.note(row.ID, "")
	if f.recording() {
		f.log.bore(row.ID, pl.ID)
	}
	if err := f.st.NewFinding(ctx, &row, f.fam.Target); err != nil {
		return err
	}
	return f.st.NewPresence(ctx, &pr)
}

// see puts an observation into a presence.
func (f *fold) see(pr *store.PresenceRow, sn *snap, at int64, t *touched) {
	was := pr.State
	pr.State = identity.Step(was, t.event)
	if was == identity.PresenceNone {
		pr.FirstSeen = at
	}
	if pr.State != was {
		pr.Since, pr.SinceSeq, pr.Basis = at, f.entry, sinew.BasisNone
		if pr.State == sinew.PresenceFixed {
			pr.Basis = sinew.BasisProven // the tool's own word
		}
	}
	pr.LastSeen = at
	if pr.State == sinew.PresenceObserved && sn.complete() {
		pr.LastSeen = 0
	}
	k := &t.keys
	pr.ObsSeq, pr.ObsN, pr.ObsHash, pr.Pass, pr.ToolStatus = sn.Seq, t.n, t.hash, int64(t.pass), t.obs.Status
	pr.Line, pr.Tool, pr.Content, pr.PlaceKey, pr.Moved, pr.Near = int64(k.Line), k.Tool, k.Content, k.Place, k.Moved, k.Near
}

// applyUnseen asks the coverage about every presence that the snapshot does not
// show and that could still change.
func (f *fold) applyUnseen(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, x *placeIndex) error {
	if !sn.complete() {
		return f.withdraw(ctx, pl, sn, at, x)
	}
	batch := make([]touched, 0, touchBatch)
	for k, id := range x.ids {
		if x.seen[k] {
			continue
		}
		state := presenceStates[x.state[k]]
		if identity.Step(state, identity.EventUnseenCovered) == state && identity.Step(state, identity.EventUnseenNotCovered) == state {
			continue
		}
		batch = append(batch, touched{id: id, from: state})
		if len(batch) == touchBatch {
			if err := f.touch(ctx, pl, sn, at, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return f.touch(ctx, pl, sn, at, batch)
}
