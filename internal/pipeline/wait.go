package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/store"
)

// waitStep is how often a waiter looks whether another process has projected.
const waitStep = 50 * time.Millisecond

// Wait blocks until an entry is projected, and gives what it changed if it is a
// snapshot. It does not project: somebody else must, or [Pipeline.ProjectUntil]
// does.
func (p *Pipeline) Wait(ctx context.Context, ws, seq int64) (*Result, error) {
	for {
		space, err := p.db.LiveSpace(ctx, ws)
		if err != nil {
			return nil, err
		}
		if space.ProjectedSeq >= seq {
			return p.result(ctx, space.ID, seq)
		}
		t := time.NewTimer(waitStep)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil, context.Cause(ctx)
		case <-t.C:
		}
	}
}

// ProjectUntil projects until an entry is done, or waits for the process that
// does, and gives what the entry changed. Should that process end before, this
// one takes over.
func (p *Pipeline) ProjectUntil(ctx context.Context, ws, seq int64) (*Result, error) {
	for {
		err := p.Project(ctx, ws)
		switch {
		case err == nil:
			return p.Wait(ctx, ws, seq)
		case !errors.Is(err, store.ErrLeased) && !errors.Is(err, store.ErrFenced):
			return nil, err
		}
		turn, cancel := context.WithTimeout(ctx, leaseRetry)
		res, err := p.Wait(turn, ws, seq)
		over := turn.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !over {
			return res, err
		}
	}
}

// leaseRetry is how long a waiter leaves the lease to its holder before it asks
// for it again.
const leaseRetry = time.Second

func (p *Pipeline) result(ctx context.Context, space, seq int64) (*Result, error) {
	row, err := p.db.SnapshotBySeq(ctx, space, seq)
	if err != nil || row == nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal([]byte(row.Result), &r); err != nil {
		return nil, fmt.Errorf("result of snapshot %d: %w", seq, err)
	}
	return &r, nil
}
