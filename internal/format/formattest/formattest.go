// Package formattest is the acceptance suite of report formats: what every
// mapping file must do with its samples. A mapping with samples under
// testdata/<id>/ passes it or is not accepted.
//
// It refuses to judge whether a mapping is right: that is what the reviewed
// goldens are for.
package formattest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// GoldenSuffix ends the name of a sample's golden: report.json has
// report.json.golden beside it.
const GoldenSuffix = format.GoldenSuffix

// Run checks every mapping of the engine with the samples under dir/<id>. With
// update, goldens are written in place of being compared.
func Run(t *testing.T, e *format.Engine, dir string, update bool) {
	t.Helper()
	if err := e.Check(); err != nil {
		t.Fatal(err)
	}
	for _, f := range e.Formats() {
		t.Run(f.ID, func(t *testing.T) {
			samples, err := Samples(filepath.Join(dir, f.ID))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				t.Run(filepath.Base(s), func(t *testing.T) {
					for _, p := range Check(t.Context(), e, f.ID, s, update) {
						t.Error(p)
					}
				})
			}
		})
	}
}

// Samples lists the samples in a directory. A mapping without any is an error.
func Samples(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("a mapping needs at least one sample of a true report in %s: %w", dir, err)
	}
	var out []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasSuffix(e.Name(), GoldenSuffix) && !strings.HasSuffix(e.Name(), ".md") {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("a mapping needs at least one sample of a true report in %s", dir)
	}
	return out, nil
}

// outcome is what a golden holds.
type outcome = format.Golden

type checker struct {
	ctx      context.Context //nolint:containedctx // of one call
	engine   *format.Engine
	id       string
	problems []error
}

func (c *checker) fail(msg string, args ...any) {
	c.problems = append(c.problems, fmt.Errorf(msg, args...))
}

// Check runs the suite on one sample:
//
//   - it is recognised by this mapping and by no other of the same or higher specificity;
//   - the golden is what comes out, twice;
//   - every finding has a tool, a title and a severity, every asset is of the ontology;
//   - as lines of text it says the same, and its evidence is the same;
//   - the redacted evidence gives the same result;
//   - cut off anywhere, it gives an error with a place or a result, never a panic.
func Check(ctx context.Context, e *format.Engine, id, sample string, update bool) []error {
	c := &checker{ctx: ctx, engine: e, id: id}
	data, err := os.ReadFile(sample)
	if err != nil {
		return []error{err}
	}
	name := filepath.Base(sample)
	c.recognised(name, data)
	got, secrets, err := c.parse(name, data)
	if err != nil {
		c.fail("parse: %w", err)
		return c.problems
	}
	c.complete(got)
	c.golden(sample, got, update)
	c.lines(name, data, got, secrets)
	c.evidence(name, data, got, secrets)
	c.cutOff(name, data)
	return c.problems
}

func redactor() format.Redactor { return format.GoldenRedactor() }

func (c *checker) parse(name string, data []byte) (*outcome, *format.Secrets, error) {
	return c.engine.Golden(c.ctx, format.Input{Name: name, R: bytes.NewReader(data), Size: int64(len(data))})
}

func (c *checker) recognised(name string, data []byte) {
	own, err := c.engine.Format(c.id)
	if err != nil {
		c.fail("%w", err)
		return
	}
	all, err := c.engine.Recognise(c.ctx, format.Input{Name: name, R: bytes.NewReader(data), Size: int64(len(data))}, format.Options{})
	if err != nil {
		c.fail("recognise: %w", err)
		return
	}
	if !slices.Contains(all, own) && !bytes.HasPrefix(data, []byte("PK")) && !bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		c.fail("the detect expression does not recognise it")
	}
	for _, f := range all {
		if f != own && f.Specificity >= own.Specificity {
			c.fail("%s recognises it too: make one detect expression stricter, or set specificity", f.ID)
		}
	}
}

