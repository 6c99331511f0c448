package pipeline

import (
	"context"
	"fmt"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Rematched says what matching everything once more did, or would do.
type Rematched struct {
	Schema     string `json:"schema"` // rematch/v1
	Matcher    string `json:"matcher"`
	Families   int    `json:"families"`   // that come out differently
	Kept       int    `json:"kept"`       // findings that keep their id
	Redirected int    `json:"redirected"` // ids that become another finding's
	New        int    `json:"new"`        // findings that part from another
	Skipped    int    `json:"skipped"`    // families of which retention has deleted reports: they stay as they are
	DryRun     bool   `json:"dry_run"`
}

// Rematch runs the matcher of this version over everything that is stored and
// logs where it says something else than was said before. Ids stay as long as
// the observation that they were given to is there; what is joined redirects. A
// dry run changes nothing. tell is called with how many families are done; it may
// be nil.
func (p *Pipeline) Rematch(ctx context.Context, r sinew.Reader, dryRun bool, tell func(done, of int64) error) (*Rematched, error) {
	return p.again(ctx, r, dryRun, tell, func(context.Context, *projector, store.FamilyRow) (map[int64]remapped, bool, error) {
		return nil, true, nil
	})
}

// again folds families again as they stand after the newest projected entry, and
// logs what comes out differently. prepare gives the new bodies of a family, and
// whether it is to be looked at at all.
func (p *Pipeline) again(ctx context.Context, r sinew.Reader, dryRun bool, tell func(done, of int64) error,
	prepare func(context.Context, *projector, store.FamilyRow) (map[int64]remapped, bool, error),
) (*Rematched, error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return nil, sinew.Errorf(sinew.CodeDenied, "this needs the role admin").Hint("ask an administrator of the workspace")
	}
	if err := p.Project(ctx, r.Workspace); err != nil {
		return nil, err
	}
	out := &Rematched{Schema: "rematch/v1", Matcher: identity.MatcherVersion, DryRun: dryRun}
	err := p.withLease(ctx, r.Workspace, func(ctx context.Context, lease *store.Lease) error {
		space, err := p.db.LiveSpace(ctx, r.Workspace)
		if err != nil {
			return err
		}
		j, err := p.projector(ctx, lease, space.ID)
		if err != nil {
			return err
		}
		families, err := p.db.FamiliesOf(ctx, space.ID, "")
		if err != nil {
			return err
		}
		after, err := p.db.Entry(ctx, store.System(r.Workspace), space.ProjectedSeq)
		if err != nil {
			return err
		}
		// Outcomes that belong after the same entry already.
		if err := j.readOutcomes(ctx, after.Seq-1); err != nil {
			return err
		}
		_, earlier, err := j.outcomesAfter(ctx, after.Seq)
		if err != nil {
			return err
		}
		n := len(earlier)
		for i, fam := range families {
			if tell != nil {
				if err := tell(int64(i), int64(len(families))); err != nil {
					return err
				}
			}
			if gone, err := p.db.BodiesGone(ctx, r.Workspace, space.ID, fam.ID); err != nil {
				return err
			} else if gone {
				out.Skipped++
				continue
			}
			bodies, look, err := prepare(ctx, j, fam)
			if err != nil {
				return err
			}
			if !look {
				continue
			}
			changed, err := j.rematch(ctx, after, fam, n, bodies, out)
			if err != nil {
				return fmt.Errorf("fold %s again: %w", fam.Target, err)
			}
			if changed {
				n++
			}
		}
		return nil
	})
	return out, err
}

// rematch matches one family again. n numbers the outcomes after one entry.
func (j *projector) rematch(ctx context.Context, after sinew.Entry, fam store.FamilyRow, n int, bodies map[int64]remapped, out *Rematched) (changed bool, err error) {
	st, f, assigned, err := j.foldAgain(ctx, after, fam, n, bodies)
	if err != nil {
		return false, err
	}
	defer f.closeLines()
	out.Kept += f.diff.kept
	out.Redirected += f.diff.redirected
	out.New += f.diff.born
	if len(assigned) > 0 {
		out.Families++
	}
	if len(assigned) == 0 || out.DryRun {
		return false, st.Abort(ctx)
	}
	cause := causeRematch
	if len(bodies) > 0 {
		cause = causeRemap
	}
	return true, j.flip(ctx, st, after.Seq, &Outcome{Cause: cause, Family: fam.ID, Assignments: assigned, Replaces: true})
}

func (j *projector) foldAgain(ctx context.Context, after sinew.Entry, fam store.FamilyRow, n int, bodies map[int64]remapped) (*store.Stage, *fold, []Assignment, error) {
	st, err := j.begin(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	f, err := j.openFold(ctx, st, fam, after)
	if err != nil {
		return nil, nil, nil, err
	}
	f.actor = store.SystemActor
	j.entryOf, j.again = after, int64(n+1)
	f.firstPhase = int64(n+1) << 20 // its events come after those of the entry itself
	assigned, err := f.wholeAgain(ctx, bodies)
	return st, f, assigned, err
}

// rematched applies an outcome that a rematch logged after an entry.
func (j *projector) rematched(ctx context.Context, after sinew.Entry, o *Outcome, n int) error {
	fam, err := j.db.FamilyByID(ctx, j.space, o.Family)
	if err != nil {
		return err
	}
	bodies, err := j.remappings(ctx, o)
	if err != nil {
		return err
	}
	j.given = []Outcome{*o}
	st, f, _, err := j.foldAgain(ctx, after, *fam, n, bodies)
	if err != nil {
		return err
	}
	defer f.closeLines()
	return j.flip(ctx, st, after.Seq, nil)
}
