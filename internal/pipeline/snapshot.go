package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// snapshot projects an accepted snapshot. Live, the matcher says which
// observation is which finding, and the answer goes to the log with the flip; in
// a rebuild the log says it. What follows from the answer is the same code.
func (j *projector) snapshot(ctx context.Context, e sinew.Entry) error {
	sn, err := j.snapOf(e)
	if err != nil {
		return err
	}
	if j.replaying && j.given == nil {
		return errors.New("the log holds no outcome of it")
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	fam, err := j.db.FindFamily(ctx, j.space, sn.S.Stream)
	if err != nil {
		return err
	}
	if err := j.loadRules(ctx); err != nil {
		return err
	}
	unit, _ := familyUnit(j.rules, j.units, sn.S.Stream, sn.S.Application)
	if fam == nil {
		s := sn.S.Stream
		fam = &store.FamilyRow{ID: e.Seq << 28, Source: s.Source, Tool: s.Tool, Target: s.Target, Label: s.Label, Unit: unit}
		st.SaveFamily(*fam)
	}
	f, err := j.openFold(ctx, st, *fam, e)
	if err != nil {
		return err
	}
	defer f.closeLines()
	if f.fam.Unit == sinew.UnassignedUnit && unit != sinew.UnassignedUnit {
		if err := f.moveUnit(ctx, unit); err != nil {
			return err
		}
	}
	pl := f.streamPlace(sn)
	j.remember(e.Seq, sn.Body)
	f.res.Notes = sn.S.Notes

	row := store.SnapshotRow{
		Seq: e.Seq, Family: f.fam.ID, Place: pl.ID, Unit: f.fam.Unit, At: sn.At, Received: sn.Received,
		Version: version(&sn.S), Commit: sn.S.Commit, RawMAC: sn.S.RawMAC, Body: sn.Body[:],
		Coverage: sn.S.Coverage.Status, Basis: sn.S.Coverage.Basis, Artifact: sn.S.Digest != "", Observed: int64(sn.S.Observations),
	}
	late, err := f.late(ctx, pl, sn)
	if err != nil {
		return err
	}
	apply := true
	if late {
		if late, apply, err = f.horizon(ctx, pl, sn); err != nil {
			return err
		}
	}
	var assigned []Assignment
	switch {
	case !apply:
		row.Assignment, assigned = []byte{}, []Assignment{}
	case late:
		assigned, err = f.refoldWith(ctx, sn, &row)
	default:
		assigned, err = f.newest(ctx, pl, sn, &row)
	}
	if err != nil {
		return err
	}
	if row.Result, err = f.res.encode(); err != nil {
		return err
	}
	st.SaveSnapshot(row)
	out := &Outcome{Cause: causeSnapshot, Assignments: assigned}
	if late {
		out.Cause, out.Replaces = causeRefold, true
	}
	return j.flip(ctx, st, e.Seq, out)
}

// flip ends a stage, between two points at which tests let the process die. out
// is what the matcher said, nil if it was not asked; it goes to the log unless
// that is where it came from.
func (j *projector) flip(ctx context.Context, st *store.Stage, after int64, out *Outcome) error {
	f := store.Flip{Projected: after}
	if out != nil && j.given == nil && !j.replaying {
		out.Schema, out.After, out.Matcher = OutcomeSchema, after, identity.MatcherVersion
		f.Outcome = out
		for _, a := range out.Assignments {
			d, err := store.ParseDigest(a.Digest)
			if err != nil {
				return err
			}
			f.Blobs = append(f.Blobs, store.BlobRef{Kind: store.BlobAssignment, Digest: d})
			if a.Remapping == nil {
				continue
			}
			for kind, name := range map[store.BlobKind]string{store.BlobBody: a.Body, store.BlobAssignment: a.Coordinates} {
				d, err := store.ParseDigest(name)
				if err != nil {
					return err
				}
				f.Blobs = append(f.Blobs, store.BlobRef{Kind: kind, Digest: d})
			}
		}
	}
	if err := j.correlate(ctx, st); err != nil {
		return err
	}
	if err := st.Flush(ctx); err != nil {
		return err
	}
	if err := j.p.point("before flip"); err != nil {
		return err
	}
	if _, err := st.Flip(ctx, f); err != nil {
		return err
	}
	return j.p.point("after flip")
}

// newest applies a snapshot that comes last in the fold order of its family.
func (f *fold) newest(ctx context.Context, pl *store.PlaceRow, sn *snap, row *store.SnapshotRow) ([]Assignment, error) {
	j := f.j
	known, err := digests(j.given)
	if err != nil {
		return nil, err
	}
	given, ok := known[sn.Seq]
	if j.given != nil && !ok {
		return nil, fmt.Errorf("the outcome of snapshot %d does not assign it", sn.Seq)
	}
	same, reuse, err := f.sameAsHead(ctx, pl, sn)
	if err != nil {
		return nil, err
	}
	var as *assignment
	var x *placeIndex
	digest := given
	switch {
	case ok:
		if !same {
			as, err = j.readAssignment(ctx, sn, given)
		}
	case same:
		digest, err = f.reuseAssignment(ctx, sn, reuse)
	default:
		as, x, err = f.match(ctx, pl, sn)
		if err == nil {
			err = j.p.point("matched")
		}
		if err == nil {
			digest, err = j.writeAssignment(ctx, sn, as)
		}
		if err == nil {
			err = j.p.point("assignment written")
		}
	}
	if err != nil {
		return nil, err
	}
	row.Assignment = digest[:]
	if err := f.openStep(ctx, sn.Seq); err != nil {
		return nil, err
	}
	if same {
		f.res.Same, f.res.Unchanged = true, sn.S.Observations
		pl.Head, pl.SeenAt, pl.Version = sn.Seq, sn.At, version(&sn.S)
		f.savePlace(pl)
	} else if err := f.apply(ctx, pl, sn, sn.At, as, x, true); err != nil {
		return nil, err
	}
	if !same {
		if err := f.tellAssets(ctx, pl, sn); err != nil {
			return nil, err
		}
	}
	if err := f.follow(ctx, sn, func() (*assignment, error) {
		if as != nil {
			return as, nil
		}
		return j.readAssignment(ctx, sn, digest)
	}); err != nil {
		return nil, err
	}
	if err := f.closeStep(ctx, true); err != nil {
		return nil, err
	}
	if err := j.p.point("staged"); err != nil {
		return nil, err
	}
	return []Assignment{{Snapshot: sn.Seq, Digest: hexDigest(digest)}}, nil
}

// streamPlace finds or makes the place of a snapshot's stream.
func (f *fold) streamPlace(sn *snap) *store.PlaceRow {
	return f.refPlace(sn.S.Stream.Ref, sn.S.Environment)
}

// refPlace finds or makes the place of a ref.
func (f *fold) refPlace(ref, environment string) *store.PlaceRow {
	rules := f.j.rules.RefRules(f.fam.Target)
	ref = identity.NormalRef(ref)
	kind := identity.PlaceKind(ref, rules)
	if environment == "" {
		environment = f.units.rulesFor(ref).Assign(identity.Subject{Target: f.fam.Target, Ref: ref}).Environment
	}
	for _, p := range f.places {
		if p.Kind != sinew.PlaceDeployed && p.Ref == ref {
			p.Environment = environment
			return p
		}
	}
	p := &store.PlaceRow{ID: f.nextPlace(), Family: f.fam.ID, Kind: kind, Ref: ref, Environment: environment}
	f.addPlace(p)
	f.savePlace(p)
	return p
}

// nextPlace gives the id of the next place that is born in the entry at hand.
func (f *fold) nextPlace() int64 {
	id := f.born<<28 | f.j.newPlaces
	f.j.newPlaces++
	return id
}

// head is what the newest snapshot of a place was.
type head struct {
	row store.SnapshotRow
	res Result
}

// sameAsHead reports whether a snapshot tells exactly what the one before it in
// its place told, under the same coverage, with nothing having happened to the
// place in between. Then nothing of it needs to be looked at.
func (f *fold) sameAsHead(ctx context.Context, pl *store.PlaceRow, sn *snap) (bool, *head, error) {
	if pl.Head == 0 || pl.Ended != "" || !sn.complete() {
		return false, nil, nil
	}
	row, err := f.j.db.SnapshotBySeq(ctx, f.j.space, pl.Head)
	if err != nil || row == nil || [32]byte(row.Body) != sn.Body {
		return false, nil, err
	}
	was, err := f.j.snapshotEntry(ctx, pl.Head)
	if err != nil {
		return false, nil, err
	}
	if !was.complete() || !equalJSON(was.S.Coverage, sn.S.Coverage) || was.S.Service != sn.S.Service {
		return false, nil, nil
	}
	for _, kind := range []sinew.EntryKind{sinew.EntryRef, sinew.EntryAssetEnd} {
		between, err := f.j.db.EntriesOf(ctx, f.j.ws.ID, string(kind), pl.Head, sn.Seq)
		if err != nil || len(between) > 0 {
			return false, nil, err
		}
	}
	h := &head{row: *row}
	if err := json.Unmarshal([]byte(row.Result), &h.res); err != nil {
		return false, nil, fmt.Errorf("result of snapshot %d: %w", row.Seq, err)
	}
	return true, h, nil
}

func equalJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// reuseAssignment gives the assignment of a snapshot that tells what the head
// told. One that names every birth serves as it is.
func (f *fold) reuseAssignment(ctx context.Context, sn *snap, h *head) (digest [32]byte, err error) {
	copy(digest[:], h.row.Assignment)
	if h.res.Same {
		return digest, nil
	}
	was := &snap{Seq: h.row.Seq, S: sinew.Snapshot{Observations: sn.S.Observations}}
	if err := f.j.now(ctx, was, &h.row); err != nil {
		return digest, err
	}
	as, err := f.j.readAssignment(ctx, was, digest)
	if err != nil {
		return digest, err
	}
	for i := range as.pass {
		as.pass[i] = uint8(identity.PassUnchanged)
	}
	return f.j.writeAssignment(ctx, sn, as)
}
