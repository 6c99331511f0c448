package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// item is something dated that the fold of a family goes through: exactly one of
// the pointers is set.
type item struct {
	seq, at, known int64
	actor          string
	sn             *snap
	ref            *RefEvent
	dep            *Deployment
	end            *AssetEnd
	decs           []store.VerdictRow // of one entry, by birth
}

// order is the item as package identity orders it.
func (i *item) order() identity.Item {
	o := identity.Item{At: i.at, Event: true, Seq: i.seq}
	switch {
	case i.sn != nil:
		o.Event = false
		o.Stream, o.Commit, o.Ancestors = i.sn.S.Stream.Ref, i.sn.S.Commit, i.sn.S.Ancestors
		o.Digest, o.Meta = i.sn.Body, identity.MetaHash(&i.sn.S)
	case i.ref != nil:
		o.Digest = eventDigest(i.ref)
	case i.dep != nil:
		o.Digest = eventDigest(i.dep)
	case i.end != nil:
		o.Digest = eventDigest(i.end)
	case i.decs != nil:
		o.Digest = eventDigest(i.decs[0].Verdict)
	}
	return o
}

func eventDigest(v any) [32]byte {
	b, err := json.Marshal(v)
	if err != nil {
		return [32]byte{}
	}
	return sha256.Sum256(b)
}

// late reports whether a snapshot is not the last thing in the fold order of its
// family. The common case, a snapshot newer than everything else, reads two
// numbers.
func (f *fold) late(ctx context.Context, pl *store.PlaceRow, sn *snap) (bool, error) {
	events, err := f.eventsSince(ctx, sn)
	if err != nil || events {
		return events, err
	}
	newest, err := f.j.db.NewestAt(ctx, f.j.space, f.fam.ID)
	if err != nil || newest == 0 {
		return false, err
	}
	if sn.At > newest {
		known, err := f.descendsFromHead(ctx, pl, sn)
		if err != nil || known {
			return false, err
		}
	}
	items, err := f.timeline(ctx, sn)
	if err != nil {
		return false, err
	}
	return items[len(items)-1].sn != sn, nil
}

// descendsFromHead reports whether the ancestry of commits cannot put a snapshot
// before another of its stream.
func (f *fold) descendsFromHead(ctx context.Context, pl *store.PlaceRow, sn *snap) (bool, error) {
	if sn.S.Commit == "" || pl.Head == 0 {
		return true, nil
	}
	row, err := f.j.db.SnapshotBySeq(ctx, f.j.space, pl.Head)
	if err != nil || row == nil {
		return false, err
	}
	return row.Commit == sn.S.Commit || slices.Contains(sn.S.Ancestors, row.Commit), nil
}

// eventKinds are the entries other than snapshots that a family's fold goes
// through. Decisions are not among them: they are applied when they are made.
var eventKinds = []sinew.EntryKind{sinew.EntryRef, sinew.EntryDeployment, sinew.EntryAssetEnd}

// eventsSince reports whether something happened to the family, at or after the
// time of a snapshot, that was projected before it.
func (f *fold) eventsSince(ctx context.Context, sn *snap) (bool, error) {
	for _, kind := range eventKinds {
		// Entries are received in order, and nothing is dated later than it was
		// received: from the newest back until receipt is older.
		seqs, err := f.j.db.EntriesSince(ctx, f.j.ws.ID, string(kind), sn.At, sn.Seq)
		if err != nil {
			return false, err
		}
		for _, seq := range seqs {
			it, err := f.event1(ctx, seq)
			if err != nil {
				return false, err
			}
			if it == nil || it.at < sn.At {
				continue
			}
			if concerned, err := f.concerns(ctx, it, sn); err != nil || concerned {
				return concerned, err
			}
		}
	}
	return false, nil
}

