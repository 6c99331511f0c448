package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type findingsShowCmd struct {
	ID string `arg:"" help:"The finding's id."`
}

func (c *findingsShowCmd) Run(s *session) error {
	api, err := s.api("findings")
	if err != nil {
		return err
	}
	f, err := api.Finding(s.ctx, c.ID)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, f)
	}
	if f.ID != c.ID {
		s.printf("%s was merged into %s\n\n", c.ID, f.ID)
	}
	printFinding(s, f)
	return nil
}

func printFinding(s *session, f *client.FindingDetail) {
	s.printf("%s\n", printable(f.Title))
	s.printf("%s, %s since %s · %s\n\n", f.Severity, f.State, day(f.Since), f.ID)

	w := tabwriter.NewWriter(s.env.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", name, printable(value))
		}
	}
	row("where", where(&f.Finding))
	row("target", f.Target)
	row("application", strings.Trim(f.Application+" / "+f.Service, " /"))
	row("found by", strings.TrimSpace(f.Tool+" "+f.Rule))
	row("part of", f.PartOf)
	row("ids", strings.Join(f.IDs, " "))
	row("cwe", joinInts(f.CWE))
	if p := f.Package; p != nil {
		row("package", cmp.Or(p.PURL, strings.TrimSpace(p.Name+" "+p.Version)))
		row("fixed in", strings.Join(p.Fixed, ", "))
	}
	row("owner", f.Owner)
	row("first seen", day(f.FirstSeen))
	row("last seen", day(f.LastSeen))
	if f.Reopened > 0 {
		row("reopened", fmt.Sprintf("%d times", f.Reopened))
	}
	if d := f.Decision; d != nil {
		text := fmt.Sprintf("%s by %s at %s", d.Verdict, d.By, day(d.At))
		if !d.Until.IsZero() {
			text += ", until " + day(d.Until)
		}
		if d.Reason != "" {
			text += ": " + d.Reason
		}
		row("decision", text)
	}
	_ = w.Flush()

	if o := f.Observation; o != nil {
		section(s, "What it is", o.Description)
		section(s, "How to fix it", o.Fix)
		section(s, "Snippet", o.Snippet)
		for _, r := range o.Refs {
			s.printf("  %s\n", printable(r))
		}
	}

	s.printf("\nPresences\n")
	t := table{head: []string{"  WHERE", "KIND", "STATE", "SINCE", "LAST SEEN", "MATCHED BY", "WHY"}}
	for _, p := range f.Presences {
		name := cmp.Or(p.Place.Environment, p.Place.Ref, "-")
		t.add("  "+name, string(p.Place.Kind), string(p.State), day(p.Since), day(p.LastSeen), cmp.Or(p.Matched, "-"), p.Cause)
	}
	_ = t.write(s.env.Stdout)

	printCluster(s, f)
	if len(f.Events) > 0 {
		s.printf("\nHistory\n")
		t = table{head: []string{"  AT", "WHAT", "PLACE", "FROM", "TO", "BY", "WHY"}}
		for _, e := range f.Events {
			t.add("  "+day(e.At), e.Kind, cmp.Or(e.Place, "-"), cmp.Or(e.From, "-"), cmp.Or(e.To, "-"), cmp.Or(e.Actor, "-"), e.Cause)
		}
		_ = t.write(s.env.Stdout)
	}
	if e := f.Evidence; e != nil {
		s.printf("\nEvidence: %s, %d bytes, sha256 %s (snapshot %s)\n", printable(e.Report), e.Bytes, e.Digest, e.Snapshot)
		if !e.Deleted.IsZero() {
			s.printf("  deleted at %s\n", day(e.Deleted))
		}
	}
}

// printCluster says what other streams tell of the same problem, and why it is the
// same.
func printCluster(s *session, f *client.FindingDetail) {
	if f.Cluster == nil {
		return
	}
	s.printf("\nThe same problem, as %d streams tell it\n", len(f.Cluster.Members))
	t := table{head: []string{"  ID", "TOOL", "RULE", "SEVERITY", "STATE", "WHERE", "TITLE"}}
	for i := range f.Cluster.Members {
		m := &f.Cluster.Members[i]
		t.add("  "+m.ID, m.Tool, m.Rule, string(m.Severity), string(m.State), where(m), m.Title)
	}
	_ = t.write(s.env.Stdout)
	for _, j := range f.Cluster.Joins {
		s.printf("  %s and %s: %s (entry %d)\n", j.A, j.B, j.Rule, j.Seq)
		printFields(s, j.Fields)
	}
}

// section prints a block of a report's text, indented, without control
// characters.
func section(s *session, title, text string) {
	text = strings.TrimSpace(text)
	if text == "" {
		return
	}
	s.printf("\n%s\n", title)
	const most = 12
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > most {
			s.printf("  ... (--json has all of it)\n")
			return
		}
		s.printf("  %s\n", printable(strings.TrimRight(line, "\r\n")))
	}
}

func joinInts(list []int) string {
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprintf("CWE-%d", n))
	}
	return strings.Join(out, " ")
}

// byCount lists the keys of a facet, most frequent first.
func byCount(m map[string]int) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), severityOrder(a, b), cmp.Compare(a, b))
	})
}

func severityOrder(a, b string) int {
	return cmp.Compare(sinew.Severity(b).Rank(), sinew.Severity(a).Rank())
}