func (c *checker) complete(got *outcome) {
	if got.Format != c.id {
		c.fail("it is read as %q", got.Format)
	}
	if got.Snapshot.Stream.Tool == "" {
		c.fail("the stream has no tool")
	}
	if err := got.Snapshot.Coverage.Validate(); err != nil {
		c.fail("coverage: %w", err)
	}
	for i, b := range got.Body {
		switch {
		case b.Observation != nil:
			if o := b.Observation; o.Tool == "" || o.Title == "" || o.Severity.Rank() < 0 {
				c.fail("finding %d lacks tool, title or severity: %+v", i, o)
			}
		case b.Asset != nil:
			if err := b.Asset.Validate(); err != nil {
				c.fail("asset %d: %w", i, err)
			}
		case b.Relation != nil:
			if err := b.Relation.Validate(); err != nil {
				c.fail("relation %d: %w", i, err)
			}
		}
	}
}

func (c *checker) golden(sample string, got *outcome, update bool) {
	text := got.Text()
	file := sample + GoldenSuffix
	if update {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			c.fail("write golden: %w", err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		c.fail("%w (write it with -update, then read it like code)", err)
		return
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		c.fail("differs from %s (-want +got):\n%s", filepath.Base(file), diff)
	}
}

func indent(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return b.String()
}

// lines compares what the sink is given with the lines of text, which take another
// way as long as no secret is told.
func (c *checker) lines(name string, data []byte, got *outcome, secrets *format.Secrets) {
	var want, text bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	for _, b := range got.Body {
		if err := enc.Encode(b); err != nil {
			c.fail("encode: %w", err)
			return
		}
	}
	in := format.Input{Name: name, R: bytes.NewReader(data), Size: int64(len(data))}
	opt := format.Options{Redactor: redactor(), Lines: func(line []byte) error { _, err := text.Write(line); return err }}
	res, err := c.engine.Parse(c.ctx, in, opt, nil)
	if err != nil {
		c.fail("parse to lines: %w", err)
		return
	}
	if diff := cmp.Diff(want.String(), text.String()); diff != "" {
		c.fail("as lines it says something else (-sink +lines):\n%s", diff)
	}
	res.Snapshot.FormatSHA = ""
	if diff := cmp.Diff(indent(got.Snapshot), indent(res.Snapshot)); diff != "" {
		c.fail("as lines it is another snapshot (-sink +lines):\n%s", diff)
	}
	var a, b bytes.Buffer
	if err := errors.Join(format.Redact(c.ctx, in, secrets, &a), format.Redact(c.ctx, in, res.Secrets, &b)); err != nil {
		c.fail("redact: %w", err)
	} else if !bytes.Equal(a.Bytes(), b.Bytes()) {
		c.fail("as lines its evidence is redacted otherwise")
	}
}

func (c *checker) evidence(name string, data []byte, got *outcome, secrets *format.Secrets) {
	in := format.Input{Name: name, R: bytes.NewReader(data), Size: int64(len(data))}
	own, again, err := got.FromEvidence(c.ctx, c.engine, in, secrets)
	if err != nil {
		c.fail("%w", err)
		return
	}
	if diff := cmp.Diff(own, again); diff != "" {
		c.fail("the redacted evidence gives another result (-report +evidence):\n%s", diff)
	}
}

// cutOff parses the first part of the sample, cut at many places.
func (c *checker) cutOff(name string, data []byte) {
	defer func() {
		if r := recover(); r != nil {
			c.fail("cut off, it panics: %v", r)
		}
	}()
	const cuts = 40
	for i := range cuts {
		n := len(data) * i / cuts
		if _, _, err := c.parse(name, data[:n]); err != nil {
			var e *sinew.Error
			switch {
			case !errors.As(err, &e):
				c.fail("cut off at byte %d, the error is not for people: %w", n, err)
			case e.Code == sinew.CodeInternal || e.Where == "" || e.Next == "":
				c.fail("cut off at byte %d, the error lacks place or next step: %w", n, err)
			}
		}
	}
}
