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
// after it. The steps after it are taken back (steps.go) and everything dated from
// there on is applied once more in order, inside one stage, by the same code that
// applies it when it is new. So a family's state is a function of the set of what is
// known, however it arrived, and what a late report costs follows from what came
// after it. Where the steps cannot be taken back, because there were too many since
// or something else changed what they did, and where a finding of what stays gets
// another name, the family is folded again from its first snapshot; what comes out
// is the same (docs/decisions/012-late-reports.md).
//
// Live this takes up to two runs: one that matches, which tells which
// observations are one finding, and, where that makes new names or decisions must
// follow, one that applies with the final names. A rebuild knows the names and
// runs once.

// refold is the state of such a fold.
type refold struct {
	f     *fold
	base  []*item // everything dated, without decisions
	all   []*item // with the decisions that may be applied again, in fold order
	from  int     // in all: what is folded again
	keep  int64   // steps that stay
	whole bool    // nothing stays

	places   []*store.PlaceRow // that were there before
	born     int64             // places born before in the entry at hand
	births   []int64           // ids that were given out to what is folded again, sorted
	named    []int64           // findings of what stays that are named by what is folded again
	resolved map[int64]int64   // births of what stays that decisions were made on -> finding
	given    *chains           // which observation is which finding, of what is folded again
	matching bool
	coords   map[int64]map[int64]int64 // of snapshots that were mapped again: ordinal -> place in the body
}

func (r *refold) items() []*item { return r.all[r.from:] }

// errRenamed says that a finding of what was to stay gets another name.
var errRenamed = errors.New("the name of an earlier finding changes")

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
	out, err := f.again(ctx, items, rows, sn, false)
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

