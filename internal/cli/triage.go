package cli

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

// groups lists groups in place of findings.
func (c *findingsListCmd) groups(s *session, api *client.Client) error {
	t := table{head: []string{"WORST", "FINDINGS", "GROUP", "FILTER"}}
	err := api.Groups(s.ctx, strings.Join(c.Filter, " "), c.GroupBy, c.Limit, func(g client.Group) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, g)
		}
		t.add(string(g.Worst), itoa(g.Count), cmp.Or(g.Title, "(none)"), g.Filter)
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type findingsExportCmd struct {
	Filter []string `arg:"" optional:"" help:"As for sinew findings."`
	Format string   `help:"${enum}." enum:"csv,json,sarif" default:"csv"`
	Sort   string   `help:"As for sinew findings." default:"" placeholder:"FIELD"`
	Output string   `short:"o" help:"Write to this file in place of standard output." placeholder:"FILE"`
}

func (findingsExportCmd) Help() string {
	return `Examples:
  sinew findings export is:open severity:>=high --format sarif -o open.sarif
  sinew findings export app:shop > shop.csv`
}

func (c *findingsExportCmd) Run(s *session) error {
	api, err := s.api("findings")
	if err != nil {
		return err
	}
	list := client.List{Filter: strings.Join(c.Filter, " "), Sort: c.Sort}
	return toFile(s, c.Output, func(w io.Writer) error { return api.Export(s.ctx, list, c.Format, w) })
}

// toFile writes to a file, or to standard output. A file that was begun and not
// finished is taken away.
func toFile(s *session, name string, write func(io.Writer) error) error {
	if name == "" {
		return write(s.env.Stdout)
	}
	f, err := os.Create(name) //nolint:gosec // the file that the caller names
	if err != nil {
		return sinew.Errorf(sinew.CodeInvalid, "the file cannot be written: %w", err).At(name)
	}
	err = write(f)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("write %s: %w", name, cerr)
	}
	if err != nil {
		_ = os.Remove(name) // half of it must not look whole
	}
	return err
}

type findingsEvidenceCmd struct {
	ID string `arg:"" help:"The finding's id."`
}

func (c *findingsEvidenceCmd) Run(s *session) error {
	api, err := s.api("findings")
	if err != nil {
		return err
	}
	e, err := api.Evidence(s.ctx, c.ID)
	if err != nil {
		return err
	}
	switch {
	case s.opts.JSON:
		return writeJSON(s.env.Stdout, e)
	case e.Digest == "":
		s.hint("no report was kept")
	case !e.Deleted.IsZero():
		s.hint("the report %s was deleted at %s", e.Report, day(e.Deleted))
	default:
		where := strings.Trim(e.Report+" "+e.Member, " ")
		if e.Line > 0 {
			where += ":" + itoa(e.Line)
		}
		s.hint("%s", printable(where))
		for line := range strings.SplitSeq(e.Excerpt, "\n") {
			s.printf("%s\n", printable(line))
		}
		if e.Truncated {
			s.hint("the rest of the row is left out")
		}
	}
	return nil
}

type findingsDecisionsCmd struct {
	Limit int `help:"At most so many; 0 for all." default:"20"`
}

func (c *findingsDecisionsCmd) Run(s *session) error {
	api, err := s.api("findings")
	if err != nil {
		return err
	}
	t := table{head: []string{"AT", "ID", "BY", "VERDICT", "FINDINGS", "WHY"}}
	err = api.Decisions(s.ctx, c.Limit, func(d client.Decision) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, d)
		}
		verdict, why := string(d.Verdict), d.Reason
		if d.Undoes != "" {
			verdict, why = "undo", "takes back "+d.Undoes
		}
		if d.UndoneBy != "" {
			verdict += " (taken back)"
		}
		t.add(day(d.At), d.ID, cmp.Or(d.ByName, d.By), verdict, itoa(d.Findings), why)
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type findingsUndoCmd struct {
	ID             string `arg:"" help:"The decision's id: sinew findings decisions lists them."`
	IdempotencyKey string `help:"Again under the same key changes nothing." placeholder:"KEY"`
}

func (c *findingsUndoCmd) Run(s *session) error {
	api, err := s.api("undo")
	if err != nil {
		return err
	}
	done, err := api.Undo(s.ctx, c.ID, c.IdempotencyKey)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("taken back on %d finding(s), entry %d of the log\n", done.Restored, done.Seq)
	if done.Kept > 0 {
		s.printf("%d stay as they are: somebody decided since\n", done.Kept)
	}
	return nil
}

