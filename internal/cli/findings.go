package cli

import (
	"fmt"
	"strings"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

type findingsCmd struct {
	List      findingsListCmd      `cmd:"" default:"withargs" help:"List findings that match a filter (the default)."`
	Evidence  findingsEvidenceCmd  `cmd:"" help:"Show the row of the redacted report that a finding was read from."`
	Export    findingsExportCmd    `cmd:"" help:"Write findings as CSV, JSON or SARIF 2.1.0."`
	Decisions findingsDecisionsCmd `cmd:"" help:"List what was decided, newest first."`
	Undo      findingsUndoCmd      `cmd:"" help:"Take back a decision where it still stands."`
	Show      findingsShowCmd      `cmd:"" help:"Show one finding: presences, history, evidence, why matched."`
	Decide    findingsDecideCmd    `cmd:"" help:"Decide about findings: triaged, in_progress, accepted, false_positive, reopen."`
	Count     findingsCountCmd     `cmd:"" help:"Count the findings that match a filter."`
}

type findingsListCmd struct {
	Filter  []string `arg:"" optional:"" help:"For example severity:critical is:open tool:trivy -owner:none (docs/filter.md)."`
	GroupBy string   `help:"Groups in place of findings: by rule, root_cause, component, application, file or tool." enum:",rule,root_cause,component,application,file,tool" default:"" placeholder:"WHAT"`
	Sort    string   `help:"severity, first_seen, last_seen, since or title; - in front for descending." default:"" placeholder:"FIELD"`
	Limit   int      `help:"At most so many; 0 for all." default:"50"`
}

func (findingsListCmd) Help() string {
	return `Examples:
  sinew findings severity:critical is:open
  sinew findings app:shop env:prod -is:accepted first:<7d
  sinew findings tool:trivy id:CVE-2021-44906 --json --limit 0
  sinew findings is:open --group-by root_cause`
}

func (c *findingsListCmd) Run(s *session) error {
	api, err := s.api("findings")
	if err != nil {
		return err
	}
	if c.GroupBy != "" {
		return c.groups(s, api)
	}
	t := table{head: []string{"SEVERITY", "STATE", "ID", "TOOL", "WHERE", "TITLE"}}
	n := 0
	list := client.List{Filter: strings.Join(c.Filter, " "), Sort: c.Sort, Limit: c.Limit}
	err = api.Findings(s.ctx, list, func(f *sinew.Finding) error {
		n++
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, f)
		}
		t.add(string(f.Severity), string(f.State), f.ID, f.Tool, where(f), f.Title)
		return nil
	})
	if err != nil {
		return err
	}
	if err := t.write(s.env.Stdout); err != nil {
		return err
	}
	switch {
	case n == 0:
		s.hint("no finding matches")
	case c.Limit > 0 && n == c.Limit:
		s.hint("the first %d; --limit 0 lists all", n)
	}
	return nil
}

// where says in a few words where a finding is.
func where(f *sinew.Finding) string {
	switch {
	case f.File != "" && f.Line > 0:
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	case f.File != "":
		return f.File
	case f.Package != nil && f.Package.Name != "":
		return strings.TrimSpace(f.Package.Name + " " + f.Package.Version)
	case f.Resource != nil && f.Resource.ID != "":
		return f.Resource.ID
	case f.Resource != nil:
		return f.Resource.Name
	case f.Endpoint != nil && f.Endpoint.URL != "":
		return f.Endpoint.URL
	case f.Host != "":
		return f.Host
	case f.Image != "":
		return f.Image
	}
	return f.Target
}

// filterWords completes the last word of a filter.
func filterWords(last string) (out []string) {
	for _, w := range filter.Complete(last, len(last)) {
		out = append(out, w.Text)
	}
	return out
}

type findingsCountCmd struct {
	Filter []string `arg:"" optional:"" help:"As for sinew findings."`
}

func (c *findingsCountCmd) Run(s *session) error {
	api, err := s.api("findings")
	if err != nil {
		return err
	}
	n, err := api.Counts(s.ctx, strings.Join(c.Filter, " "))
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, n)
	}
	more := ""
	if n.Capped {
		more = "+"
	}
	s.printf("%d%s findings\n", n.Total, more)
	for _, dim := range []string{"state", "severity", "tool", "class"} {
		for _, v := range byCount(n.Facets[dim]) {
			s.printf("  %-9s %-16s %d\n", dim, printable(v), n.Facets[dim][v])
		}
	}
	return nil
}

type findingsDecideCmd struct {
	Verdict        string   `arg:"" enum:"triaged,in_progress,accepted,false_positive,reopen" help:"triaged, in_progress, accepted, false_positive or reopen."`
	IDs            []string `arg:"" optional:"" name:"id" help:"Findings."`
	Filter         string   `help:"In place of ids: every finding of this filter, 10,000 at most." placeholder:"FILTER"`
	Reason         string   `help:"Why; accepted and false_positive need one."`
	Until          string   `help:"The decision stands until then." placeholder:"TIME"`
	Owner          string   `help:"Who deals with it." placeholder:"NAME"`
	IdempotencyKey string   `help:"Deciding again under the same key changes nothing." placeholder:"KEY"`
}

func (c *findingsDecideCmd) Run(s *session) error {
	until, err := parseTime(c.Until)
	if err != nil {
		return err
	}
	api, err := s.api("decide")
	if err != nil {
		return err
	}
	if c.Filter != "" && len(c.IDs) == 0 {
		done, err := api.Rule(s.ctx, client.Ruling{Filter: c.Filter, Verdict: sinew.Verdict(c.Verdict), Reason: c.Reason, Until: until, Owner: c.Owner}, c.IdempotencyKey)
		if err != nil {
			return err
		}
		return c.done(s, done, done.Findings)
	}
	if c.Filter != "" || len(c.IDs) == 0 {
		return sinew.Errorf(sinew.CodeInvalid, "name findings, or a filter with --filter")
	}
	d := sinew.Decision{Findings: c.IDs, Verdict: sinew.Verdict(c.Verdict), Reason: c.Reason, Until: until, Owner: c.Owner}
	done, err := api.Decide(s.ctx, d, c.IdempotencyKey)
	if err != nil {
		return err
	}
	return c.done(s, done, len(c.IDs))
}

func (c *findingsDecideCmd) done(s *session, done *client.Decided, n int) error {
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("%s: %d finding(s), entry %d of the log\n", c.Verdict, n, done.Seq)
	s.hint("sinew findings undo %s takes it back", done.ID)
	return nil
}
