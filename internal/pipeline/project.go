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

// projector applies entries of one workspace's log, in order, to one space.
type projector struct {
	p     *Pipeline
	db    *store.DB
	lease *store.Lease
	ws    sinew.Workspace
	space int64

	// outcomes names the outcome entries that the log holds already for entries
	// that are still to be projected: in a rebuild, or after a restore. What they
	// say is applied; only an entry without one is matched.
	outcomes  map[int64][]int64
	given     []Outcome // those of the entry at hand
	replaying bool      // a rebuild: nothing is matched and nothing appended

	newPlaces int64 // born in the entry at hand
	rules     *identity.Rules
	rulesRead bool
	units     map[string]int64 // lower-case name -> id, of those not gone
	bodies    map[int64][32]byte
	services  map[int64]string // that uploaders named, by snapshot

	entryOf  sinew.Entry // the one at hand
	again    int64       // how often what it did is done again
	families map[int64]*store.FamilyRow
	said     *[]store.LinkRow // that findings are one problem, or not; nil: not read yet

	deleted     map[int64]bool // whether a snapshot's body was deleted, as far as asked
	someDeleted bool           // whether any was, once deleted is there
}

// Project makes visible what the log holds and the live space does not show yet.
// It takes the workspace's lease; the error wraps [store.ErrLeased] when another
// process has it. Entries are projected one by one, each in a generation of its
// own, so that it may stop at any moment and go on later.
func (p *Pipeline) Project(ctx context.Context, ws int64) error {
	return p.withLease(ctx, ws, func(ctx context.Context, lease *store.Lease) error {
		_, err := p.catchUp(ctx, lease)
		return err
	})
}

// catchUp projects into the live space what it does not show yet, and names that
// space.
func (p *Pipeline) catchUp(ctx context.Context, lease *store.Lease) (int64, error) {
	space, err := p.db.LiveSpace(ctx, lease.Workspace)
	if err != nil {
		return 0, err
	}
	j, err := p.projector(ctx, lease, space.ID)
	if err != nil {
		return 0, err
	}
	from := space.ProjectedSeq
	if from == 0 { // a log that was restored
		if from, _, err = j.seed(ctx, false); err != nil {
			return 0, err
		}
	}
	if err := j.readOutcomes(ctx, from); err != nil {
		return 0, err
	}
	return space.ID, j.drain(ctx, from)
}

// withLease runs fn while this process holds the lease of the workspace.
func (p *Pipeline) withLease(ctx context.Context, ws int64, fn func(context.Context, *store.Lease) error) (err error) {
	release, err := p.exclusive(ctx, ws)
	if err != nil {
		return err
	}
	defer release()
	lease, err := p.db.AcquireLease(ctx, ws, p.opt.Purpose)
	if err != nil {
		return err
	}
	held, stop := lease.Keep(ctx)
	defer func() {
		stop()
		err = errors.Join(err, lease.Release(context.WithoutCancel(ctx)))
	}()
	return fn(held, lease)
}

func (p *Pipeline) projector(ctx context.Context, lease *store.Lease, space int64) (*projector, error) {
	ws, err := p.db.WorkspaceByID(ctx, lease.Workspace)
	if err != nil {
		return nil, err
	}
	return &projector{
		p: p, db: p.db, lease: lease, ws: ws, space: space,
		bodies: map[int64][32]byte{}, services: map[int64]string{},
	}, nil
}

// drain projects every entry after seq.
func (j *projector) drain(ctx context.Context, seq int64) error {
	behind := int64(0) // the newest entry passed over, not recorded yet
	swept := true
	for {
		some := false
		for e, err := range j.db.Entries(ctx, j.ws.ID, seq+1) {
			if err != nil {
				return err
			}
			some = true
			seq = e.Seq
			moved, err := j.entry(ctx, e)
			if err != nil {
				return fmt.Errorf("project entry %d (%s): %w", e.Seq, e.Kind, err)
			}
			behind = e.Seq
			if moved {
				behind, swept = 0, false
			}
		}
		if !some {
			break
		}
	}
	if behind != 0 {
		if err := j.db.SkipTo(ctx, j.lease, j.space, behind); err != nil {
			return err
		}
	}
	if swept {
		return nil
	}
	return j.db.Sweep(ctx, j.lease, j.space)
}

