package pipeline

import (
	"context"
	"fmt"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Checkpoint records the hashes of the live projection in the log, with a dump of
// it that a rebuild starts from, signed.
func (p *Pipeline) Checkpoint(ctx context.Context, r sinew.Reader) (c *store.Checkpoint, err error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return nil, sinew.Errorf(sinew.CodeDenied, "a checkpoint needs the role admin").Hint("ask an administrator of the workspace")
	}
	if err := p.Project(ctx, r.Workspace); err != nil {
		return nil, err
	}
	err = p.withLease(ctx, r.Workspace, func(ctx context.Context, lease *store.Lease) error {
		c, err = p.checkpoint(ctx, lease, r.Principal)
		return err
	})
	return c, err
}

func (p *Pipeline) checkpoint(ctx context.Context, lease *store.Lease, actor string) (*store.Checkpoint, error) {
	ws, err := p.db.WorkspaceByID(ctx, lease.Workspace)
	if err != nil {
		return nil, err
	}
	c, _, err := p.db.AppendCheckpoint(ctx, lease, actor, p.opt.Keys.signer(ws.UUID))
	return c, err
}

// Retain deletes what is older than its retention, bodies of snapshots included:
// these after a checkpoint whose dump holds what was built from them. All of that
// happens under the lease, so that every entry that is projected later is
// projected without them, in a rebuild as it was live. It reports how many
// payloads were deleted.
func (p *Pipeline) Retain(ctx context.Context, ws int64) (deleted int, err error) {
	if deleted, err = p.db.Retain(ctx, ws); err != nil {
		return deleted, err
	}
	days, err := p.db.Retention(ctx, ws)
	if err != nil || days[store.BlobBody] == 0 {
		return deleted, err
	}
	err = p.withLease(ctx, ws, func(ctx context.Context, lease *store.Lease) error {
		if _, err := p.catchUp(ctx, lease); err != nil {
			return err
		}
		space, err := p.db.LiveSpace(ctx, ws)
		if err != nil {
			return err
		}
		old, err := p.db.OldBodies(ctx, space)
		if err != nil || len(old) == 0 {
			return err
		}
		if err := p.point("before checkpoint"); err != nil {
			return err
		}
		if err := p.dumped(ctx, lease, space); err != nil {
			return err
		}
		if err := p.point("before deleting"); err != nil {
			return err
		}
		n, err := p.db.RetainBodies(ctx, lease, old)
		deleted += n
		return err
	})
	if err != nil {
		return deleted, fmt.Errorf("delete old bodies: %w", err)
	}
	return deleted, nil
}

// dumped makes a checkpoint unless the newest one is of the projection as it is.
func (p *Pipeline) dumped(ctx context.Context, lease *store.Lease, space store.Space) error {
	ws, err := p.db.WorkspaceByID(ctx, lease.Workspace)
	if err != nil {
		return err
	}
	c, _, err := p.db.NewestDump(ctx, ws.ID, p.opt.Keys.CheckpointKey(ws.UUID))
	if err != nil {
		return err
	}
	if c != nil && c.Version == space.Version {
		moved, err := p.db.MovedSince(ctx, ws.ID, c.Seq, space.ProjectedSeq)
		if err != nil || !moved {
			return err
		}
	}
	_, err = p.checkpoint(ctx, lease, store.SystemActor)
	return err
}

// seed begins an empty space from the newest dump, where there is one that this
// version may start from, and gives the entry that it reaches: 0 where the log is
// to be replayed from its first entry. same reports whether the dump is of the
// tables and the code of this version. whole asks for the first entry all the
// same; that is refused once bodies were deleted.
func (j *projector) seed(ctx context.Context, whole bool) (from int64, same bool, err error) {
	gone, err := j.db.AnyBodyGone(ctx, j.ws.ID)
	if err != nil || whole && !gone {
		return 0, true, err
	}
	if whole {
		return 0, false, sinew.Errorf(sinew.CodeConflict, "retention has deleted old reports: the log cannot be replayed from its first entry").
			Hint("leave --whole out: the rebuild starts from the newest checkpoint")
	}
	c, at, err := j.db.NewestDump(ctx, j.ws.ID, j.p.opt.Keys.CheckpointKey(j.ws.UUID))
	switch {
	case err != nil && gone:
		return 0, false, err
	case err != nil, c == nil && !gone, c != nil && c.Version != store.ProjectionVersion() && !gone:
		return 0, true, nil // everything is there: replaying it needs nobody's word
	case c == nil:
		return 0, false, sinew.Errorf(sinew.CodeConflict, "old reports were deleted, and no checkpoint has a dump to start from").
			Hint("restore a backup")
	}
	if same, err = j.db.LoadDump(ctx, j.lease, j.space, c); err != nil {
		return 0, false, fmt.Errorf("start from checkpoint %d: %w", at, err)
	}
	same = same && c.Version == store.ProjectionVersion()
	return c.Seq, same, j.outcomesSince(ctx, c.Seq, at)
}

// outcomesSince applies what a person had matched again after entry seq and after
// the checkpoint at entry at: it belongs to an entry that is in the dump, and is
// not in it itself.
func (j *projector) outcomesSince(ctx context.Context, seq, at int64) error {
	if err := j.readOutcomes(ctx, seq-1); err != nil {
		return err
	}
	all := j.outcomes[seq]
	k, _ := slices.BinarySearch(all, at)
	j.outcomes[seq] = all[:k]
	_, before, err := j.outcomesAfter(ctx, seq)
	if err != nil {
		return err
	}
	j.outcomes[seq] = all[k:]
	_, since, err := j.outcomesAfter(ctx, seq)
	if err != nil || len(since) == 0 {
		return err
	}
	e, err := j.db.Entry(ctx, store.System(j.ws.ID), seq)
	if err != nil {
		return err
	}
	for i := range since {
		if err := j.rematched(ctx, e, &since[i], len(before)+i); err != nil {
			return fmt.Errorf("entry %d, matched again: %w", seq, err)
		}
	}
	return nil
}
