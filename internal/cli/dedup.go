package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

type dedupCmd struct {
	Stats     dedupStatsCmd   `cmd:"" default:"1" help:"How many findings are one problem with others, and by which rules (the default)."`
	Explain   dedupExplainCmd `cmd:"" help:"Whether two findings are one problem, and why or why not."`
	Same      dedupSameCmd    `cmd:"" help:"Say that findings are one problem."`
	Different dedupOtherCmd   `cmd:"" help:"Say that a finding is not the same problem as others."`
	Never     dedupNeverCmd   `cmd:"" help:"Say that findings of the rules of these are never the same, in their application."`
	Links     dedupLinksCmd   `cmd:"" help:"List what people said, newest first."`
	Undo      dedupUndoCmd    `cmd:"" help:"Take back what somebody said."`
}

type dedupStatsCmd struct{}

func (dedupStatsCmd) Run(s *session) error {
	api, err := s.api("dedup")
	if err != nil {
		return err
	}
	n, err := api.DedupStats(s.ctx)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, n)
	}
	s.printf("%d findings as the streams tell them, %d problems; several streams tell %d of these\n", n.Told, n.Shown, n.Merged)
	if len(n.Rules) == 0 {
		return nil
	}
	s.printf("\n")
	t := table{head: []string{"JOINED BY", "TIMES"}}
	for _, rule := range slices.SortedFunc(maps.Keys(n.Rules), func(a, b string) int {
		return cmp.Or(cmp.Compare(n.Rules[b], n.Rules[a]), cmp.Compare(a, b))
	}) {
		t.add(rule, fmt.Sprint(n.Rules[rule]))
	}
	if err := t.write(s.env.Stdout); err != nil {
		return err
	}
	s.printf("\n")
	t = table{head: []string{"TOOL", "AND", "TIMES"}}
	for _, p := range n.Pairs {
		t.add(p.A, p.B, fmt.Sprint(p.Joins))
	}
	return t.write(s.env.Stdout)
}

type dedupExplainCmd struct {
	A string `arg:"" help:"Id of a finding."`
	B string `arg:"" help:"Id of another."`
}

func (c *dedupExplainCmd) Run(s *session) error {
	api, err := s.api("dedup")
	if err != nil {
		return err
	}
	e, err := api.ExplainDedup(s.ctx, c.A, c.B)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, e)
	}
	for _, f := range []*sinew.Finding{&e.A, &e.B} {
		s.printf("%s  %s %s  %s  %s\n", f.ID, f.Tool, printable(f.Rule), printable(where(f)), printable(f.Title))
	}
	if e.Same {
		s.printf("\nthe same: %s\n", printable(e.Why))
	} else {
		s.printf("\nnot the same: %s\n", printable(e.Why))
	}
	if e.Rule != "" && e.Rule != e.Why {
		s.printf("by themselves they would be joined by the rule %q\n", e.Rule)
	}
	printFields(s, e.Fields)
	for _, id := range e.Others {
		s.printf("  through %s\n", id)
	}
	return nil
}

// printFields prints what a rule compared.
func printFields(s *session, fields []sinew.JoinField) {
	for _, f := range fields {
		if f.B == "" {
			s.printf("  %s: %s\n", f.Field, printable(f.A))
		} else {
			s.printf("  %s: %s and %s\n", f.Field, printable(cmp.Or(f.A, "not told")), printable(f.B))
		}
	}
}

type (
	dedupSameCmd struct {
		linkArgs
	}
	dedupOtherCmd struct {
		linkArgs
	}
	dedupNeverCmd struct {
		linkArgs
	}
)

func (c *dedupSameCmd) Run(s *session) error  { return c.link(s, sinew.LinkSame) }
func (c *dedupOtherCmd) Run(s *session) error { return c.link(s, sinew.LinkDifferent) }
func (c *dedupNeverCmd) Run(s *session) error { return c.link(s, sinew.LinkNever) }

type linkArgs struct {
	Findings       []string `arg:"" help:"Ids of at least two findings; what is said is of the first and each of the others."`
	Reason         string   `help:"Why." placeholder:"TEXT"`
	Preview        bool     `help:"Only show what it would change."`
	IdempotencyKey string   `help:"Again under the same key changes nothing." placeholder:"KEY"`
}

