package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Parser maps a report. There are two: in this process, for a command on the
// user's own machine, and in a child with bounds, for the server.
type Parser interface {
	// Parse writes the canonical lines of the report's body and its redacted
	// text, and gives what it says as a whole. After an error what was written
	// is to be thrown away.
	Parse(ctx context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error)
}

// mapped is a parser that can say what it maps with. Where it does, a report that
// was read before by the same mappings is not read again.
type mapped interface {
	Mappings() string // a digest of every mapping
}

// mappings digests every mapping of an engine: a new one may recognise a report
// that another one was used for.
func mappings(e *format.Engine) string {
	h := sha256.New()
	for _, f := range e.Formats() {
		_, _ = h.Write([]byte(f.Ref() + " " + f.Digest + "\n")) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Mappings says what the reports are mapped with.
func (p InProcess) Mappings() string { return mappings(p.Engine) }

// ParseRequest is a report to be mapped.
type ParseRequest struct {
	Input        format.Input
	Format       string // mapping id; empty to detect it
	RedactionKey []byte // HMAC key of the workspace's tokens
	RedactionID  string
	SpoolDir     string
	Limits       format.Limits
	Paths        Paths
	Progress     func(read int64) // bytes of the report behind us, over all passes; may be nil
}

// Parsed is what a report says as a whole.
type Parsed struct {
	Snapshot  sinew.Snapshot `json:"snapshot"` // what format.Result has
	Ambiguous bool           `json:"ambiguous,omitempty"`
}

// InProcess parses in the process that asks.
type InProcess struct{ Engine *format.Engine }

// Parse implements [Parser].
func (p InProcess) Parse(ctx context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	in := req.Input
	if req.Progress != nil {
		in.R = &progressReader{r: in.R, done: req.Progress}
	}
	opt := format.Options{
		Format: req.Format, Limits: req.Limits, SpoolDir: req.SpoolDir,
		Redactor: format.NewRedactor(req.RedactionKey, req.RedactionID),
	}
	lines := newBodyWriter(body)
	res, err := p.Engine.Parse(ctx, in, opt, func(b sinew.SnapshotBody) error {
		req.Paths.rewrite(b.Observation)
		return lines.write(b)
	})
	if err != nil {
		return nil, err
	}
	if err := format.Redact(ctx, req.Input, res.Secrets, evidence); err != nil {
		return nil, fmt.Errorf("redact %s: %w", req.Input.Name, err)
	}
	return parsed(res.Snapshot, res.Format == nil, lines), nil
}

func parsed(s sinew.Snapshot, ambiguous bool, lines *bodyWriter) *Parsed {
	s.Observations, s.AssetCount, s.Withdrawn = int(lines.count), int(lines.assets), int(lines.withdrawn)
	return &Parsed{Snapshot: s, Ambiguous: ambiguous}
}

// Paths makes the paths of a report relative to the root of what was scanned:
// scanners that run in a container or a subfolder do not know it.
type Paths struct {
	Strip  string // absolute folder, with or without file://
	Prefix string // put in front of what is left
}

func (p Paths) rewrite(o *sinew.Observation) {
	if o == nil || p == (Paths{}) {
		return
	}
	o.File = p.path(o.File)
	if o.Package != nil {
		o.Package.Path = p.path(o.Package.Path)
	}
}

func (p Paths) path(file string) string {
	if file == "" {
		return ""
	}
	// A mapping may have cut the beginning of the folder already (/src, /builds/...).
	strip := strings.Trim(strings.TrimPrefix(p.Strip, "file://"), "/")
	for strip != "" {
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(file, "file://"), "/"), strip+"/"); ok {
			file = rest
			break
		}
		_, strip, _ = strings.Cut(strip, "/")
	}
	if p.Prefix != "" && !strings.HasPrefix(file, "/") {
		file = strings.TrimSuffix(p.Prefix, "/") + "/" + strings.TrimPrefix(file, "./")
	}
	return file
}

// scope rewrites the paths of a coverage likewise.
func (p Paths) scope(s sinew.Scope) sinew.Scope {
	if p == (Paths{}) {
		return s
	}
	s.Include, s.Exclude = slices.Clone(s.Include), slices.Clone(s.Exclude)
	for _, list := range [][]string{s.Include, s.Exclude} {
		for i := range list {
			list[i] = p.path(list[i])
		}
	}
	if s.All && p.Prefix != "" { // all of the subfolder, not of the repository
		s.All, s.Include = false, append(s.Include, strings.TrimSuffix(p.Prefix, "/")+"/**")
	}
	return s
}

// progressReader tells how far a file was read.
type progressReader struct {
	r    io.ReaderAt
	done func(int64)
}

func (p *progressReader) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.r.ReadAt(b, off)
	p.done(off + int64(n))
	return n, err
}