type coverageCmd struct {
	All bool `help:"Also what is not required and was never tested."`
}

func (c *coverageCmd) Run(s *session) error {
	api, err := s.api("coverage")
	if err != nil {
		return err
	}
	t := table{head: []string{"APPLICATION", "TEST", "GAP", "LAST", "DUE", "SCOPE", "TOOLS"}}
	err = api.Coverage(s.ctx, func(r client.CoverageRow) error {
		if !c.All && r.Gap == "not_required" && r.Streams == 0 {
			return nil
		}
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, r)
		}
		scope := strings.TrimSpace(cmp.Or(r.Scope, "not told") + " " + r.Basis)
		if r.Streams == 0 {
			scope = ""
		}
		t.add(cmp.Or(r.Application, "(none)"), r.Test, strings.ReplaceAll(r.Gap, "_", " "), day(r.Last), day(r.Due), scope, strings.Join(r.Tools, " "))
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type viewCmd struct {
	List   viewListCmd   `cmd:"" default:"1" help:"List the saved views that you see (the default)."`
	Save   viewSaveCmd   `cmd:"" help:"Save a view."`
	Delete viewDeleteCmd `cmd:"" help:"Delete a saved view."`
}

type viewListCmd struct{}

func (viewListCmd) Run(s *session) error {
	api, err := s.api("view")
	if err != nil {
		return err
	}
	t := table{head: []string{"NAME", "ID", "FOR", "BY", "FILTER"}}
	err = api.Views(s.ctx, func(v client.SavedView) error {
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, v)
		}
		t.add(v.Name, v.ID, cmp.Or(v.Application, v.Scope), cmp.Or(v.OwnerName, v.Owner), v.Filter)
		return nil
	})
	if err != nil {
		return err
	}
	return t.write(s.env.Stdout)
}

type viewSaveCmd struct {
	Name     string   `arg:"" help:"Name of the view."`
	Filter   []string `arg:"" optional:"" help:"As for sinew findings."`
	App      string   `help:"For who may see this application." placeholder:"NAME" xor:"for"`
	Everyone bool     `help:"For everyone." xor:"for"`
	Sort     string   `help:"As for sinew findings." placeholder:"FIELD"`
	GroupBy  string   `help:"As for sinew findings." placeholder:"WHAT"`
}

func (c *viewSaveCmd) Run(s *session) error {
	api, err := s.api("view")
	if err != nil {
		return err
	}
	v := client.SavedView{Name: c.Name, Scope: "private", Application: c.App, Filter: strings.Join(c.Filter, " "), Sort: c.Sort, Group: c.GroupBy}
	switch {
	case c.Everyone:
		v.Scope = "everyone"
	case c.App != "":
		v.Scope = "unit"
	}
	saved, err := api.SaveView(s.ctx, v)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, saved)
	}
	s.printf("%s  %s\n", saved.ID, printable(saved.Name))
	return nil
}

type viewDeleteCmd struct {
	ID string `arg:"" help:"The view's id."`
}

func (c *viewDeleteCmd) Run(s *session) error {
	api, err := s.api("view")
	if err != nil {
		return err
	}
	return api.DeleteView(s.ctx, c.ID)
}

// printPreview tells what other rules would change.
func printPreview(s *session, p *client.RulesChange) error {
	if len(p.Added) > 0 {
		s.printf("new applications: %s\n", printable(strings.Join(p.Added, ", ")))
	}
	if len(p.Removed) > 0 {
		s.printf("no longer named: %s\n", printable(strings.Join(p.Removed, ", ")))
	}
	counts := table{head: []string{"APPLICATION", "FINDINGS", "THEN"}}
	for _, c := range p.Findings {
		counts.add(cmp.Or(c.Application, "(none)"), itoa(c.Before), itoa(c.After))
	}
	moved := table{head: []string{"ID", "FROM", "TO", "TITLE"}}
	for _, m := range p.Samples {
		moved.add(m.ID, cmp.Or(m.From, "(none)"), cmp.Or(m.To, "(none)"), m.Title)
	}
	if err := counts.write(s.env.Stdout); err != nil {
		return err
	}
	return moved.write(s.env.Stdout)
}