// again folds the family's timeline again. rows are its snapshots, the one that
// is being projected last; their assignments are updated. It gives the assignments
// that changed. whole is set when all of it is to be matched anew.
func (f *fold) again(ctx context.Context, items []*item, rows []store.SnapshotRow, sn *snap, whole bool) ([]Assignment, error) {
	if f.j.given == nil && f.j.replaying {
		return nil, errors.New("the log holds no outcome of this fold")
	}
	f.res.Late = true
	f.fam.Folds++
	f.olds = map[int64]uint8{}
	if err := f.openStep(ctx, 0); err != nil { // to know where the steps end
		return nil, err
	}
	f.log.open = false
	r := &refold{
		f: f, base: items, coords: map[int64]map[int64]int64{}, whole: whole || f.j.p.foldWhole,
		places: slices.Clone(f.places), born: f.j.newPlaces,
	}
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
	if !r.whole {
		if err := r.plan(ctx, rows); err != nil {
			return nil, err
		}
	}
	defer func() { r.given.close() }()
	err := r.fold(ctx, rows)
	if errors.Is(err, errRenamed) {
		r.whole = true
		err = r.fold(ctx, rows)
	}
	if err != nil {
		return nil, err
	}
	f.st.SaveFamily(f.fam)
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

// fold applies what is to be folded again, to what stays.
func (r *refold) fold(ctx context.Context, rows []store.SnapshotRow) error {
	r.given.close()
	r.given = newChains(r.f.j.p.opt.SpoolDir)
	if r.whole {
		if err := r.everything(ctx); err != nil {
			return err
		}
	} else if err := r.suffix(ctx); err != nil {
		return err
	}
	if err := r.clear(ctx); err != nil {
		return err
	}
	if err := r.findNamed(ctx); err != nil {
		return err
	}
	if r.f.j.given != nil {
		if err := r.readAll(ctx, rows); err != nil {
			return err
		}
		return r.run(ctx, rows)
	}
	final, err := r.matchAll(ctx, rows)
	if err != nil || final {
		return err
	}
	// The names are known: the run that counts.
	if err := r.clear(ctx); err != nil {
		return err
	}
	return r.run(ctx, rows)
}

// clear makes the family what it was before what is folded again.
func (r *refold) clear(ctx context.Context) error {
	f := r.f
	if !r.whole {
		if err := f.takeBack(ctx, r.keep); err != nil {
			return err
		}
		f.places, f.j.newPlaces = slices.Clone(r.places), r.born
		return nil
	}
	if err := f.st.EndSteps(ctx, f.fam.ID, 0); err != nil {
		return err
	}
	f.log.n, f.log.kept, f.fam.UndoFrom = 0, 0, 0
	err := r.endAll(ctx)
	f.places, f.j.newPlaces = slices.Clone(r.places), r.born
	return err
}

// states are the states of findings as numbers.
var states = append([]sinew.FindingState{""}, sinew.FindingStates...)

// notThere is the number of the state of a finding that had no row.
const notThere = 0

// note keeps how a finding stood before the fold was done again.
func (f *fold) note(id int64, was sinew.FindingState) {
	if f.olds == nil {
		return
	}
	if _, ok := f.olds[id]; !ok {
		f.olds[id] = uint8(max(0, slices.Index(states, was))) //nolint:gosec // a handful
	}
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
		x, err := f.loadPlace(ctx, p.ID, nil)
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

// run applies what is folded again: with the given assignments, or else matching,
// then without decisions, whose findings are not known yet.
func (r *refold) run(ctx context.Context, rows []store.SnapshotRow) error {
	f := r.f
	entry, known, res := f.entry, f.known, f.res
	f.quiet, f.res = true, &Result{}
	f.order = ranksOf(r.all)
	r.before(ctx, rows)
	pending := map[int64][]*item{} // decisions on births that are folded later, by snapshot
	waits := map[int64]bool{}      // snapshots that are not folded yet
	for _, it := range r.items() {
		waits[it.seq] = it.sn != nil
	}
	for i, it := range r.items() {
		f.entry, f.known = it.seq, it.known
		if r.matching {
			f.provisional = firstProvisional + int64(i)
			if it.decs != nil {
				continue
			}
		}
		if it.decs != nil {
			if seq := r.waitsFor(it, waits); seq != 0 {
				pending[seq] = append(pending[seq], it)
				continue
			}
		}
		if err := r.item(ctx, it); err != nil {
			return err
		}
		delete(waits, it.seq)
		for _, d := range pending[it.seq] {
			if seq := r.waitsFor(d, waits); seq != 0 {
				pending[seq] = append(pending[seq], d)
				continue
			}
			f.entry, f.known = d.seq, d.known
			if err := r.item(ctx, d); err != nil {
				return err
			}
		}
	}
	f.provisional, f.phase = 0, f.firstPhase // events that follow are numbered alike, live and in a rebuild
	f.entry, f.known, f.quiet, f.res, f.running, f.versions = entry, known, false, res, nil, nil
	return f.st.Flush(ctx)
}

// before says what runs where, and what was looked at last, before what is folded
// again.
func (r *refold) before(ctx context.Context, rows []store.SnapshotRow) {
	f := r.f
	f.running, f.versions = map[runKey]string{}, map[string]captured{}
	digests := map[int64][]byte{}
	for i := range rows {
		digests[rows[i].Seq] = rows[i].Assignment
	}
	for _, it := range r.all[:r.from] {
		switch sn := it.sn; {
		case it.dep != nil:
			f.running[it.dep.key()] = it.dep.Version
		case sn != nil && sn.S.Coverage.Status != sinew.CoverageFailed:
			c := captured{sn: sn, as: func() (*assignment, error) {
				d := digests[sn.Seq]
				if len(d) != 32 {
					return nil, fmt.Errorf("snapshot %d has no outcome", sn.Seq)
				}
				return f.j.readAssignment(ctx, sn, [32]byte(d))
			}}
			for _, v := range []string{sn.S.Commit, sn.S.Digest} {
				if v != "" {
					f.versions[v] = c
				}
			}
		}
	}
}

// waitsFor gives a snapshot that is not folded yet and that a decision is on, 0 for
// none.
func (r *refold) waitsFor(it *item, waits map[int64]bool) int64 {
	for i := range it.decs {
		if seq, _ := sinew.SplitLocalID(it.decs[i].Birth); waits[seq] {
			return seq
		}
	}
	return 0
}

// item applies one item as a step.
func (r *refold) item(ctx context.Context, it *item) (err error) {
	f := r.f
	if err := f.openStep(ctx, it.seq); err != nil {
		return err
	}
	switch {
	case it.sn != nil:
		err = r.snapshot(ctx, it.sn)
	case it.ref != nil:
		err = f.applyRef(ctx, it.ref, it.at)
	case it.dep != nil:
		err = f.applyDeployment(ctx, it.dep, it.at)
	case it.end != nil:
		err = f.applyEnd(ctx, it.end, it.at)
	case it.decs != nil:
		err = r.decide(ctx, it)
	}
	if err != nil {
		return err
	}
	return f.closeStep(ctx, it.sn != nil)
}

func (r *refold) snapshot(ctx context.Context, sn *snap) error {
	f := r.f
	pl := f.streamPlace(sn)
	var as *assignment
	var x *placeIndex
	var err error
	if r.matching {
		if as, x, err = f.match(ctx, pl, sn); err == nil {
			err = r.given.add(sn.Seq, as)
		}
	} else {
		as, err = r.given.of(sn.Seq)
	}
	if err != nil {
		return err
	}
	// The place keeps what it was given: apply forgets the hashes only.
	if err := f.apply(ctx, pl, sn, sn.At, as, x, false); err != nil {
		return err
	}
	return f.follow(ctx, sn, func() (*assignment, error) { return r.given.of(sn.Seq) })
}

func (r *refold) decide(ctx context.Context, it *item) error {
	for decs := range slices.Chunk(it.decs, touchBatch) {
		ids := make([]int64, 0, len(decs))
		for i := range decs {
			id, ok, err := r.finding(decs[i].Birth)
			if err != nil {
				return err
			}
			if ok {
				ids = append(ids, id)
			}
		}
		set, err := r.f.load(ctx, it.at, ids)
		if err != nil {
			return err
		}
		for i := range decs {
			v := &decs[i]
			id, ok, err := r.finding(v.Birth)
			if err != nil {
				return err
			}
			fs := set.findings[id]
			if !ok || fs == nil || v.Verdict == "" && v.Undoes == 0 && !ranOut(&fs.row, v.At) {
				continue
			}
			if err := r.f.decide(ctx, fs, v, it.at); err != nil {
				return err
			}
		}
		if err := set.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// compare tells, in the history of each finding that stands differently now, that
// it does, and why.
func (r *refold) compare(ctx context.Context) error {
	f := r.f
	if err := f.st.Flush(ctx); err != nil {
		return err
	}
	f.diff.born = 0
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(f.olds)), touchBatch) {
		rows, err := f.j.db.FindingsByID(ctx, f.j.space, ids)
		if err != nil {
			return err
		}
		for i := range rows {
			row := &rows[i]
			switch was := f.olds[row.ID]; {
			case was == notThere:
				f.res.New++
				f.diff.born++
			case states[was] != row.State:
				f.res.Changed++
				err := f.event(ctx, &findingState{row: *row}, f.known, "refolded", 0, string(states[was]), string(row.State),
					"an older snapshot was folded in")
				if err != nil {
					return err
				}
			}
		}
	}
	f.olds = nil
	all, err := f.j.db.CountFindings(ctx, f.j.space, f.fam.ID)
	f.diff.kept = int(all) - f.diff.born
	f.res.Unchanged += f.diff.kept - f.res.Changed
	return err
}
