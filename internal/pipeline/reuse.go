package pipeline

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// rawMAC names the bytes of an upload together with all that decides how they
// are read: the mappings, and the uploader's options but those that a repeated
// import may well change (time, commit). Two uploads of one name give the same
// body and the same evidence.
func (p *Pipeline) rawMAC(mac hash.Hash, o ImportOptions) (string, error) {
	m, ok := p.opt.Parser.(mapped)
	if !ok {
		return hex.EncodeToString(mac.Sum(nil)), nil
	}
	how := struct {
		Mappings   string
		Options    ImportOptions
		CommitSaid bool
	}{Mappings: m.Mappings(), Options: o, CommitSaid: o.Commit != ""}
	how.Options.At, how.Options.Commit, how.Options.Ancestors, how.Options.Deployment = time.Time{}, "", nil, ""
	b, err := json.Marshal(how)
	if err != nil {
		return "", fmt.Errorf("encode the options: %w", err)
	}
	_, _ = mac.Write(append([]byte{0}, b...)) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// readBefore takes over what an earlier import of the same bytes was read as. It
// becomes a snapshot of its own all the same: the scan was made again.
func (im *importing) readBefore(ctx context.Context, raw string) (bool, error) {
	if _, ok := im.p.opt.Parser.(mapped); !ok {
		return false, nil
	}
	space, err := im.p.db.LiveSpace(ctx, im.ws.ID)
	if err != nil {
		return false, err
	}
	seq, err := im.p.db.SnapshotByRaw(ctx, space.ID, raw)
	if err != nil || seq == 0 {
		return false, err
	}
	e, err := im.p.db.Entry(ctx, store.System(im.ws.ID), seq)
	if err != nil || e.Payload == nil {
		return false, err
	}
	s, err := payload[sinew.Snapshot](e)
	if err != nil {
		return false, err
	}
	for _, b := range []struct {
		kind store.BlobKind
		name string
	}{{store.BlobBody, s.Body}, {store.BlobEvidence, s.Evidence}} {
		digest, err := store.ParseDigest(b.name)
		if err != nil {
			return false, err
		}
		ref := store.BlobRef{Kind: b.kind, Digest: digest}
		info, err := im.p.db.Blob(ctx, im.ws.ID, ref)
		if sinew.CodeOf(err) == sinew.CodeNotFound || err == nil && !info.Deleted.IsZero() {
			im.blobs = nil
			return false, nil // the evidence was deleted: read the report again
		}
		if err != nil {
			return false, err
		}
		im.blobs = append(im.blobs, ref)
	}
	s.At, s.Ancestors, s.Deployment, s.ReportName = time.Time{}, nil, "", im.u.Name
	im.s, im.reused = s, true
	return true, nil
}
