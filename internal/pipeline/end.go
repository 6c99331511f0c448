package pipeline

import (
	"context"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// AssetEnd says that a machine or other asset is no more.
type AssetEnd struct {
	Schema string         `json:"schema"` // asset_end/v1
	Asset  sinew.AssetKey `json:"asset"`
	At     time.Time      `json:"at,omitzero"`
}

// assetEnd projects the end of an asset: findings on it are gone, which is not
// fixed.
func (j *projector) assetEnd(ctx context.Context, e sinew.Entry) error {
	end, err := payload[AssetEnd](e)
	if err != nil {
		return err
	}
	at := when(end.At, e)
	families, err := j.db.FamiliesOn(ctx, j.space, end.Asset.Key)
	if err != nil {
		return err
	}
	return j.eventEntry(ctx, e, at, families,
		func(st *store.Stage) error { st.SaveAssetEnd(string(end.Asset.Kind), end.Asset.Key, at); return nil },
		func(f *fold) error { return f.applyEnd(ctx, &end, at) })
}

// applyEnd ends the presences of the family's findings on an asset.
func (f *fold) applyEnd(ctx context.Context, end *AssetEnd, at int64) error {
	var ids []int64
	err := f.eachFinding(ctx, func(row *store.FindingRow) error {
		if strings.EqualFold(row.Host, end.Asset.Key) || strings.EqualFold(row.Resource, end.Asset.Key) {
			ids = append(ids, row.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	why := end.Asset.String() + " ended"
	for len(ids) > 0 {
		n := min(touchBatch, len(ids))
		set, err := f.load(ctx, at, ids[:n])
		if err != nil {
			return err
		}
		ids = ids[n:]
		for _, id := range set.order {
			fs := set.findings[id]
			if fs == nil {
				continue
			}
			for _, p := range append([]*presenceState(nil), fs.presences...) {
				if f.seenAfter(p.place, at) {
					continue
				}
				if err := f.step(ctx, fs, p, at, identity.EventEnded, sinew.BasisNone, why); err != nil {
					return err
				}
			}
		}
		if err := set.save(ctx); err != nil {
			return err
		}
	}
	f.phase++
	return nil
}
