package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

type formatCmd struct {
	List formatListCmd `cmd:"" default:"1" help:"List the formats (the default)."`
	Show formatShowCmd `cmd:"" help:"Print a format's mapping file."`
	Test formatTestCmd `cmd:"" help:"Try a mapping file on its sample and compare with the golden result."`
	New  formatNewCmd  `cmd:"" help:"Start a mapping file for a report that no format reads."`
}

type formatListCmd struct{}

func (formatListCmd) Run(s *session) error {
	engine, err := app.Engine(s.opts.Formats)
	if err != nil {
		return err
	}
	t := table{head: []string{"ID", "VERSION", "READS", "NAME", "FROM"}}
	for _, f := range engine.Formats() {
		if s.opts.JSON {
			if err := writeJSON(s.env.Stdout, f); err != nil {
				return err
			}
			continue
		}
		from := "built in"
		if f.Overrides > 0 {
			from = fmt.Sprintf("%s, overrides version %d", f.File, f.Overrides)
		}
		t.add(f.ID, itoa(f.Version), strings.Join(f.Kinds, " "), f.Name, from)
	}
	return t.write(s.env.Stdout)
}

type formatShowCmd struct {
	ID string `arg:"" help:"The format's id."`
}

func (c *formatShowCmd) Run(s *session) error {
	engine, err := app.Engine(s.opts.Formats)
	if err != nil {
		return err
	}
	f, err := engine.Format(c.ID)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, map[string]any{"format": f, "text": string(f.Text())})
	}
	_, err = s.env.Stdout.Write(f.Text())
	return err
}

type formatTestCmd struct {
	Mapping string `arg:"" help:"The mapping file."`
	Sample  string `arg:"" help:"A report."`
	Golden  string `help:"The expected result; default SAMPLE.golden, as in formats/testdata." placeholder:"FILE"`
	Update  bool   `help:"Write the golden file instead of comparing."`
}

func (formatTestCmd) Help() string {
	return `The mapping is loaded beside the built-in ones; it must be recognised by content alone, and give the
golden result again when its redacted evidence is read.

Example:
  sinew format test my-scanner.yaml sample.json --update && sinew format test my-scanner.yaml sample.json`
}

func (c *formatTestCmd) Run(s *session) error {
	engine, err := app.EngineWith(s.opts.Formats, c.Mapping)
	if err != nil {
		return err
	}
	in, done, err := openReport(s, c.Sample)
	if err != nil {
		return err
	}
	defer done()
	in.Name = filepath.Base(c.Sample)
	got, secrets, err := engine.Golden(s.ctx, in)
	if err != nil {
		return err
	}
	f, err := engine.Format(got.Format)
	if err != nil || f.File != filepath.Base(c.Mapping) {
		name := "no format"
		if got.Format != "" {
			name = got.Format
		}
		return &gateError{fmt.Sprintf("%s is recognised as %s, not by %s: narrow its detect, or raise its specificity", c.Sample, name, c.Mapping)}
	}
	own, again, err := got.FromEvidence(s.ctx, engine, in, secrets)
	if err != nil {
		return err
	}
	if own != again {
		return &gateError{fmt.Sprintf("the redacted evidence of %s gives another result: %s", c.Sample, firstDifference([]byte(own), []byte(again)))}
	}
	golden := c.Golden
	if golden == "" {
		golden = c.Sample + format.GoldenSuffix
	}
	if c.Update {
		if err := os.WriteFile(golden, []byte(got.Text()), 0o644); err != nil { //nolint:gosec // a file to be shared
			return fmt.Errorf("write the golden file: %w", err)
		}
		s.printf("%s written: read it before you keep it\n", golden)
		return nil
	}
	want, err := os.ReadFile(golden) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrNotExist) {
		return sinew.Errorf(sinew.CodeInvalid, "there is no golden file").At(golden).Hint("make it with --update, and read it")
	}
	if err != nil {
		return fmt.Errorf("read the golden file: %w", err)
	}
	if string(want) != got.Text() {
		return &gateError{fmt.Sprintf("%s gives another result than %s: %s", c.Sample, golden, firstDifference(want, []byte(got.Text())))}
	}
	s.printf("ok: %s reads %s, %d findings\n", f.Ref(), c.Sample, got.Snapshot.Observations)
	return nil
}

// firstDifference shows where two lines part.
func firstDifference(want, got []byte) string {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	around := func(b []byte) string {
		return string(b[max(i-40, 0):min(i+40, len(b))])
	}
	return fmt.Sprintf("at byte %d want ...%s... got ...%s...", i, around(want), around(got))
}

type formatNewCmd struct {
	ID     string `arg:"" help:"Id of the new format: small letters, digits and _."`
	Sample string `arg:"" help:"A report of the tool."`
}

func (c *formatNewCmd) Run(s *session) error {
	in, done, err := openReport(s, c.Sample)
	if err != nil {
		return err
	}
	defer done()
	text, err := format.Skeleton(s.ctx, c.ID, in)
	if err != nil {
		return err
	}
	name := c.ID + ".yaml"
	n, err := writeNew(name, func(w *counter) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	s.printf("%s: %d bytes. Fill it in (docs/adding-a-format.md), then: sinew format test %s %s --update\n", name, n, name, c.Sample)
	return nil
}
