package pipeline

import (
	"context"
	"io"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/format/sandbox"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Child parses in a child process with bounds on memory and time and without a
// database: reports are written by strangers.
type Child struct {
	Exe        string // our own binary
	Engine     *format.Engine
	FormatsDir string // the operator's mappings, if there are any
}

// Mappings says what the reports are mapped with.
func (c Child) Mappings() string { return mappings(c.Engine) }

// Parse implements [Parser].
func (c Child) Parse(ctx context.Context, req ParseRequest, body, evidence io.Writer) (*Parsed, error) {
	spool, ok := req.Input.R.(*format.Spool)
	if !ok {
		s, err := format.NewSpool(req.SpoolDir, req.Limits.WithDefaults().Total)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		if _, err := io.Copy(s, io.NewSectionReader(req.Input.R, 0, req.Input.Size)); err != nil {
			return nil, err
		}
		spool = s
	}
	lines := newBodyWriter(body)
	opt := sandbox.Options{
		Format: req.Format, Formats: c.FormatsDir, Key: req.RedactionKey, KeyID: req.RedactionID,
		Limits: req.Limits, SpoolDir: req.SpoolDir, Evidence: evidence,
	}
	if req.Paths == (Paths{}) { // nothing in a line is ours to change
		opt.Raw = lines.writeText
	}
	res, err := sandbox.Run(ctx, c.Exe, c.Engine, req.Input.Name, spool, opt, func(b sinew.SnapshotBody) error {
		req.Paths.rewrite(b.Observation)
		return lines.write(b)
	})
	if err != nil {
		return nil, err
	}
	return parsed(res.Snapshot, res.Format == nil, lines), nil
}
