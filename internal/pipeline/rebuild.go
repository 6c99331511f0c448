package pipeline

import (
	"context"
	"fmt"
	"math"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Rebuilt says what a rebuild did.
type Rebuilt struct {
	Entries    int64  `json:"entries"`     // of the log that were replayed
	Before     string `json:"before"`      // history hash of the projection that was live
	After      string `json:"after"`       // history hash of the one that is
	Equal      bool   `json:"equal"`       // they are the same
	NewVersion bool   `json:"new_version"` // the projection code is newer than what was live: a difference is no fault
	Swapped    bool   `json:"swapped"`
}

// Rebuild builds the projection of a workspace once more from its log, beside
// the live one, and swaps. It never maps and never matches: it reads outcomes.
// Readers see the old projection until the swap, and imports are accepted all
// the time; they are projected afterwards.
func (p *Pipeline) Rebuild(ctx context.Context, ws int64) (out *Rebuilt, err error) {
	err = p.withLease(ctx, ws, func(ctx context.Context, lease *store.Lease) error {
		out, err = p.rebuild(ctx, lease)
		return err
	})
	return out, err
}

func (p *Pipeline) rebuild(ctx context.Context, lease *store.Lease) (*Rebuilt, error) {
	live, err := p.db.LiveSpace(ctx, lease.Workspace)
	if err != nil {
		return nil, err
	}
	if err := p.db.DropSpaces(ctx, lease, 0); err != nil { // of a rebuild that was killed
		return nil, err
	}
	before, err := p.db.HistoryHash(ctx, live.ID)
	if err != nil {
		return nil, err
	}
	space, err := p.db.NewSpace(ctx, lease)
	if err != nil {
		return nil, err
	}
	j, err := p.projector(ctx, lease, space.ID)
	if err != nil {
		return nil, err
	}
	j.replaying = true
	if err := j.readOutcomes(ctx, 0); err != nil {
		return nil, err
	}
	if err := j.replay(ctx, live.ProjectedSeq); err != nil {
		return nil, fmt.Errorf("rebuild: %w", err)
	}
	after, err := p.db.HistoryHash(ctx, space.ID)
	if err != nil {
		return nil, err
	}
	if err := p.point("before swap"); err != nil {
		return nil, err
	}
	out := &Rebuilt{
		Entries: live.ProjectedSeq, Before: before.String(), After: after.String(),
		Equal: before.Root == after.Root, NewVersion: live.Version != space.Version,
	}
	if out.Swapped, err = p.db.SwapSpace(ctx, lease, space.ID); err != nil {
		return nil, err
	}
	if err := p.db.DropSpaces(ctx, lease, 0); err != nil {
		return nil, err
	}
	// What was accepted meanwhile.
	j.replaying = false
	return out, j.drain(ctx, live.ProjectedSeq)
}

// readOutcomes finds what the log holds of outcomes of entries after seq.
func (j *projector) readOutcomes(ctx context.Context, after int64) error {
	j.outcomes = map[int64][]int64{}
	seqs, err := j.db.EntriesOf(ctx, j.ws.ID, string(sinew.EntryOutcome), after, math.MaxInt64)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		e, err := j.db.Entry(ctx, store.System(j.ws.ID), seq)
		if err != nil {
			return err
		}
		o, err := payload[Outcome](e)
		if err != nil {
			return fmt.Errorf("outcome %d: %w", seq, err)
		}
		if o.After > after {
			j.outcomes[o.After] = append(j.outcomes[o.After], seq)
		}
	}
	return nil
}

// replay projects the entries up to and including last.
func (j *projector) replay(ctx context.Context, last int64) error {
	if last == 0 {
		return nil
	}
	for e, err := range j.db.Entries(ctx, j.ws.ID, 1) {
		if err != nil {
			return err
		}
		if e.Seq > last {
			break
		}
		if _, err := j.entry(ctx, e); err != nil {
			return fmt.Errorf("entry %d (%s): %w", e.Seq, e.Kind, err)
		}
	}
	if err := j.db.SkipTo(ctx, j.lease, j.space, last); err != nil {
		return err
	}
	return j.db.Sweep(ctx, j.lease, j.space)
}

// Checkpoint records the hashes of the live projection in the log, signed.
func (p *Pipeline) Checkpoint(ctx context.Context, r sinew.Reader) (c *store.Checkpoint, err error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return nil, sinew.Errorf(sinew.CodeDenied, "a checkpoint needs the role admin").Hint("ask an administrator of the workspace")
	}
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	if err := p.Project(ctx, r.Workspace); err != nil {
		return nil, err
	}
	err = p.withLease(ctx, r.Workspace, func(ctx context.Context, lease *store.Lease) error {
		c, _, err = p.db.AppendCheckpoint(ctx, lease, r.Principal, p.opt.Keys.signer(ws.UUID))
		return err
	})
	return c, err
}
