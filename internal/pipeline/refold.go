package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// A snapshot that is not last in the fold order of its family changes what came
// after it. The family is then folded again, from its first snapshot, inside one
// stage: its rows are ended, and everything dated is applied once more in order,
// by the same code that applies it when it is new. So a family's state is a
// function of the set of what is known, however it arrived.
//
// Live this takes up to two runs: one that matches, which tells which
// observations are one finding, and, where that changes a name or decisions must
// follow, one that applies with the final names. A rebuild knows the names and
// runs once.

// refold is the state of such a fold.
type refold struct {
	f       *fold
	items   []*item
	old     []oldFinding          // as they were, by id
	births  []int64               // every id that was ever given out in the family, sorted
	given   map[int64]*assignment // by snapshot; nil while matching
	matched map[int64]*assignment
	coords  map[int64]map[int64]int64 // of snapshots that were mapped again: ordinal -> place in the body
}

type oldFinding struct {
	id    int64
	state sinew.FindingState
}

// refoldWith folds the family again with a late snapshot. row is the snapshot's
// own, which gets its assignment.
func (f *fold) refoldWith(ctx context.Context, sn *snap, row *store.SnapshotRow) ([]Assignment, error) {
	items, err := f.timeline(ctx, sn)
	if err != nil {
		return nil, err
	}
	rows, err := f.j.db.SnapshotsOf(ctx, f.j.space, f.fam.ID)
	if err != nil {
		return nil, err
	}
	rows = append(rows, *row)
	out, err := f.again(ctx, items, rows, sn)
	if err != nil {
		return nil, err
	}
	pl := f.streamPlace(sn)
	if pl.Head == sn.Seq { // the newest of its place all the same
		if err := f.tellAssets(ctx, pl, sn); err != nil {
			return nil, err
		}
	}
	*row = rows[len(rows)-1]
	return out, nil
}

