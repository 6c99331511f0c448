package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Upload is a report to be imported.
type Upload struct {
	Name string // base name of the file, for messages and the record
	// Body is read once and spooled, encrypted. If it is a regular file of this
	// machine it may be read in place instead: set File.
	Body io.Reader
	File *os.File
	Size int64 // of Body, for the progress; 0 if it is not known
	ImportOptions
	Idempotency string // key that makes the same request one entry
}

// ImportOptions is what the uploader says of a report. What is given wins over
// what the report says.
type ImportOptions struct {
	Format      string         `json:"format,omitempty"` // mapping id; empty to detect it
	Source      string         `json:"source,omitempty"`
	Target      string         `json:"target,omitempty"`
	Otherwise   string         `json:"otherwise,omitempty"` // the target of a report that tells none; empty refuses it
	Ref         string         `json:"ref,omitempty"`
	Label       string         `json:"label,omitempty"`
	Application string         `json:"application,omitempty"`
	Service     string         `json:"service,omitempty"`
	At          time.Time      `json:"at,omitzero"`
	Commit      string         `json:"commit,omitempty"`
	Ancestors   []string       `json:"ancestors,omitempty"`
	Digest      string         `json:"digest,omitempty"`
	Environment string         `json:"environment,omitempty"`
	Deployment  string         `json:"deployment,omitempty"`
	Base        string         `json:"base,omitempty"`
	Mode        sinew.Mode     `json:"mode,omitempty"`
	Coverage    sinew.Coverage `json:"coverage,omitzero"`
	StripPrefix string         `json:"strip_prefix,omitempty"`
	PathPrefix  string         `json:"path_prefix,omitempty"`
}

// Progress says how far an import is.
type Progress struct {
	Stage string `json:"stage"` // upload, parse, project
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"` // 0 if it is not known
}

// Accepted is a report that is durable and waits to be projected.
type Accepted struct {
	Seq        int64          `json:"-"`
	At         time.Time      `json:"at"`
	Duplicate  bool           `json:"duplicate,omitempty"` // an earlier request with the same key became it
	SnapshotID string         `json:"snapshot"`
	Snapshot   sinew.Snapshot `json:"-"`
}

// maxAncestors bounds what is kept of a commit's ancestry.
const maxAncestors = 1000

