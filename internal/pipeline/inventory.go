package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Assets and relations are facts of the place that tells them, one row each. A
// complete snapshot ends the facts of its place that it no longer tells; others
// only add.

// tellAssets projects the assets and relations of a snapshot that is the newest
// of its place.
func (f *fold) tellAssets(ctx context.Context, pl *store.PlaceRow, sn *snap) error {
	had, err := f.j.db.HasFacts(ctx, f.j.space, pl.ID)
	if err != nil || !had && sn.S.AssetCount == 0 {
		return err
	}
	inv := &inventory{f: f, pl: pl, sn: sn, unit: f.fam.Unit}
	err = f.eachRest(ctx, sn, func(l sinew.SnapshotBody) error {
		switch {
		case l.Asset != nil:
			inv.assets = append(inv.assets, *l.Asset)
		case l.Relation != nil:
			inv.relations = append(inv.relations, *l.Relation)
		}
		if len(inv.assets)+len(inv.relations) < touchBatch {
			return nil
		}
		return inv.flush(ctx)
	})
	if err != nil {
		return err
	}
	if err := inv.flush(ctx); err != nil {
		return err
	}
	if !sn.complete() || sn.S.Coverage.Status == sinew.CoveragePartial {
		return nil
	}
	return f.st.EndFacts(ctx, pl.ID, inv.seenAssets(), inv.seenRelations())
}

// inventory collects a batch of facts, and what was told so far.
type inventory struct {
	f         *fold
	pl        *store.PlaceRow
	sn        *snap
	unit      int64
	born      int64 // assets, in this entry
	assets    []sinew.Asset
	relations []sinew.Relation
	seenA     []int64
	seenR     []store.RelationKey
}

func (inv *inventory) flush(ctx context.Context) error {
	if len(inv.assets)+len(inv.relations) == 0 {
		return nil
	}
	f := inv.f
	var keys []sinew.AssetKey
	for i := range inv.assets {
		keys = append(keys, sinew.AssetKey{Kind: inv.assets[i].Kind, Key: inv.assets[i].Key})
	}
	for i := range inv.relations {
		keys = append(keys, inv.relations[i].From, inv.relations[i].To)
	}
	ids, err := inv.resolve(ctx, keys)
	if err != nil {
		return err
	}
	facts := make([]store.FactRow, 0, len(inv.assets))
	for i := range inv.assets {
		a := &inv.assets[i]
		props := "{}"
		if len(a.Props) > 0 {
			b, err := json.Marshal(a.Props)
			if err != nil {
				return fmt.Errorf("properties of %s: %w", a.Key, err)
			}
			props = string(b)
		}
		id := ids[sinew.AssetKey{Kind: a.Kind, Key: a.Key}]
		inv.seenA = append(inv.seenA, id)
		facts = append(facts, store.FactRow{
			Place: inv.pl.ID, Asset: id, At: inv.sn.At, KnownAt: f.known, Seq: inv.sn.Seq,
			Subtype: a.Subtype, Name: a.Name, Props: props,
		})
	}
	relations := make([]store.RelationRow, 0, len(inv.relations))
	for i := range inv.relations {
		r := &inv.relations[i]
		k := store.RelationKey{From: ids[r.From], Kind: string(r.Kind), To: ids[r.To]}
		inv.seenR = append(inv.seenR, k)
		relations = append(relations, store.RelationRow{
			RelationKey: k, Place: inv.pl.ID, At: inv.sn.At, KnownAt: f.known, Seq: inv.sn.Seq,
			Confidence: int64(r.Confidence), Method: r.Method,
		})
	}
	inv.assets, inv.relations = inv.assets[:0], inv.relations[:0]
	return f.st.Facts(ctx, facts, relations)
}

// resolve gives the id of each asset, making those that nobody told before.
func (inv *inventory) resolve(ctx context.Context, keys []sinew.AssetKey) (map[sinew.AssetKey]int64, error) {
	f := inv.f
	if err := f.st.Flush(ctx); err != nil {
		return nil, err
	}
	ids, err := f.j.db.AssetIDs(ctx, f.j.space, keys)
	if err != nil {
		return nil, err
	}
	var fresh []store.AssetRow
	for _, k := range keys {
		if _, ok := ids[k]; ok {
			continue
		}
		id, err := sinew.LocalID(inv.sn.Seq, inv.born)
		if err != nil {
			return nil, err
		}
		inv.born++
		ids[k] = id
		a := inv.f.units.rulesFor(inv.pl.Ref).Assign(assetSubject(&f.fam, inv.pl.Ref, k))
		unit := inv.unit
		if u, ok := f.j.unit(a.Application); ok {
			unit = u
		}
		fresh = append(fresh, store.AssetRow{ID: id, Kind: string(k.Kind), Key: k.Key, Unit: unit})
	}
	return ids, f.st.NewAssets(ctx, fresh)
}

// assetSubject is what the rules are asked about an asset.
func assetSubject(fam *store.FamilyRow, ref string, k sinew.AssetKey) identity.Subject {
	s := identity.Subject{Target: fam.Target, Ref: ref}
	switch k.Kind {
	case sinew.KindCompute, sinew.KindNetEndpoint:
		s.Host = k.Key
	case sinew.KindArtifact, sinew.KindImageRef:
		s.Image = k.Key
	case sinew.KindCloudAccount:
		s.Account = k.Key
	default:
	}
	return s
}

func (inv *inventory) seenAssets() []int64 {
	slices.Sort(inv.seenA)
	return slices.Compact(inv.seenA)
}

func (inv *inventory) seenRelations() []store.RelationKey {
	slices.SortFunc(inv.seenR, store.RelationKey.Compare)
	return slices.Compact(inv.seenR)
}

// eachRest decodes what follows the observations of a body.
func (f *fold) eachRest(ctx context.Context, sn *snap, fn func(sinew.SnapshotBody) error) error {
	if sn.S.AssetCount == 0 && sn.S.Withdrawn == 0 {
		return nil
	}
	b, err := f.j.p.openBody(ctx, f.j.ws.ID, sn.Body)
	if err != nil {
		return err
	}
	defer b.Close()
	total := int64(sn.S.Observations + sn.S.AssetCount + sn.S.Withdrawn)
	for b.n < total {
		text, err := b.next()
		if err != nil {
			return fmt.Errorf("body of snapshot %d: %w", sn.Seq, noEOF(err))
		}
		if b.n <= int64(sn.S.Observations) {
			continue
		}
		l, err := b.decode(text)
		if err != nil {
			return fmt.Errorf("body of snapshot %d: %w", sn.Seq, err)
		}
		if err := fn(l); err != nil {
			return err
		}
	}
	return nil
}

// withdraw applies what a delta takes back by the tool's own ids.
func (f *fold) withdraw(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, x *placeIndex) error {
	if sn.S.Mode != sinew.ModeDelta || sn.S.Withdrawn == 0 {
		return nil
	}
	gone := map[int64]bool{}
	err := f.eachRest(ctx, sn, func(l sinew.SnapshotBody) error {
		if l.Withdraw != "" {
			gone[identity.ToolKey(l.Withdraw)] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	var batch []touched
	err = f.j.db.ScanPlace(ctx, f.j.space, pl.ID, false, func(k *store.PresenceKeys) error {
		if i := x.find(k.Finding); gone[k.Tool] && (i < 0 || !x.seen[i]) {
			batch = append(batch, touched{id: k.Finding, event: identity.EventWithdrawn})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(batch, touchBatch) {
		if err := f.touch(ctx, pl, sn, at, part); err != nil {
			return err
		}
	}
	return nil
}
