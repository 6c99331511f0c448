package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// RawEvidence is the row of a report that a finding was read from.
type RawEvidence struct {
	Report  string // base name of the file
	Digest  string // of the redacted report
	Deleted time.Time
	format.Excerpt
}

// excerptTime bounds the search for a row; a report in which it takes longer is
// downloaded instead.
const excerptTime = 20 * time.Second

// Evidence gives the row of the redacted report that a finding that r sees was
// read from, as the finding shows it. The report is mapped again, up to that row.
func (p *Pipeline) Evidence(ctx context.Context, r sinew.Reader, engine *format.Engine, id string) (*RawEvidence, error) {
	src, err := p.db.FindingSource(ctx, r, id)
	if err != nil {
		return nil, err
	}
	out := &RawEvidence{Report: src.Report, Digest: src.Digest, Deleted: src.Deleted}
	if src.Digest == "" || !src.Deleted.IsZero() {
		return out, nil
	}
	digest, err := store.ParseDigest(src.Digest)
	if err != nil {
		return nil, fmt.Errorf("evidence of %s: %w", id, err)
	}
	blob, err := p.db.OpenBlob(ctx, r.Workspace, store.BlobRef{Kind: store.BlobEvidence, Digest: digest})
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	spool, err := format.NewSpool(p.opt.SpoolDir, 0)
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	if _, err := io.Copy(spool, blob); err != nil {
		return nil, fmt.Errorf("read the evidence: %w", err)
	}
	x, err := engine.Excerpt(ctx, format.Input{Name: src.Report, R: spool, Size: spool.Size()}, format.Options{
		Format: formatID(src.Format), SpoolDir: p.opt.SpoolDir, Limits: format.Limits{FileTime: excerptTime},
	}, sameRow(src, engine))
	if err != nil {
		return nil, err
	}
	out.Excerpt = *x
	return out, nil
}

// sameRow recognises the observation of a finding. By the mapping that read the
// report then, it is the one at the same place; by a newer one, which may give
// more or fewer, the first that says the same.
func sameRow(src *store.FindingSource, engine *format.Engine) func(int64, *sinew.Observation) bool {
	f, err := engine.Format(formatID(src.Format))
	if err == nil && f.Digest == src.FormatSHA {
		return func(n int64, _ *sinew.Observation) bool { return n == src.Ordinal }
	}
	want := coreOf(src.Observation)
	return func(_ int64, o *sinew.Observation) bool { return want != nil && bytes.Equal(coreOf(o), want) }
}

// coreOf is what of an observation a newer mapping will give as well.
func coreOf(o *sinew.Observation) []byte {
	if o == nil {
		return nil
	}
	b, err := json.Marshal(struct {
		Rule, File, Symbol, Host, Image string
		Line                            int
		Package                         *sinew.Package
		Resource                        *sinew.Resource
		Endpoint                        *sinew.Endpoint
	}{o.Rule, o.File, o.Symbol, o.Host, o.Image, o.Line, o.Package, o.Resource, o.Endpoint})
	if err != nil {
		return nil
	}
	return b
}
