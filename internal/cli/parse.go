package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/sinewsec/sinew/internal/app"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/format/sandbox"
	"github.com/sinewsec/sinew/internal/sinew"
)

type parseCmd struct {
	Files  []string `arg:"" name:"report" help:"Report files; - reads standard input."`
	Format string   `help:"The format, when the content does not tell." placeholder:"ID"`
}

func (parseCmd) Help() string {
	return `Nothing is stored. Values of secrets are replaced by tokens that mean nothing outside this run.
With --json, one line for each report: {"schema":"parse/v1","report","format","findings":[...]} or
{"schema":"parse/v1","report","error"}.`
}

func (c *parseCmd) Run(s *session) error {
	engine, err := app.Engine(s.opts.Formats)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range c.Files {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		err := c.one(s, engine, name)
		switch {
		case err == nil:
		case s.opts.JSON:
			failed = append(failed, err)
		default:
			report(s.env, s.opts, err)
			failed = append(failed, err)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return sinew.Errorf(sinew.CodeOf(failed[0]), "%d of %d reports could not be read", len(failed), len(c.Files))
}

func (c *parseCmd) one(s *session, engine *format.Engine, name string) error {
	in, done, err := openReport(s, name)
	if err != nil {
		if s.opts.JSON {
			line := map[string]any{"schema": format.ParseSchema, "report": name, "error": err.Error(), "code": sinew.CodeOf(err)}
			return errors.Join(err, writeJSON(s.env.Stdout, line))
		}
		return err
	}
	defer done()
	if !s.opts.JSON {
		return c.print(s, engine, in, name)
	}
	_, err = engine.WriteParseLine(s.ctx, s.env.Stdout, name, in, format.Options{Format: c.Format})
	return err
}

func (c *parseCmd) print(s *session, engine *format.Engine, in format.Input, name string) error {
	t := table{head: []string{"SEVERITY", "RULE", "WHERE", "TITLE"}}
	n := 0
	res, err := engine.Parse(s.ctx, in, format.Options{Format: c.Format}, func(b sinew.SnapshotBody) error {
		o := b.Observation
		if o == nil {
			return nil
		}
		n++
		const shown = 200
		if n <= shown {
			t.add(string(o.Severity), cut(o.Rule, 40), observed(o), o.Title)
		}
		return nil
	})
	if err != nil {
		return err
	}
	id := "no format can be told"
	if res.Format != nil {
		id = res.Format.Name + " (" + res.Format.Ref() + ")"
	}
	s.printf("%s: %s, %d findings\n", name, id, n)
	snap := res.Snapshot
	if snap.Stream.Target != "" {
		s.printf("  target    %s %s\n", printable(snap.Stream.Target), printable(snap.Stream.Ref))
	}
	if cov := snap.Coverage; cov.Status != sinew.CoverageUnknown {
		s.printf("  coverage  %s, %s %s\n", cov.Status, cov.Basis, printable(cov.Reason))
	}
	for _, note := range snap.Notes {
		s.printf("  note      %s\n", printable(note))
	}
	if err := t.write(s.env.Stdout); err != nil {
		return err
	}
	if n > len(t.rows) {
		s.hint("and %d more; --json has all of them", n-len(t.rows))
	}
	return nil
}

func observed(o *sinew.Observation) string {
	return where(&sinew.Finding{
		File: o.File, Line: o.Line, Package: o.Package, Resource: o.Resource, Endpoint: o.Endpoint, Host: o.Host, Image: o.Image,
	})
}

// openReport opens a report; standard input is spooled, encrypted, so that it
// can be read twice.
func openReport(s *session, name string) (format.Input, func(), error) {
	if name == "-" {
		spool, err := format.NewSpool("", 0)
		if err != nil {
			return format.Input{}, nil, err
		}
		if _, err := io.Copy(spool, s.env.Stdin); err != nil {
			return format.Input{}, nil, errors.Join(err, spool.Close())
		}
		return format.Input{Name: "stdin", R: spool, Size: spool.Size()}, func() { _ = spool.Close() }, nil
	}
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return format.Input{}, nil, sinew.Errorf(sinew.CodeInvalid, "the report cannot be opened: %w", errors.Unwrap(err)).At(name).Hint("check the path")
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = sinew.Errorf(sinew.CodeInvalid, "this is not a regular file").At(name).Hint("name a report file, or send it on standard input as -")
	}
	if err != nil {
		return format.Input{}, nil, errors.Join(err, f.Close())
	}
	return format.Input{Name: filepath.Base(name), R: f, Size: st.Size()}, func() { _ = f.Close() }, nil
}

// parseChildCmd is the child that parses for a server, with bounds on what it
// may use and no way to the database.
type parseChildCmd struct{}

func (parseChildCmd) Run(ctx context.Context, s *session) error {
	return sandbox.Child(ctx, s.env.Stdin, s.env.Stdout, app.Engine)
}
