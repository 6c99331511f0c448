package pipeline

import (
	"cmp"
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// placeIndex is what is known of a place while a snapshot is applied to it,
// packed: 18 bytes a presence, sorted by finding, without pointers.
type placeIndex struct {
	ids   []int64
	hash  []int64
	state []uint8 // index into presenceStates
	dated []bool  // last seen at a time of its own, not at the place's
	seen  []bool  // by the snapshot at hand
}

var presenceStates = []sinew.PresenceState{
	sinew.PresenceObserved, sinew.PresenceNotObserved, sinew.PresenceScopeLost, sinew.PresenceFixed, sinew.PresenceGone,
}

func stateCode(s sinew.PresenceState) uint8 {
	return uint8(max(0, slices.Index(presenceStates, s))) //nolint:gosec // a handful
}

func newPlaceIndex(n int) *placeIndex {
	return &placeIndex{
		ids: make([]int64, 0, n), hash: make([]int64, 0, n), state: make([]uint8, 0, n), dated: make([]bool, 0, n), seen: make([]bool, 0, n),
	}
}

func (x *placeIndex) add(k *store.PresenceKeys) {
	x.ids = append(x.ids, k.Finding)
	x.hash = append(x.hash, k.Hash)
	x.state = append(x.state, stateCode(k.State))
	x.dated = append(x.dated, k.LastSeen != 0)
	x.seen = append(x.seen, false)
}

// find gives the position of a finding, -1 if it has no presence here.
func (x *placeIndex) find(id int64) int {
	if i, ok := slices.BinarySearch(x.ids, id); ok {
		return i
	}
	return -1
}

// loadPlace reads a place's presences as they are staged. With keys it also gives
// them as matching sees them, in the same order.
func (f *fold) loadPlace(ctx context.Context, place int64, keys bool) (*placeIndex, []identity.Prior, error) {
	if err := f.st.Flush(ctx); err != nil {
		return nil, nil, err
	}
	n, err := f.j.db.CountPlace(ctx, f.j.space, place)
	if err != nil {
		return nil, nil, err
	}
	x := newPlaceIndex(int(n))
	var priors priorList
	if keys {
		priors.list = make([]identity.Prior, 0, n)
	}
	folded := keys && f.fam.Folds > 0
	err = f.j.db.ScanPlace(ctx, f.j.space, place, folded, func(k *store.PresenceKeys) error {
		x.add(k)
		if keys {
			priors.add(k, folded)
		}
		return nil
	})
	return x, priors.ranked(), err
}

// priorList collects what matching compares with. Where nothing else decides,
// the finding that comes first in the fold order comes first. Births say so
// while snapshots come in order; in a family that was folded again, the first
// observations in fold order do.
type priorList struct {
	list  []identity.Prior
	ranks []rank
}

type rank struct{ firstSeen, n, origin int64 }

func (l *priorList) add(k *store.PresenceKeys, folded bool) {
	l.list = append(l.list, prior(k))
	if folded {
		_, n := sinew.SplitLocalID(k.Origin)
		l.ranks = append(l.ranks, rank{k.FirstSeen, n, k.Origin})
	}
}

// ranked gives the priors, named by their rank if it is not that of their births.
func (l *priorList) ranked() []identity.Prior {
	if len(l.ranks) == 0 {
		return l.list
	}
	order := make([]int32, len(l.list))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &l.ranks[a], &l.ranks[b]
		return cmp.Or(cmp.Compare(x.firstSeen, y.firstSeen), cmp.Compare(x.n, y.n), cmp.Compare(x.origin, y.origin))
	})
	for r, i := range order {
		l.list[i].ID = int64(r)
	}
	return l.list
}

func prior(k *store.PresenceKeys) identity.Prior {
	return identity.Prior{
		ID: k.Finding,
		Keys: identity.Keys{
			Tool: k.Tool, Content: k.Content, Place: k.PlaceKey, Moved: k.Moved, Near: k.Near,
			Line: int32(k.Line), //nolint:gosec // stored from an int32
			Text: identity.TextOf(k.Hash),
		},
		Closed: k.State == sinew.PresenceFixed || k.State == sinew.PresenceGone,
	}
}

// assignment says which finding each observation of a snapshot is.
type assignment struct {
	ids     []int64
	pass    []uint8
	matched bool // just now, with what the place holds: the passes speak of that
}

// match decides which finding each observation of a snapshot is: first within
// its place, then among the findings of the family that are elsewhere.
func (f *fold) match(ctx context.Context, pl *store.PlaceRow, sn *snap) (*assignment, *placeIndex, error) {
	x, priors, err := f.loadPlace(ctx, pl.ID, true)
	if err != nil {
		return nil, nil, err
	}
	siblings := f.hasSiblings(pl)
	as := &assignment{matched: true}
	if len(priors) == 0 && !siblings {
		return f.allNew(as, sn), x, nil
	}
	next := make([]identity.Keys, 0, sn.S.Observations)
	var h identity.Hasher
	if err := f.eachObservation(ctx, sn, func(_ int64, o *sinew.Observation) error {
		keys, _ := h.Hash(o)
		next = append(next, keys)
		return nil
	}); err != nil {
		return nil, nil, err
	}
	pairs := f.j.p.pair(priors, next)
	as.ids = make([]int64, len(next))
	as.pass = make([]uint8, len(next))
	used := make([]bool, len(priors))
	left := 0
	for i, p := range pairs {
		if p.Prior < 0 {
			left++
			continue
		}
		as.ids[i], as.pass[i] = x.ids[p.Prior], uint8(p.Pass)
		used[p.Prior] = true
	}
	if left > 0 && siblings {
		if err := f.matchSiblings(ctx, pl, x, used, next, pairs, as); err != nil {
			return nil, nil, err
		}
	}
	for i := range as.ids {
		if as.pass[i] == uint8(identity.PassNew) {
			as.ids[i] = f.newID(sn, i)
		}
	}
	return as, x, nil
}

func (f *fold) matchSiblings(ctx context.Context, pl *store.PlaceRow, x *placeIndex, used []bool,
	next []identity.Keys, pairs []identity.Pair, as *assignment,
) error {
	var list priorList
	var ids []int64
	err := f.j.db.ScanSiblings(ctx, f.j.space, f.fam.ID, pl.ID, func(k *store.PresenceKeys) error {
		if i := x.find(k.Finding); i >= 0 && used[i] {
			return nil
		}
		list.add(k, f.fam.Folds > 0)
		ids = append(ids, k.Finding)
		return nil
	})
	if err != nil {
		return err
	}
	before := make([]bool, len(pairs))
	for i := range pairs {
		before[i] = pairs[i].Prior >= 0
	}
	if identity.MatchSiblings(list.ranked(), next, pairs) == 0 {
		return nil
	}
	for i, p := range pairs {
		if !before[i] && p.Prior >= 0 {
			as.ids[i], as.pass[i] = ids[p.Prior], uint8(p.Pass)
		}
	}
	return nil
}

// allNew is the assignment of the first snapshot of a family.
func (f *fold) allNew(as *assignment, sn *snap) *assignment {
	as.ids = make([]int64, sn.S.Observations)
	as.pass = make([]uint8, sn.S.Observations)
	for i := range as.ids {
		as.ids[i] = f.newID(sn, i)
	}
	return as
}

// newID names a finding that is born from an observation: by its coordinates in
// the log. While a family is folded again the names are provisional and follow
// the order of the fold.
func (f *fold) newID(sn *snap, i int) int64 {
	seq := sn.Seq
	if f.provisional != 0 {
		seq = f.provisional
	}
	return seq<<28 | sn.ordinal(int64(i))
}