// Import reads a report and accepts it: when it returns, the report is durable
// and will be projected, whatever happens. progress may be nil; it may be called
// from another goroutine, and is not called after Import has returned.
func (p *Pipeline) Import(ctx context.Context, r sinew.Reader, u Upload, progress func(Progress)) (*Accepted, error) {
	if !r.CanAny(sinew.RoleDeveloper) {
		return nil, sinew.Errorf(sinew.CodeDenied, "importing needs the role developer").Hint("ask an administrator of the workspace")
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	ws, err := p.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	mac := p.opt.Keys.rawMAC(ws.UUID)
	in, done, err := p.receive(u, mac, progress)
	if err != nil {
		return nil, fmt.Errorf("receive %s: %w", u.Name, err)
	}
	defer done()
	request, err := requestDigest(hex.EncodeToString(mac.Sum(nil)), u.ImportOptions)
	if err != nil {
		return nil, err
	}
	raw, err := p.rawMAC(mac, u.ImportOptions)
	if err != nil {
		return nil, err
	}
	if u.Idempotency != "" {
		if earlier, err := p.db.Earlier(ctx, r, u.Idempotency, request); err != nil || earlier.Seq != 0 {
			return p.accepted(ctx, ws, earlier, err)
		}
	}
	im := &importing{p: p, r: r, ws: ws, u: &u, progress: progress}
	defer im.abort()
	known, err := im.readBefore(ctx, raw)
	if err != nil {
		return nil, err
	}
	if !known {
		if err := im.parse(ctx, in); err != nil {
			return nil, err
		}
	}
	im.s.RawMAC = raw
	a, err := im.accept(ctx, request)
	return p.accepted(ctx, ws, a, err)
}

func (p *Pipeline) accepted(ctx context.Context, ws sinew.Workspace, a store.Accepted, err error) (*Accepted, error) {
	if err != nil {
		return nil, err
	}
	e, err := p.db.Entry(ctx, store.System(ws.ID), a.Seq)
	if err != nil {
		return nil, err
	}
	s, err := payload[sinew.Snapshot](e)
	if err != nil {
		return nil, err
	}
	return &Accepted{
		Seq: a.Seq, At: a.At, Duplicate: a.Duplicate, Snapshot: s,
		SnapshotID: sinew.PublicID(ws.UUID, sinew.IDSnapshot, a.Seq<<28),
	}, nil
}

// receive makes the upload seekable and takes its keyed digest.
func (p *Pipeline) receive(u Upload, mac hash.Hash, progress func(Progress)) (in format.Input, done func(), err error) {
	in.Name = u.Name
	done = func() {}
	if u.File != nil {
		info, err := u.File.Stat()
		if err != nil {
			return in, done, err
		}
		if info.Mode().IsRegular() {
			in.R, in.Size = u.File, info.Size()
			_, err := io.Copy(mac, io.NewSectionReader(u.File, 0, in.Size))
			return in, done, err
		}
		u.Body = u.File
	}
	limit := p.opt.MaxBytes
	if limit == 0 {
		limit = format.Limits{}.WithDefaults().Total
	}
	spool, err := format.NewSpool(p.opt.SpoolDir, limit)
	if err != nil {
		return in, done, err
	}
	done = func() { _ = spool.Close() } // it is a temporary file
	counted := &countingReader{r: u.Body, fn: func(n int64) { progress(Progress{Stage: "upload", Done: n, Total: u.Size}) }}
	if _, err := io.Copy(io.MultiWriter(spool, mac), counted); err != nil {
		done()
		return in, func() {}, err
	}
	in.R, in.Size = spool, spool.Size()
	return in, done, nil
}

type countingReader struct {
	r  io.Reader
	n  int64
	fn func(int64)
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.fn(c.n)
	return n, err
}

func requestDigest(raw string, opt ImportOptions) ([32]byte, error) {
	b, err := json.Marshal(struct {
		Raw     string
		Options ImportOptions
	}{raw, opt})
	if err != nil {
		return [32]byte{}, fmt.Errorf("encode the request: %w", err)
	}
	return sha256.Sum256(b), nil
}

// importing is the work on one upload.
type importing struct {
	p        *Pipeline
	r        sinew.Reader
	ws       sinew.Workspace
	u        *Upload
	progress func(Progress)

	body, evidence *store.BlobWriter
	s              sinew.Snapshot
	reused         bool // s was read by an earlier import
	blobs          []store.BlobRef
}

func (im *importing) abort() {
	for _, b := range []*store.BlobWriter{im.body, im.evidence} {
		if b != nil {
			b.Abort()
		}
	}
}

// parse maps the report, its body and its redacted text going to blobs.
func (im *importing) parse(ctx context.Context, in format.Input) (err error) {
	p := im.p
	if im.body, err = p.db.NewBlob(ctx, im.ws.ID, store.BlobBody); err != nil {
		return err
	}
	if im.evidence, err = p.db.NewBlob(ctx, im.ws.ID, store.BlobEvidence); err != nil {
		return err
	}
	key, id := p.opt.Keys.redaction(im.ws.UUID)
	parsed, err := p.opt.Parser.Parse(ctx, ParseRequest{
		Input: in, Format: im.u.Format, RedactionKey: key, RedactionID: id, SpoolDir: p.opt.SpoolDir,
		Paths:    Paths{Strip: im.u.StripPrefix, Prefix: im.u.PathPrefix},
		Progress: func(n int64) { im.progress(Progress{Stage: "parse", Done: n, Total: in.Size}) },
	}, im.body, im.evidence)
	if err != nil {
		return err
	}
	if parsed.Ambiguous {
		return sinew.Errorf(sinew.CodeUnsupported, "the report could be any tool's: it is empty").At(in.Name).
			Hint("say which it is with --format; a report without findings closes something only with --coverage complete")
	}
	im.s = parsed.Snapshot
	return im.commit()
}

func (im *importing) commit() error {
	for _, b := range []struct {
		w    *store.BlobWriter
		kind store.BlobKind
		to   *string
	}{{im.body, store.BlobBody, &im.s.Body}, {im.evidence, store.BlobEvidence, &im.s.Evidence}} {
		digest, _, err := b.w.Commit()
		if err != nil {
			return err
		}
		*b.to = hexDigest(digest)
		im.blobs = append(im.blobs, store.BlobRef{Kind: b.kind, Digest: digest})
	}
	return nil
}

// accept puts the uploader's word over the report's, checks what he may do, and
// appends to the log.
func (im *importing) accept(ctx context.Context, request [32]byte) (store.Accepted, error) {
	im.declare()
	if err := im.s.Validate(); err != nil {
		return store.Accepted{}, err
	}
	units, err := im.p.importUnits(ctx, im.r, &im.s)
	if err != nil {
		return store.Accepted{}, err
	}
	if err := im.p.point("blobs written"); err != nil {
		return store.Accepted{}, err
	}
	return im.p.db.Accept(ctx, im.r, store.Accept{
		Kind: sinew.EntrySnapshot, Payload: &im.s, Units: units, Blobs: im.blobs,
		Idempotency: im.u.Idempotency, Request: request,
	})
}

// declare combines the report's word with the uploader's.
func (im *importing) declare() {
	s, o := &im.s, &im.u.ImportOptions
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&s.Stream.Source, o.Source},
		{&s.Stream.Target, o.Target},
		{&s.Stream.Ref, o.Ref},
		{&s.Stream.Label, o.Label},
		{&s.Application, o.Application},
		{&s.Service, o.Service},
		{&s.Commit, o.Commit},
		{&s.Digest, o.Digest},
		{&s.Environment, o.Environment},
		{&s.Deployment, o.Deployment},
		{&s.Base, o.Base},
	} {
		if f.from != "" {
			*f.to = f.from
		}
	}
	if s.Stream.Target == "" && o.Otherwise != "" {
		s.Stream.Target = o.Otherwise
		s.Notes = append(s.Notes, fmt.Sprintf("the report does not say what was scanned: it is kept as target %s; reports of different things need a target each", o.Otherwise))
	}
	s.Schema = sinew.SnapshotSchema
	s.Stream.Ref = identity.NormalRef(s.Stream.Ref)
	if !o.At.IsZero() {
		s.At = o.At.UTC().Truncate(time.Microsecond)
	}
	if len(o.Ancestors) > 0 {
		s.Ancestors = o.Ancestors[:min(len(o.Ancestors), maxAncestors)]
	}
	if o.Mode != "" {
		s.Mode = o.Mode
	}
	if s.Mode == "" {
		s.Mode = sinew.ModeComplete
	}
	if !im.reused { // else both words are in it already
		s.Coverage.Paths = Paths{Strip: o.StripPrefix, Prefix: o.PathPrefix}.scope(s.Coverage.Paths)
		s.Coverage = identity.Combine(s.Coverage, o.Coverage)
	}
	if s.Commit == "" {
		s.Commit = s.Coverage.Commit
	}
	if s.Digest == "" {
		s.Digest = s.Coverage.Digest
	}
	s.Uploader, s.Idempotency = im.r.Principal, im.u.Idempotency
}