// again folds the family's timeline from scratch. rows are its snapshots, the
// one that is being projected last; their assignments are updated. It gives the
// assignments that changed.
func (f *fold) again(ctx context.Context, items []*item, rows []store.SnapshotRow, sn *snap) ([]Assignment, error) {
	f.res.Late = true
	f.fam.Folds++
	f.st.SaveFamily(f.fam)
	r := &refold{f: f, items: items, coords: map[int64]map[int64]int64{}}
	for _, it := range items {
		if it.sn == nil || it.sn.coords == nil {
			continue
		}
		at := make(map[int64]int64, len(it.sn.coords))
		for i, n := range it.sn.coords {
			at[n] = int64(i)
		}
		r.coords[it.seq] = at
	}
	if err := r.remember(ctx); err != nil {
		return nil, err
	}
	switch {
	case f.j.given == nil && f.j.replaying:
		return nil, errors.New("the log holds no outcome of this fold")
	case f.j.given == nil:
		if err := r.endAll(ctx); err != nil {
			return nil, err
		}
		if err := r.matchAll(ctx); err != nil {
			return nil, err
		}
	default:
		if err := r.readAll(ctx, rows); err != nil {
			return nil, err
		}
	}
	if err := r.decisions(ctx); err != nil {
		return nil, err
	}
	// The names are known: the run that counts.
	if err := r.endAll(ctx); err != nil {
		return nil, err
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	for _, p := range f.places {
		f.st.SavePlace(*p)
	}
	if err := r.redirect(ctx); err != nil {
		return nil, err
	}
	if err := r.compare(ctx); err != nil {
		return nil, err
	}
	return r.assignments(ctx, rows, sn)
}

// remember keeps how the findings of the family stand, and every id that was
// given out in it.
func (r *refold) remember(ctx context.Context) error {
	f := r.f
	var ids []int64
	err := f.eachFinding(ctx, func(row *store.FindingRow) error {
		r.old = append(r.old, oldFinding{row.ID, row.State})
		ids = append(ids, row.ID)
		return nil
	})
	if err != nil {
		return err
	}
	redirects, err := f.j.db.Redirects(ctx, f.j.space, ids)
	if err != nil {
		return err
	}
	r.births = append(r.births, ids...)
	for _, d := range redirects {
		r.births = append(r.births, d.Old)
	}
	slices.Sort(r.births)
	r.births = slices.Compact(r.births)
	return nil
}

// eachFinding gives the current rows of the family's findings, by id.
func (f *fold) eachFinding(ctx context.Context, fn func(*store.FindingRow) error) error {
	const pageSize = 2000
	after := int64(-1)
	for {
		if err := f.st.Flush(ctx); err != nil {
			return err
		}
		page, err := f.j.db.FindingPage(ctx, f.j.space, store.FindingCond{Family: f.fam.ID}, after, pageSize)
		if err != nil {
			return err
		}
		for i := range page {
			if err := fn(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// endAll ends every row of the family and puts its places back to the beginning.
func (r *refold) endAll(ctx context.Context) error {
	f := r.f
	err := f.eachFinding(ctx, func(row *store.FindingRow) error { return f.st.EndFinding(ctx, row, f.fam.Target) })
	if err != nil {
		return err
	}
	for _, p := range f.places {
		x, _, err := f.loadPlace(ctx, p.ID, false)
		if err != nil {
			return err
		}
		for _, id := range x.ids {
			if err := f.st.EndPresence(ctx, id, p.ID); err != nil {
				return err
			}
		}
		p.Head, p.SeenAt, p.Version, p.Ended = 0, 0, "", ""
	}
	return f.st.Flush(ctx)
}

// matchAll runs the fold with matching, and names the chains that come out.
func (r *refold) matchAll(ctx context.Context) error {
	r.matched = map[int64]*assignment{}
	if err := r.run(ctx); err != nil {
		return err
	}
	// The chains so far are named by their first observation in fold order.
	names := map[int64]chainName{}
	for _, it := range r.items {
		if it.sn == nil {
			continue
		}
		as := r.matched[it.seq]
		for i, chain := range as.ids {
			own := it.sn.Seq<<28 | it.sn.ordinal(int64(i))
			n, ok := names[chain]
			if !ok {
				n = chainName{lowest: own, birth: -1}
			}
			n.lowest = min(n.lowest, own)
			if _, minted := slices.BinarySearch(r.births, own); minted && (n.birth < 0 || own < n.birth) {
				n.birth = own
			}
			names[chain] = n
		}
	}
	for _, as := range r.matched {
		for i, chain := range as.ids {
			as.ids[i] = names[chain].final()
		}
	}
	r.given, r.matched = r.matched, nil
	return nil
}

// firstProvisional is a seq that no log reaches and that an id can still hold.
const firstProvisional = 1 << 34

// chainName is what a chain of observations may be called: the lowest of its
// births, else its lowest observation (docs/decisions/005).
type chainName struct{ lowest, birth int64 }

func (n chainName) final() int64 {
	if n.birth >= 0 {
		return n.birth
	}
	return n.lowest
}

// readAll takes the assignments from the log.
func (r *refold) readAll(ctx context.Context, rows []store.SnapshotRow) error {
	names := map[int64][32]byte{}
	for i := range rows {
		if len(rows[i].Assignment) == 32 {
			names[rows[i].Seq] = [32]byte(rows[i].Assignment)
		}
	}
	given, err := digests(r.f.j.given)
	if err != nil {
		return err
	}
	maps.Copy(names, given)
	r.given = map[int64]*assignment{}
	for _, it := range r.items {
		if it.sn == nil {
			continue
		}
		d, ok := names[it.seq]
		if !ok {
			return fmt.Errorf("snapshot %d has no outcome", it.seq)
		}
		as, err := r.f.j.readAssignment(ctx, it.sn, d)
		if err != nil {
			return err
		}
		r.given[it.seq] = as
	}
	return nil
}

// finding gives the finding that a birth is part of now.
func (r *refold) finding(birth int64) (int64, bool) {
	seq, ordinal := sinew.SplitLocalID(birth)
	as := r.given[seq]
	if as == nil {
		return 0, false
	}
	if at := r.coords[seq]; at != nil {
		i, ok := at[ordinal]
		if !ok {
			return 0, false // a later mapping no longer tells it
		}
		ordinal = i
	}
	if ordinal < 0 || ordinal >= int64(len(as.ids)) {
		return 0, false
	}
	return as.ids[ordinal], true
}

// decisions puts the decisions on the family's findings into the timeline.
func (r *refold) decisions(ctx context.Context) error {
	list, err := r.f.j.db.VerdictsOf(ctx, r.f.j.space, r.births)
	if err != nil || len(list) == 0 {
		return err
	}
	items := r.items
	for i := range list {
		items = append(items, &item{seq: list[i].Seq, at: list[i].At, known: list[i].At, actor: list[i].Actor, dec: &list[i]})
	}
	r.items = ordered(items)
	return nil
}

// run applies the timeline: with the given assignments, or else matching.
func (r *refold) run(ctx context.Context) error {
	f := r.f
	entry, known := f.entry, f.known
	res := f.res
	f.quiet, f.res = true, &Result{}
	f.running, f.versions = map[runKey]string{}, map[string]captured{}
	pending := map[int64][]*item{} // decisions on births that are folded later, by snapshot
	folded := map[int64]bool{}
	for i, it := range r.items {
		f.entry, f.known = it.seq, it.known
		if r.given == nil {
			f.provisional = firstProvisional + int64(i)
		}
		var err error
		switch {
		case it.sn != nil:
			if err = r.snapshot(ctx, it.sn); err == nil {
				folded[it.seq] = true
				for _, d := range pending[it.seq] {
					f.entry, f.known = d.seq, d.known
					if err = r.decide(ctx, d); err != nil {
						break
					}
				}
			}
		case it.ref != nil:
			err = f.applyRef(ctx, it.ref, it.at)
		case it.dep != nil:
			err = f.applyDeployment(ctx, it.dep, it.at)
		case it.end != nil:
			err = f.applyEnd(ctx, it.end, it.at)
		case it.dec != nil:
			if seq, _ := sinew.SplitLocalID(it.dec.Birth); !folded[seq] {
				pending[seq] = append(pending[seq], it)
			} else {
				err = r.decide(ctx, it)
			}
		}
		if err != nil {
			return err
		}
	}
	f.provisional, f.phase = 0, f.firstPhase // events that follow are numbered alike, live and in a rebuild
	f.entry, f.known, f.quiet, f.res, f.running, f.versions = entry, known, false, res, nil, nil
	return f.st.Flush(ctx)
}

func (r *refold) snapshot(ctx context.Context, sn *snap) error {
	f := r.f
	pl := f.streamPlace(sn)
	as := r.given[sn.Seq]
	var x *placeIndex
	if as == nil {
		var err error
		if as, x, err = f.match(ctx, pl, sn); err != nil {
			return err
		}
		r.matched[sn.Seq] = as
	}
	// The place keeps what it was given: apply forgets the hashes only.
	if err := f.apply(ctx, pl, sn, sn.At, as, x, false); err != nil {
		return err
	}
	return f.follow(ctx, sn, func() (*assignment, error) { return as, nil })
}

func (r *refold) decide(ctx context.Context, it *item) error {
	id, ok := r.finding(it.dec.Birth)
	if !ok {
		return nil
	}
	set, err := r.f.load(ctx, it.at, []int64{id})
	if err != nil {
		return err
	}
	fs := set.findings[id]
	if fs == nil {
		return nil
	}
	if err := r.f.decide(ctx, fs, it.dec, it.at); err != nil {
		return err
	}
	return set.save(ctx)
}

// redirect makes every birth that lost its name point to the finding it is part
// of, for as long as that holds.
func (r *refold) redirect(ctx context.Context) error {
	now := map[int64]int64{}
	for _, b := range r.births {
		if id, ok := r.finding(b); ok && id != b {
			now[b] = id
		}
	}
	was, err := r.f.j.db.RedirectsFrom(ctx, r.f.j.space, r.births)
	if err != nil {
		return err
	}
	for _, b := range r.births {
		to, ok := now[b]
		old, had := was[b]
		if ok == had && to == old {
			continue
		}
		if had {
			r.f.st.EndRedirect(b)
		}
		if ok {
			r.f.diff.redirected++
			r.f.st.NewRedirect(store.RedirectRow{Old: b, New: to})
		}
	}
	return nil
}

// compare tells, in the history of each finding that stands differently now, that
// it does, and why.
func (r *refold) compare(ctx context.Context) error {
	f := r.f
	why := "an older snapshot was folded in"
	i := 0
	f.diff.kept, f.diff.born = 0, 0
	return f.eachFinding(ctx, func(row *store.FindingRow) error {
		for i < len(r.old) && r.old[i].id < row.ID {
			i++
		}
		switch {
		case i == len(r.old) || r.old[i].id != row.ID:
			f.res.New++
			f.diff.born++
			return nil
		case r.old[i].state == row.State:
			f.diff.kept++
			f.res.Unchanged++
			return nil
		}
		f.diff.kept++
		f.res.Changed++
		return f.event(ctx, &findingState{row: *row}, f.known, "refolded", 0, string(r.old[i].state), string(row.State), why)
	})
}

// assignments writes those that are new and names them.
func (r *refold) assignments(ctx context.Context, rows []store.SnapshotRow, sn *snap) ([]Assignment, error) {
	f := r.f
	var out []Assignment
	for _, it := range r.items {
		if it.sn == nil {
			continue
		}
		i := slices.IndexFunc(rows, func(row store.SnapshotRow) bool { return row.Seq == it.seq })
		if i < 0 {
			return nil, fmt.Errorf("snapshot %d has no row", it.seq)
		}
		digest, err := f.j.writeAssignment(ctx, it.sn, r.given[it.seq])
		if err != nil {
			return nil, err
		}
		if it.sn.fresh == nil && len(rows[i].Assignment) == 32 && [32]byte(rows[i].Assignment) == digest {
			continue
		}
		rows[i].Assignment = digest[:]
		if sn == nil || it.seq != sn.Seq {
			if it.sn.fresh == nil {
				rows[i].Result = "" // stays
			}
			f.st.SaveSnapshot(rows[i])
		}
		a := Assignment{Snapshot: it.seq, Digest: hexDigest(digest), Remapping: it.sn.fresh}
		if it.sn.fresh != nil {
			a.Body = hexDigest(it.sn.Body)
		}
		out = append(out, a)
	}
	return out, nil
}
