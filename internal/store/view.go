package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// view is what one reader may see at one moment: a generation of the live
// projection of a workspace, and in it the units on which the reader has a role.
// Everything that is read for people is read through one.
type view struct {
	*tx
	r     sinew.Reader
	uuid  string // of the workspace
	space Space
	now   time.Time
}

// errNothing says that the reader sees nothing at all.
var errNothing = errors.New("nothing is visible")

// view runs fn at one moment. A reader who sees nothing gets errNothing without
// fn being run.
func (db *DB) view(ctx context.Context, r sinew.Reader, fn func(*view) error) error {
	if r.Workspace == 0 || !r.CanAny(sinew.RoleViewer) {
		return errNothing
	}
	return db.read(ctx, func(t *tx) error {
		v := &view{tx: t, r: r, now: db.Now()}
		w, err := workspaceByID(ctx, t, r.Workspace)
		if err != nil {
			return err
		}
		v.uuid = w.UUID
		if v.space, err = liveSpace(ctx, t, r.Workspace); err != nil {
			return err
		}
		return fn(v)
	})
}

// visible appends the condition that a row of this unit may be seen by the
// reader. It is the only place that says so.
func (v *view) visible(q *query, unitColumn string) {
	if units, all := v.visibleUnits(); !all {
		q.add(" AND ")
		inIDs(v.db.dialect, q, unitColumn, units)
	}
}

// visibleUnits lists the units that the reader may see, unless it is all.
func (v *view) visibleUnits() (units []int64, all bool) {
	if v.r.All.Allows(sinew.RoleViewer) {
		return nil, true
	}
	for unit := range v.r.Units {
		if v.r.Can(sinew.RoleViewer, unit) {
			units = append(units, unit)
		}
	}
	slices.Sort(units)
	return units, false
}

// current appends the condition that a versioned row counts now. Nearly all do,
// which planners don't know: the plus signs keep them from looking the
// generations up in the indexes that are there for the projector.
func (v *view) current(q *query, alias string) {
	q.add(` AND +`+alias+`.gen_from <= ? AND (+`+alias+`.gen_to IS NULL OR +`+alias+`.gen_to > ?)`, v.space.LiveGen, v.space.LiveGen)
}

// shown appends the condition that a finding stands for itself: what is part of
// another is shown as that one, unless the filter asks for duplicates.
func (v *view) shown(q *query, f *filter.Query) {
	if asksDuplicates(f) {
		q.add(` AND f.lead > 0`)
	} else {
		q.add(` AND f.lead <= 0`)
	}
}

// asksDuplicates reports whether a filter is about what is part of another finding.
func asksDuplicates(f *filter.Query) bool {
	return f != nil && slices.ContainsFunc(f.Terms, func(t filter.Term) bool {
		return t.Field == "is" && !t.Negated && slices.Contains(t.Values, filter.IsDuplicate)
	})
}

// public gives the public id of a local one.
func (v *view) public(kind sinew.IDKind, local int64) string {
	return sinew.PublicID(v.uuid, kind, local)
}
