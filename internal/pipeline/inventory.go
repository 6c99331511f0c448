package pipeline

import (
	"context"

	"github.com/sinewsec/sinew/internal/store"
)

// inventory projects the assets and relations of a snapshot.
func (f *fold) inventory(ctx context.Context, pl *store.PlaceRow, sn *snap) error {
	_ = ctx
	_, _ = pl, sn
	return nil
}

// withdraw applies what a delta takes back by the tool's own ids.
func (f *fold) withdraw(ctx context.Context, pl *store.PlaceRow, sn *snap, at int64, x *placeIndex) error {
	return nil
}
