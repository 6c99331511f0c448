package pipeline

import (
	"cmp"
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// What a fold that is done again begins from: what stays, and what is known of what
// does not.

// plan finds what stays: the steps that were made in the order that holds now.
func (r *refold) plan(ctx context.Context, rows []store.SnapshotRow) error {
	f := r.f
	steps, err := f.j.db.Steps(ctx, f.j.space, f.fam.ID, 0)
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, it := range r.base {
		known[it.seq] = true
	}
	stepped := map[int64]bool{}
	var decided []int64
	for _, s := range steps {
		stepped[s.Item] = true
		if !known[s.Item] {
			decided = append(decided, s.Item)
		}
	}
	verdicts, err := f.j.db.VerdictsAt(ctx, f.j.space, decided)
	if err != nil {
		return err
	}
	mine := map[int64]bool{}
	for i := range rows {
		mine[rows[i].Seq] = true
	}
	verdicts = slices.DeleteFunc(verdicts, func(v store.VerdictRow) bool {
		seq, _ := sinew.SplitLocalID(v.Birth)
		return !mine[seq]
	})
	r.all = ordered(append(slices.Clone(r.base), decisionItems(verdicts)...))
	for r.from = 0; r.from < len(r.all); r.from++ {
		it := r.all[r.from]
		if int(r.keep) < len(steps) && steps[r.keep].Item == it.seq {
			r.keep++
			continue
		}
		// What made no step did nothing here, unless it is what is new.
		if it.sn != nil || it.seq == f.born || stepped[it.seq] {
			break
		}
	}
	stays, err := r.canTakeBack(ctx, int64(len(steps)))
	if err != nil || !stays {
		r.whole = true
		return err
	}
	given, err := digests(f.j.given)
	if err != nil {
		return err
	}
	for _, it := range r.all[:r.from] {
		if _, ok := given[it.seq]; ok {
			r.whole = true // it was folded from the beginning when that was logged
		}
	}
	return nil
}

// canTakeBack reports whether the steps after those that stay can be taken back.
func (r *refold) canTakeBack(ctx context.Context, steps int64) (bool, error) {
	f := r.f
	if r.keep < f.fam.UndoFrom {
		return false, nil
	}
	for n := r.keep; n < steps; n++ { // the oldest has the oldest layout
		parts, err := f.j.db.StepParts(ctx, f.j.space, f.fam.ID, n)
		if err != nil {
			return false, err
		}
		if parts == 0 {
			continue
		}
		data, err := f.j.db.ReadStepPart(ctx, f.j.space, f.fam.ID, n, 0)
		return err == nil && readable(data), err
	}
	return true, nil
}

// decisionItems groups decisions by the entry that made them.
func decisionItems(verdicts []store.VerdictRow) (items []*item) {
	slices.SortFunc(verdicts, func(a, b store.VerdictRow) int {
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.Birth, b.Birth))
	})
	for len(verdicts) > 0 {
		n := 1
		for n < len(verdicts) && verdicts[n].Seq == verdicts[0].Seq {
			n++
		}
		v := &verdicts[0]
		items = append(items, &item{seq: v.Seq, at: v.At, known: v.At, actor: v.Actor, decs: verdicts[:n:n]})
		verdicts = verdicts[n:]
	}
	return items
}

// everything prepares a fold from the first snapshot: it keeps how all findings of
// the family stood, and takes every id that was given out in it.
func (r *refold) everything(ctx context.Context) error {
	f := r.f
	r.births, r.named, r.resolved = nil, nil, nil
	for id, state := range f.olds { // of an attempt that was given up
		if state != notThere {
			r.births = append(r.births, id)
		}
	}
	err := f.eachFinding(ctx, func(row *store.FindingRow) error {
		if _, ok := f.olds[row.ID]; !ok {
			f.note(row.ID, row.State)
			r.births = append(r.births, row.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	redirects, err := f.j.db.Redirects(ctx, f.j.space, r.births)
	if err != nil {
		return err
	}
	for _, d := range redirects {
		r.births = append(r.births, d.Old)
	}
	slices.Sort(r.births)
	r.births = slices.Compact(r.births)
	verdicts, err := f.j.db.VerdictsOf(ctx, f.j.space, r.births)
	if err != nil {
		return err
	}
	r.all = ordered(append(slices.Clone(r.base), decisionItems(verdicts)...))
	r.from, r.keep = 0, 0
	return nil
}

// suffix prepares a fold of what comes after the steps that stay.
func (r *refold) suffix(ctx context.Context) error {
	f := r.f
	again := map[int64]bool{}
	for _, it := range r.items() {
		if it.sn == nil {
			continue
		}
		again[it.seq] = true
		ids, err := f.j.db.FindingsBorn(ctx, f.j.space, f.fam.ID, it.seq)
		if err != nil {
			return err
		}
		redirected, err := f.j.db.RedirectsBorn(ctx, f.j.space, it.seq)
		if err != nil {
			return err
		}
		r.births = append(append(r.births, ids...), redirected...)
	}
	slices.Sort(r.births)
	r.births = slices.Compact(r.births)
	var stay []int64
	for _, it := range r.items() {
		for i := range it.decs {
			if seq, _ := sinew.SplitLocalID(it.decs[i].Birth); !again[seq] {
				stay = append(stay, it.decs[i].Birth)
			}
		}
	}
	var err error
	r.resolved, err = f.j.db.ResolveBirths(ctx, f.j.space, stay)
	return err
}

// findNamed finds the findings of what stays that are named by an observation that
// is folded again. They keep their name only if that is still theirs.
func (r *refold) findNamed(ctx context.Context) error {
	f := r.f
	if r.whole {
		return nil
	}
	if err := f.st.Flush(ctx); err != nil {
		return err
	}
	for _, it := range r.items() {
		if it.sn == nil {
			continue
		}
		ids, err := f.j.db.FindingsBorn(ctx, f.j.space, f.fam.ID, it.seq)
		if err != nil {
			return err
		}
		r.named = append(r.named, ids...)
	}
	return nil
}
