package pipeline

import (
	"context"
	"errors"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// The horizon. Once retention has deleted the body of some report of a family,
// the family cannot be folded again: what was built from that body is in the
// projection and in the dumps, and how it would have come out with one more
// report before it cannot be said. What comes late is then taken in order of
// arrival where nothing newer is known of what it tells about, and is recorded
// and left alone where something is. Either way the result says so.
//
// Whether a body is gone follows from the log (a tombstone after the snapshot),
// not from what lies in the database now, and nothing is deleted while anything
// is projected: a rebuild decides as it was decided live.

// What became of a report that came late to a family that cannot be folded again.
const (
	horizonArrival  = "arrival"  // applied as if it had come in time
	horizonRecorded = "recorded" // kept in the log; it changed nothing
)

// errGone says that a body was deleted by retention.
var errGone = errors.New("retention has deleted the report")

// gone reports whether the body of a projected snapshot was deleted.
func (j *projector) gone(ctx context.Context, seq int64) (bool, error) {
	if j.deleted == nil {
		any, err := j.db.AnyBodyGone(ctx, j.ws.ID)
		if err != nil {
			return false, err
		}
		j.deleted, j.someDeleted = map[int64]bool{}, any
	}
	if !j.someDeleted {
		return false, nil
	}
	gone, known := j.deleted[seq]
	if known {
		return gone, nil
	}
	gone, err := j.db.BodyGone(ctx, j.ws.ID, j.space, seq)
	if err != nil {
		return false, err
	}
	if len(j.deleted) > 10_000 {
		clear(j.deleted)
	}
	j.deleted[seq] = gone
	return gone, nil
}

// bodiesGone reports whether the family can no longer be folded again.
func (f *fold) bodiesGone(ctx context.Context) (bool, error) {
	return f.j.db.BodiesGone(ctx, f.j.ws.ID, f.j.space, f.fam.ID)
}

// horizon decides what becomes of a late snapshot: the family is folded again
// (late), or the snapshot is applied in order of arrival, or only recorded.
func (f *fold) horizon(ctx context.Context, pl *store.PlaceRow, sn *snap) (late, apply bool, err error) {
	gone, err := f.bodiesGone(ctx)
	if err != nil || !gone {
		return true, true, err
	}
	if apply, err = f.newestOfPlace(ctx, pl, sn); err != nil {
		return false, false, err
	}
	f.arrival = true
	f.res.Horizon = horizonArrival
	note := "it is dated before other reports of this target, older ones of which retention has deleted: " +
		"it was applied as if it had come in time, and not put in its place among them"
	if !apply {
		f.res.Horizon = horizonRecorded
		note = "it is dated before what is known of this ref, and retention has deleted older reports of this target, " +
			"so that its history cannot be told again: it is kept in the log and changes nothing"
	}
	f.res.Notes = append(slices.Clip(f.res.Notes), note)
	return false, apply, nil
}

// newestOfPlace reports whether nothing that is known of a snapshot's place is as
// new as it.
func (f *fold) newestOfPlace(ctx context.Context, pl *store.PlaceRow, sn *snap) (bool, error) {
	events, err := f.eventsSince(ctx, sn)
	if err != nil || events {
		return false, err
	}
	if pl.Head == 0 {
		return true, nil
	}
	head, err := f.j.db.SnapshotBySeq(ctx, f.j.space, pl.Head)
	if err != nil || head == nil || head.At >= sn.At {
		return false, err
	}
	return f.descendsFromHead(ctx, pl, sn)
}

// overtaken reports whether a deployment that comes late to a family that cannot
// be folded again was followed by another one.
func (f *fold) overtaken(ctx context.Context, d *Deployment, at int64) (bool, error) {
	if !f.arrival {
		return false, nil
	}
	rows, err := f.j.db.Deployments(ctx, f.j.space)
	if err != nil {
		return false, err
	}
	for _, row := range rows {
		if (runKey{row.Environment, row.Service}) == d.key() && row.At > at && row.Concerns(f.fam.Unit) {
			return true, nil
		}
	}
	return false, nil
}

// seenAfter reports whether, in such a family, a place was looked at after the
// time of an event.
func (f *fold) seenAfter(pl *store.PlaceRow, at int64) bool {
	return f.arrival && pl != nil && pl.SeenAt > at
}

// lost passes the error that an observation is gone as false: what is closed
// keeps what it shows.
func lost(o *sinew.Observation, err error) (*sinew.Observation, bool, error) {
	if errors.Is(err, errGone) {
		return nil, true, nil
	}
	return o, false, err
}
