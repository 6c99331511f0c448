package format

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// GoldenSuffix ends the name of a sample's golden: report.json has
// report.json.golden beside it.
const GoldenSuffix = ".golden"

// Golden is what a mapping makes of a sample, as it is kept beside it.
type Golden struct {
	Format   string               `json:"format"`
	Snapshot sinew.Snapshot       `json:"snapshot"`
	Body     []sinew.SnapshotBody `json:"body"`
}

// GoldenRedactor has a fixed key, so that goldens hold tokens and never change.
// It is for samples, whose secrets are none.
func GoldenRedactor() Redactor { return NewRedactor([]byte("formattest"), "test") }

// Golden parses a sample. secrets are those that it told.
func (e *Engine) Golden(ctx context.Context, in Input) (g *Golden, secrets *Secrets, err error) {
	g = &Golden{Body: []sinew.SnapshotBody{}}
	res, err := e.Parse(ctx, in, Options{Redactor: GoldenRedactor()}, func(b sinew.SnapshotBody) error {
		g.Body = append(g.Body, b)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if res.Format != nil {
		g.Format = res.Format.ID
	}
	g.Snapshot = res.Snapshot
	g.Snapshot.FormatSHA = "" // changes with every comment of the mapping
	return g, res.Secrets, nil
}

// FromEvidence parses what is kept of a sample once its secrets are redacted, and
// gives the text of both as far as they must be equal: the evidence is UTF-8, so
// that the notes on the encoding differ.
func (g *Golden) FromEvidence(ctx context.Context, e *Engine, in Input, secrets *Secrets) (own, again string, err error) {
	var evidence bytes.Buffer
	if err := Redact(ctx, in, secrets, &evidence); err != nil {
		return "", "", fmt.Errorf("redact: %w", err)
	}
	b, _, err := e.Golden(ctx, Input{Name: in.Name, R: bytes.NewReader(evidence.Bytes()), Size: int64(evidence.Len())})
	if err != nil {
		return "", "", fmt.Errorf("parse the redacted evidence: %w", err)
	}
	a := *g
	a.Snapshot.Notes, b.Snapshot.Notes = nil, nil
	return a.Text(), b.Text(), nil
}

// Text is the golden as it is written.
func (g *Golden) Text() string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(g); err != nil {
		return err.Error() // no golden looks like that
	}
	return b.String()
}