// concerns reports whether an event can matter to a family that sn belongs to.
func (f *fold) concerns(ctx context.Context, it *item, sn *snap) (bool, error) {
	switch {
	case it.ref != nil:
		ref := identity.NormalRef(sn.S.Stream.Ref)
		return it.ref.Ref == ref || it.ref.Into == ref || slices.ContainsFunc(f.places, func(p *store.PlaceRow) bool { return p.Ref == it.ref.Ref }), nil
	case it.dep != nil:
		for _, v := range it.dep.versions() {
			if v == sn.S.Commit || v == sn.S.Digest {
				return true, nil
			}
		}
		if slices.ContainsFunc(f.places, func(p *store.PlaceRow) bool { return p.Kind == sinew.PlaceDeployed }) {
			return true, nil
		}
		return f.ran(ctx, sn, it.dep.key())
	}
	return true, nil
}

// ran reports whether the version of a snapshot has run somewhere: what runs there
// now took its place.
func (f *fold) ran(ctx context.Context, sn *snap, where runKey) (bool, error) {
	rows, err := f.j.db.Deployments(ctx, f.j.space)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(rows, func(d store.DeploymentRow) bool {
		return (runKey{d.Environment, d.Service}) == where && (d.Version == sn.S.Commit || d.Version == sn.S.Digest) && d.Concerns(f.fam.Unit)
	}), nil
}

// event1 reads one event entry, nil if it is another target's.
func (f *fold) event1(ctx context.Context, seq int64) (*item, error) {
	e, err := f.j.db.Entry(ctx, store.System(f.j.ws.ID), seq)
	if err != nil {
		return nil, err
	}
	it := &item{seq: e.Seq, known: micros(e.At), actor: e.Actor}
	switch e.Kind {
	case sinew.EntryRef:
		v, err := payload[RefEvent](e)
		if err != nil || v.Target != f.fam.Target {
			return nil, err
		}
		it.ref, it.at = &v, when(v.At, e)
	case sinew.EntryDeployment:
		v, err := payload[Deployment](e)
		if err != nil {
			return nil, err
		}
		it.dep, it.at = &v, when(v.At, e)
	case sinew.EntryAssetEnd:
		v, err := payload[AssetEnd](e)
		if err != nil {
			return nil, err
		}
		it.end, it.at = &v, when(v.At, e)
	case sinew.EntrySnapshot, sinew.EntryGenesis, sinew.EntryOutcome, sinew.EntryDecision, sinew.EntryLink, sinew.EntryIntel, sinew.EntryIssue, sinew.EntryRules,
		sinew.EntryCheckpoint, sinew.EntryTombstone, sinew.EntryAccess, sinew.EntryRetention:
		return nil, nil
	}
	return it, nil
}

// timeline gives everything dated that concerns the family, in fold order: what
// is projected, and sn if it is not nil.
func (f *fold) timeline(ctx context.Context, sn *snap) ([]*item, error) {
	var items []*item
	rows, err := f.j.db.SnapshotsOf(ctx, f.j.space, f.fam.ID)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		s, err := f.j.snapshotEntry(ctx, rows[i].Seq)
		if err != nil {
			return nil, err
		}
		if err := f.j.now(ctx, s, &rows[i]); err != nil {
			return nil, err
		}
		items = append(items, &item{seq: s.Seq, at: s.At, known: s.Received, sn: s})
	}
	upTo := f.entry
	if sn != nil {
		items = append(items, &item{seq: sn.Seq, at: sn.At, known: sn.Received, sn: sn})
	}
	for _, kind := range eventKinds {
		seqs, err := f.j.db.EntriesOf(ctx, f.j.ws.ID, string(kind), 0, upTo)
		if err != nil {
			return nil, err
		}
		for _, seq := range seqs {
			it, err := f.event1(ctx, seq)
			if err != nil {
				return nil, err
			}
			if it != nil {
				items = append(items, it)
			}
		}
	}
	return ordered(items), nil
}

func ordered(items []*item) []*item {
	keys := make([]identity.Item, len(items))
	for i, it := range items {
		keys[i] = it.order()
	}
	out := make([]*item, 0, len(items))
	for _, i := range identity.Order(keys) {
		out = append(out, items[i])
	}
	return out
}