// entry projects one entry, and reports whether the space was moved to it.
func (j *projector) entry(ctx context.Context, e sinew.Entry) (moved bool, err error) {
	j.newPlaces, j.entryOf, j.again = 0, e, 0
	var again []Outcome
	if j.given, again, err = j.outcomesAfter(ctx, e.Seq); err != nil {
		return false, err
	}
	defer func() {
		for i := 0; err == nil && i < len(again); i++ {
			err = j.rematched(ctx, e, &again[i], i)
			moved = true
		}
	}()
	switch e.Kind {
	case sinew.EntrySnapshot:
		err = j.snapshot(ctx, e)
	case sinew.EntryRules:
		err = j.rulesEntry(ctx, e)
	case sinew.EntryDecision:
		err = j.decision(ctx, e)
	case sinew.EntryIntel:
		err = j.intelEntry(ctx, e)
	case sinew.EntryLink:
		err = j.link(ctx, e)
	case sinew.EntryIssue:
		err = j.issue(ctx, e)
	case sinew.EntryRef:
		err = j.ref(ctx, e)
	case sinew.EntryDeployment:
		err = j.deployment(ctx, e)
	case sinew.EntryAssetEnd:
		err = j.assetEnd(ctx, e)
	case sinew.EntryGenesis, sinew.EntryOutcome, sinew.EntryCheckpoint, sinew.EntryTombstone, sinew.EntryAccess, sinew.EntryRetention:
		return false, nil
	default:
		return false, fmt.Errorf("this version does not know entries of kind %q; a newer one wrote it", e.Kind)
	}
	return err == nil, err
}

func payload[T any](e sinew.Entry) (T, error) {
	var v T
	if e.Payload == nil {
		return v, errors.New("the payload was deleted; rebuild from the checkpoint that covers it")
	}
	if err := json.Unmarshal(e.Payload, &v); err != nil {
		return v, fmt.Errorf("read the payload: %w", err)
	}
	return v, nil
}

// begin opens a stage for what one entry does.
func (j *projector) begin(ctx context.Context) (*store.Stage, error) {
	return j.db.BeginStage(ctx, j.lease, j.ws.ID, j.space)
}

// openFold gathers what is known of a family. fam may be one that is about to
// be born.
func (j *projector) openFold(ctx context.Context, st *store.Stage, fam store.FamilyRow, e sinew.Entry) (*fold, error) {
	places, err := j.db.PlacesOf(ctx, j.space, fam.ID)
	if err != nil {
		return nil, err
	}
	j.remembered(fam)
	f := &fold{j: j, st: st, fam: fam, entry: e.Seq, born: e.Seq, known: micros(e.At), actor: e.Actor, res: &Result{}}
	for i := range places {
		f.places = append(f.places, &places[i])
	}
	if f.units, err = j.unitsFor(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// snapshotEntry reads the log's snapshot.
func (j *projector) snapshotEntry(ctx context.Context, seq int64) (*snap, error) {
	e, err := j.db.Entry(ctx, store.System(j.ws.ID), seq)
	if err != nil {
		return nil, err
	}
	return j.snapOf(e)
}

// snapOf makes the snapshot of an entry, with the body that holds now.
func (j *projector) snapOf(e sinew.Entry) (*snap, error) {
	s, err := payload[sinew.Snapshot](e)
	if err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", e.Seq, err)
	}
	sn := &snap{Seq: e.Seq, S: s, At: micros(s.EffectiveAt(e.At)), Received: micros(e.At)}
	if s.Body != "" {
		if sn.Body, err = store.ParseDigest(s.Body); err != nil {
			return nil, fmt.Errorf("snapshot %d: %w", e.Seq, err)
		}
	}
	return sn, nil
}

// body gives the digest of the body that holds for a snapshot.
func (j *projector) body(ctx context.Context, seq int64) ([32]byte, error) {
	if d, ok := j.bodies[seq]; ok {
		return d, nil
	}
	row, err := j.db.SnapshotBySeq(ctx, j.space, seq)
	if err != nil {
		return [32]byte{}, err
	}
	var d [32]byte
	if row == nil {
		return d, fmt.Errorf("snapshot %d is not projected", seq)
	}
	copy(d[:], row.Body)
	j.remember(seq, d)
	return d, nil
}

func (j *projector) remember(seq int64, d [32]byte) {
	if len(j.bodies) > 10_000 {
		clear(j.bodies)
	}
	j.bodies[seq] = d
}
