package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Names of findings in a fold that is done again: which observations are one
// finding, what that is called, and what becomes of the names that were given out.

// matchAll runs the fold with matching, and names the chains that come out. final
// reports that what was applied is what is to be: all names were final, and no
// decisions follow.
func (r *refold) matchAll(ctx context.Context, rows []store.SnapshotRow) (final bool, err error) {
	r.matching = true
	// A whole fold begins anew in any case; a suffix is taken back by its steps.
	r.f.log.off, r.f.log.hold = r.whole, true
	err = r.run(ctx, rows)
	r.f.log.off, r.f.log.hold, r.matching = false, false, false
	if err != nil {
		return false, err
	}
	final = !r.whole && !slices.ContainsFunc(r.items(), func(it *item) bool { return it.decs != nil })
	names := map[int64]chainName{}
	for _, it := range r.items() {
		if it.sn == nil {
			continue
		}
		if err := r.nameChains(it.sn, names); err != nil {
			return false, err
		}
	}
	for _, id := range r.named { // by the names that chains have so far
		now, ok, err := r.finding(id)
		if err != nil {
			return false, err
		}
		if !ok || now != id {
			return false, errRenamed
		}
	}
	r.given.names, r.given.matched = map[int64]int64{}, true
	for chain, n := range names {
		if chain >= firstProvisional<<28 {
			final = false
			r.given.names[chain] = n.final()
		} else if n.final() != chain {
			return false, errRenamed
		}
	}
	return final, nil
}

// nameChains collects what the findings may be called that a snapshot observed. New
// ones are named provisionally so far.
func (r *refold) nameChains(sn *snap, names map[int64]chainName) error {
	s := r.given.spans[sn.Seq]
	return r.given.rows.each(s.first, s.n, func(i int32, l *link) error {
		own := sn.Seq<<28 | sn.ordinal(int64(i)-int64(s.first))
		n, ok := names[l.id]
		if !ok {
			n = chainName{lowest: own, birth: -1}
			if l.id < firstProvisional<<28 {
				n.birth = l.id // it stays, and has its name
			}
		}
		n.lowest = min(n.lowest, own)
		if _, minted := slices.BinarySearch(r.births, own); minted && (n.birth < 0 || own < n.birth) {
			n.birth = own
		}
		names[l.id] = n
		return nil
	})
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
	for _, it := range r.items() {
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
		if err := r.given.add(it.seq, as); err != nil {
			return err
		}
	}
	return nil
}

// finding gives the finding that a birth is part of now.
func (r *refold) finding(birth int64) (id int64, ok bool, err error) {
	seq, ordinal := sinew.SplitLocalID(birth)
	if _, again := r.given.spans[seq]; !again {
		id, ok = r.resolved[birth]
		return id, ok, nil
	}
	if at := r.coords[seq]; at != nil {
		i, ok := at[ordinal]
		if !ok {
			return 0, false, nil // a later mapping no longer tells it
		}
		ordinal = i
	}
	return r.given.one(seq, ordinal)
}

// redirect makes every birth that lost its name point to the finding it is part
// of, for as long as that holds.
func (r *refold) redirect(ctx context.Context) error {
	now := map[int64]int64{}
	for _, b := range r.births {
		id, ok, err := r.finding(b)
		if err != nil {
			return err
		}
		if ok && id != b {
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

// assignments writes those that are new and names them.
func (r *refold) assignments(ctx context.Context, rows []store.SnapshotRow, sn *snap) ([]Assignment, error) {
	f := r.f
	var out []Assignment
	for _, it := range r.items() {
		if it.sn == nil {
			continue
		}
		i := slices.IndexFunc(rows, func(row store.SnapshotRow) bool { return row.Seq == it.seq })
		if i < 0 {
			return nil, fmt.Errorf("snapshot %d has no row", it.seq)
		}
		as, err := r.given.of(it.seq)
		if err != nil {
			return nil, err
		}
		digest, err := f.j.writeAssignment(ctx, it.sn, as)
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
