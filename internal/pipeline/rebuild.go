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
	Schema     string `json:"schema"`      // rebuild/v1
	From       int64  `json:"from"`        // entry of the checkpoint that it started from; 0 for the first entry of the log
	Entries    int64  `json:"entries"`     // of the log that were replayed
	Before     string `json:"before"`      // history hash of the projection that was live
	After      string `json:"after"`       // history hash of the one that is
	Equal      bool   `json:"equal"`       // they are the same
	NewVersion bool   `json:"new_version"` // the projection code is newer than what was live: a difference is no fault
	Swapped    bool   `json:"swapped"`
}

// RebuildOptions says how a projection is rebuilt; the zero value starts from the
// newest checkpoint that has a dump.
type RebuildOptions struct {
	Whole    bool                      // replays the log from its first entry, whatever checkpoints there are
	Progress func(seq, of int64) error // called now and then; may be nil
}

// Rebuild builds the projection of a workspace once more from its log, beside
// the live one, and swaps. It never maps and never matches: it reads outcomes.
// Readers see the old projection until the swap, and imports are accepted all
// the time; they are projected afterwards.
func (p *Pipeline) Rebuild(ctx context.Context, ws int64) (*Rebuilt, error) {
	return p.RebuildWith(ctx, ws, RebuildOptions{})
}

// RebuildWith is [Pipeline.Rebuild] with options.
func (p *Pipeline) RebuildWith(ctx context.Context, ws int64, o RebuildOptions) (out *Rebuilt, err error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) error { return nil }
	}
	err = p.withLease(ctx, ws, func(ctx context.Context, lease *store.Lease) error {
		out, err = p.rebuild(ctx, lease, o)
		return err
	})
	return out, err
}

func (p *Pipeline) rebuild(ctx context.Context, lease *store.Lease, o RebuildOptions) (*Rebuilt, error) {
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
	from, same, err := j.seed(ctx, o.Whole)
	if err != nil {
		return nil, fmt.Errorf("rebuild: %w", err)
	}
	if err := j.readOutcomes(ctx, from); err != nil {
		return nil, err
	}
	if err := j.replay(ctx, from, live.ProjectedSeq, o.Progress); err != nil {
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
		Schema: "rebuild/v1", From: from, Entries: live.ProjectedSeq - from, Before: before.String(), After: after.String(),
		Equal: before.Root == after.Root, NewVersion: live.Version != space.Version || !same,
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

// progressEvery is after how many entries progress is told.
const progressEvery = 64

// replay projects the entries after from, up to and including last.
func (j *projector) replay(ctx context.Context, from, last int64, tell func(seq, of int64) error) error {
	if last <= from {
		return tell(last, last)
	}
	for e, err := range j.db.Entries(ctx, j.ws.ID, from+1) {
		if err != nil {
			return err
		}
		if e.Seq > last {
			break
		}
		if _, err := j.entry(ctx, e); err != nil {
			return fmt.Errorf("entry %d (%s): %w", e.Seq, e.Kind, err)
		}
		if e.Seq%progressEvery == 0 || e.Seq == last {
			if err := tell(e.Seq, last); err != nil {
				return err
			}
		}
	}
	if err := j.db.SkipTo(ctx, j.lease, j.space, last); err != nil {
		return err
	}
	return j.db.Sweep(ctx, j.lease, j.space)
}