func (c *linkArgs) link(s *session, kind sinew.LinkKind) error {
	api, err := s.api("dedup")
	if err != nil {
		return err
	}
	l := sinew.Link{Kind: kind, Findings: c.Findings, Reason: c.Reason}
	if c.Preview {
		p, err := api.PreviewLink(s.ctx, l)
		if err != nil {
			return err
		}
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, p)
		}
		printClusters(s, "now", p.Before)
		printClusters(s, "then", p.After)
		return nil
	}
	done, err := api.Link(s.ctx, l, c.IdempotencyKey)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("recorded as %s, entry %d of the log; sinew dedup undo %s takes it back\n", done.ID, done.Seq, done.ID)
	return nil
}

func printClusters(s *session, when string, clusters [][]string) {
	if len(clusters) == 0 {
		s.printf("%s: each stands alone\n", when)
	}
	for _, c := range clusters {
		s.printf("%s: one problem: %s\n", when, strings.Join(c, " "))
	}
}

type dedupLinksCmd struct{}

func (dedupLinksCmd) Run(s *session) error {
	api, err := s.api("dedup")
	if err != nil {
		return err
	}
	t := table{head: []string{"AT", "ID", "BY", "KIND", "OF", "WHY"}}
	list, err := api.Links(s.ctx)
	if err != nil {
		return err
	}
	for _, l := range list {
		if s.opts.JSON {
			if err := writeJSON(s.env.Stdout, l); err != nil {
				return err
			}
			continue
		}
		of := strings.Join(l.Findings, " ")
		for _, r := range l.Rules {
			of = strings.TrimSpace(fmt.Sprintf("%s %s %s and %s %s", of, r.A.Tool, r.A.Rule, r.B.Tool, r.B.Rule))
		}
		t.add(day(l.At), l.ID, cmp.Or(l.ByName, l.By), string(l.Kind), of, l.Reason)
	}
	return t.write(s.env.Stdout)
}

type dedupUndoCmd struct {
	ID             string `arg:"" help:"The link's id: sinew dedup links lists them."`
	IdempotencyKey string `help:"Again under the same key changes nothing." placeholder:"KEY"`
}

func (c *dedupUndoCmd) Run(s *session) error {
	api, err := s.api("dedup")
	if err != nil {
		return err
	}
	done, err := api.UndoLink(s.ctx, c.ID, c.IdempotencyKey)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("taken back, entry %d of the log\n", done.Seq)
	return nil
}

type scannersCmd struct{}

func (scannersCmd) Help() string {
	return `ONLY is what would be lost without the tool: problems that no other one tells.
FALSE is the share of findings that somebody called false, of those that somebody decided on.`
}

func (scannersCmd) Run(s *session) error {
	api, err := s.api("scanners")
	if err != nil {
		return err
	}
	t := table{head: []string{"TOOL", "ACTIVE", "SHARED", "ONLY", "OF IT CRITICAL, HIGH", "DECIDED", "FALSE", "HOURS TO DECIDE", "IMPORTS", "LAST"}}
	list, err := api.Scanners(s.ctx)
	if err != nil {
		return err
	}
	for _, n := range list {
		if s.opts.JSON {
			if err := writeJSON(s.env.Stdout, n); err != nil {
				return err
			}
			continue
		}
		share, hours := "-", "-"
		if n.Decided > 0 {
			share = fmt.Sprintf("%d%%", (100*n.FalsePositives+n.Decided/2)/n.Decided)
			hours = fmt.Sprintf("%.1f", n.HoursToDecide)
		}
		t.add(n.Tool, itoa(n.Active), itoa(n.Shared), itoa(n.Only),
			fmt.Sprintf("%d, %d", n.OnlySeverities[sinew.SeverityCritical], n.OnlySeverities[sinew.SeverityHigh]),
			itoa(n.Decided), share, hours, itoa(n.Imports), day(n.LastImport))
	}
	return t.write(s.env.Stdout)
}
