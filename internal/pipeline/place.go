package pipeline

import (
	"context"
	"fmt"
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

// loadPlace reads a place's presences as they are staged. priors, if not nil, gets
// them as matching sees them, in the same order.
func (f *fold) loadPlace(ctx context.Context, place int64, priors *rowFile[identity.Prior]) (*placeIndex, error) {
	if err := f.st.Flush(ctx); err != nil {
		return nil, err
	}
	n, err := f.j.db.CountPlace(ctx, f.j.space, place)
	if err != nil {
		return nil, err
	}
	x := newPlaceIndex(int(n))
	ranks, err := f.ranks(ctx, priors != nil && n > 0)
	if err != nil {
		return nil, err
	}
	err = f.j.db.ScanPlace(ctx, f.j.space, place, ranks != nil, func(k *store.PresenceKeys) error {
		x.add(k)
		if priors == nil {
			return nil
		}
		return priors.add(prior(k, ranks))
	})
	return x, err
}

// ranks is where each snapshot stands in the fold order of its family. Where
// nothing else decides, matching takes the finding that comes first in it. Births
// say so while snapshots come in order: then it is nil.
type ranks map[int64]int64

func (f *fold) ranks(ctx context.Context, wanted bool) (ranks, error) {
	if !wanted || f.fam.Folds == 0 {
		return nil, nil
	}
	if f.order == nil {
		steps, err := f.j.db.Steps(ctx, f.j.space, f.fam.ID, 0)
		if err != nil {
			return nil, err
		}
		f.order = make(ranks, len(steps))
		for _, s := range steps {
			f.order[s.Item] = s.N
		}
	}
	return f.order, nil
}

func ranksOf(items []*item) ranks {
	r := make(ranks, len(items))
	for i, it := range items {
		if it.sn != nil {
			r[it.seq] = int64(i)
		}
	}
	return r
}

// of gives the rank of a finding by its first observation in fold order.
func (r ranks) of(origin int64) int64 {
	if r == nil {
		return origin
	}
	seq, n := sinew.SplitLocalID(origin)
	return r[seq]<<28 | n
}

func prior(k *store.PresenceKeys, r ranks) identity.Prior {
	return identity.Prior{
		ID: r.of(k.Origin),
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
// its place, then among the findings of the family that are elsewhere. What it
// compares lies in files as soon as there is much of it.
func (f *fold) match(ctx context.Context, pl *store.PlaceRow, sn *snap) (*assignment, *placeIndex, error) {
	priors := newPriorFile(f.j.p.opt.SpoolDir)
	defer priors.close()
	x, err := f.loadPlace(ctx, pl.ID, priors)
	if err != nil {
		return nil, nil, err
	}
	siblings := f.hasSiblings(pl)
	as := &assignment{matched: true}
	if priors.Len() == 0 && !siblings {
		return f.allNew(as, sn), x, nil
	}
	next := newKeysFile(f.j.p.opt.SpoolDir)
	defer next.close()
	var h identity.Hasher
	if err := f.eachObservation(ctx, sn, func(_ int64, o *sinew.Observation) error {
		keys, _ := h.Hash(o)
		return next.add(keys)
	}); err != nil {
		return nil, nil, err
	}
	pairs := identity.NewPairs(next.Len())
	found, err := f.j.p.pair(priors, next, pairs)
	if err != nil {
		return nil, nil, fmt.Errorf("match snapshot %d: %w", sn.Seq, err)
	}
	as.ids = make([]int64, len(pairs))
	as.pass = make([]uint8, len(pairs))
	for i, p := range pairs {
		if p.Prior >= 0 {
			as.ids[i], as.pass[i] = x.ids[p.Prior], uint8(p.Pass)
		}
	}
	if siblings && found < len(pairs) {
		if err := f.matchSiblings(ctx, pl, x, next, pairs, as); err != nil {
			return nil, nil, fmt.Errorf("match snapshot %d: %w", sn.Seq, err)
		}
	}
	for i := range as.ids {
		if as.pass[i] == uint8(identity.PassNew) {
			as.ids[i] = f.newID(sn, i)
		}
	}
	return as, x, nil
}

func (f *fold) matchSiblings(ctx context.Context, pl *store.PlaceRow, x *placeIndex, next *rowFile[identity.Keys],
	pairs []identity.Pair, as *assignment,
) error {
	shown := make([]bool, len(x.ids))
	for _, p := range pairs {
		if p.Prior >= 0 {
			shown[p.Prior] = true
		}
	}
	siblings := newPriorFile(f.j.p.opt.SpoolDir)
	defer siblings.close()
	ranks, err := f.ranks(ctx, true)
	if err != nil {
		return err
	}
	var ids []int64
	err = f.j.db.ScanSiblings(ctx, f.j.space, f.fam.ID, pl.ID, func(k *store.PresenceKeys) error {
		if i := x.find(k.Finding); i >= 0 && shown[i] {
			return nil
		}
		ids = append(ids, k.Finding)
		return siblings.add(prior(k, ranks))
	})
	if err != nil {
		return err
	}
	if _, err := identity.MatchSiblingRows(siblings, next, pairs); err != nil {
		return err
	}
	for i, p := range pairs {
		if p.Pass.Sibling() {
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
