package pipeline

import (
	"context"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// RefEvent says what happened to a ref of a target.
type RefEvent struct {
	Schema string    `json:"schema"` // ref/v1
	Target string    `json:"target"`
	Ref    string    `json:"ref"`
	Event  string    `json:"event"` // merged, closed or deleted
	Into   string    `json:"into,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// What can happen to a ref.
const (
	RefMerged  = "merged"
	RefClosed  = "closed"
	RefDeleted = "deleted"
)

// Validate reports what keeps e from being recorded.
func (e *RefEvent) Validate() error {
	switch {
	case e.Target == "" || e.Ref == "":
		return sinew.Errorf(sinew.CodeInvalid, "name the target and the ref")
	case e.Event != RefMerged && e.Event != RefClosed && e.Event != RefDeleted:
		return sinew.Errorf(sinew.CodeInvalid, "unknown event %q of a ref", e.Event).Hint("use merged, closed or deleted")
	}
	return nil
}

// when is the time of an event: its own, never later than it was received.
func when(at time.Time, e sinew.Entry) int64 {
	if at.IsZero() || at.After(e.At) {
		return micros(e.At)
	}
	return micros(at)
}

// ref projects what happened to a ref, in every family of its target.
func (j *projector) ref(ctx context.Context, e sinew.Entry) error {
	ev, err := payload[RefEvent](e)
	if err != nil {
		return err
	}
	at := when(ev.At, e)
	families, err := j.db.FamiliesOf(ctx, j.space, ev.Target)
	if err != nil {
		return err
	}
	return j.eventEntry(ctx, e, at, families,
		func(st *store.Stage) error {
			st.SaveRefState(store.RefState{Target: ev.Target, Ref: ev.Ref, Event: ev.Event, Into: ev.Into, At: at, Seq: e.Seq})
			return nil
		},
		func(f *fold) error { return f.applyRef(ctx, &ev, at) })
}

// eventEntry projects an event that is not a snapshot into some families: applied
// to what is there, or, where newer snapshots are known already, by folding the
// family again.
func (j *projector) eventEntry(ctx context.Context, e sinew.Entry, at int64, families []store.FamilyRow,
	record func(*store.Stage) error, apply func(*fold) error,
) error {
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	if err := record(st); err != nil {
		return err
	}
	var out *Outcome // of the families that were folded again
	for _, fam := range families {
		late, assigned, err := j.eventFamily(ctx, st, e, at, fam, apply)
		if err != nil {
			return err
		}
		if late && out == nil {
			out = &Outcome{Cause: causeRefold, Replaces: true, Assignments: []Assignment{}}
		}
		if late {
			out.Assignments = append(out.Assignments, assigned...)
		}
	}
	if err := j.p.point("staged"); err != nil {
		return err
	}
	return j.flip(ctx, st, e.Seq, out)
}

func (j *projector) eventFamily(ctx context.Context, st *store.Stage, e sinew.Entry, at int64, fam store.FamilyRow,
	apply func(*fold) error,
) (late bool, assigned []Assignment, err error) {
	f, err := j.openFold(ctx, st, fam, e)
	if err != nil {
		return false, nil, err
	}
	defer f.closeLines()
	if late, err = f.lateEvent(ctx, at); err != nil {
		return false, nil, err
	}
	if late {
		if f.arrival, err = f.bodiesGone(ctx); err != nil {
			return false, nil, err
		}
	}
	if !late || f.arrival {
		if err := f.openStep(ctx, e.Seq); err != nil {
			return false, nil, err
		}
		if err := apply(f); err != nil {
			return false, nil, err
		}
		return false, nil, f.closeStep(ctx, false)
	}
	assigned, err = f.refoldWithout(ctx)
	return true, assigned, err
}

// refoldWithout folds the family again with an event that is in the log already.
func (f *fold) refoldWithout(ctx context.Context) ([]Assignment, error) {
	items, err := f.timeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	rows, err := f.j.db.SnapshotsOf(ctx, f.j.space, f.fam.ID)
	if err != nil {
		return nil, err
	}
	return f.again(ctx, items, rows, nil, false)
}

// wholeAgain matches and folds a family again from its first snapshot; bodies are
// those that a new mapping made.
func (f *fold) wholeAgain(ctx context.Context, bodies map[int64]remapped) ([]Assignment, error) {
	items, err := f.timeline(ctx, nil)
	if err != nil {
		return nil, err
	}
	rows, err := f.j.db.SnapshotsOf(ctx, f.j.space, f.fam.ID)
	if err != nil {
		return nil, err
	}
	if len(bodies) > 0 {
		if err := f.takeBodies(items, rows, bodies); err != nil {
			return nil, err
		}
	}
	return f.again(ctx, items, rows, nil, true)
}

// lateEvent reports whether something newer than at is projected in the family.
func (f *fold) lateEvent(ctx context.Context, at int64) (bool, error) {
	newest, err := f.j.db.NewestAt(ctx, f.j.space, f.fam.ID)
	if err != nil || newest > at {
		return newest > at, err
	}
	for _, kind := range eventKinds {
		seqs, err := f.j.db.EntriesSince(ctx, f.j.ws.ID, string(kind), at, f.entry)
		if err != nil {
			return false, err
		}
		for _, seq := range seqs {
			it, err := f.event1(ctx, seq)
			if err != nil {
				return false, err
			}
			if it != nil && it.at >= at {
				return true, nil
			}
		}
	}
	return false, nil
}

// applyRef ends or moves the presences of a ref. A merged change hands what is
// still open over to the branch that it went into, where nobody has looked yet:
// merging alone lowers no number.
func (f *fold) applyRef(ctx context.Context, ev *RefEvent, at int64) error {
	ref := identity.NormalRef(ev.Ref)
	var pl *store.PlaceRow
	for _, p := range f.places {
		if p.Kind != sinew.PlaceDeployed && p.Ref == ref {
			pl = p
		}
	}
	if pl == nil || f.seenAfter(pl, at) {
		return nil
	}
	var into *store.PlaceRow
	merges := ev.Event == RefMerged && ev.Into != "" && identity.NormalRef(ev.Into) != ref
	why := ref + " was " + ev.Event
	err := f.eachIn(ctx, pl, at, func(fs *findingState, p *presenceState) error {
		if ev.Event == RefDeleted {
			return f.step(ctx, fs, p, at, identity.EventScopeLost, sinew.BasisNone, why)
		}
		if merges && p.row.State != sinew.PresenceFixed && p.row.State != sinew.PresenceGone {
			if into == nil {
				into = f.refPlace(ev.Into, "")
			}
			if err := f.handOver(ctx, fs, p, into, at, why+" into "+into.Ref); err != nil {
				return err
			}
		}
		return f.step(ctx, fs, p, at, identity.EventEnded, sinew.BasisNone, why)
	})
	if err != nil {
		return err
	}
	pl.Ended = ev.Event
	f.savePlace(pl)
	f.phase++
	return nil
}

// handOver gives a finding of a merged change a presence where it was merged to.
func (f *fold) handOver(ctx context.Context, fs *findingState, p *presenceState, into *store.PlaceRow, at int64, why string) error {
	q := fs.presence(into.ID)
	if q == nil {
		q = fs.addPresence(into)
		id := q.row
		q.row = p.row
		q.row.Place, q.row.GenFrom, q.row.State, q.row.Basis = id.Place, 0, identity.PresenceNone, sinew.BasisNone
		if q.row.LastSeen == 0 {
			q.row.LastSeen = p.place.SeenAt
		}
	}
	return f.step(ctx, fs, q, at, identity.EventMerged, sinew.BasisNone, why)
}

// eachIn gives every finding that has a presence in a place, with that presence,
// and stages what fn changes.
func (f *fold) eachIn(ctx context.Context, pl *store.PlaceRow, at int64, fn func(*findingState, *presenceState) error) error {
	x, err := f.loadPlace(ctx, pl.ID, nil)
	if err != nil {
		return err
	}
	for ids := x.ids; len(ids) > 0; {
		n := min(touchBatch, len(ids))
		set, err := f.load(ctx, at, ids[:n])
		if err != nil {
			return err
		}
		ids = ids[n:]
		for _, id := range set.order {
			fs := set.findings[id]
			if fs == nil {
				continue
			}
			if p := fs.presence(pl.ID); p != nil {
				if err := fn(fs, p); err != nil {
					return err
				}
			}
		}
		if err := set.save(ctx); err != nil {
			return err
		}
	}
	return nil
}
