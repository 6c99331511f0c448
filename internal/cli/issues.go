package cli

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type issuesCmd struct {
	List issuesListCmd `cmd:"" default:"withargs" help:"List root causes, those that close most findings first (the default)."`
	Show issuesShowCmd `cmd:"" help:"Show one: what mends it, the work on it, its history."`
	Set  issuesSetCmd  `cmd:"" help:"Say who works on it, how far it is, or in which ticket."`
}

type issuesListCmd struct {
	Text     []string `arg:"" optional:"" help:"Words of the cause."`
	App      string   `help:"Of one application; none for what belongs to none." placeholder:"NAME"`
	Kind     []string `help:"base_image, upgrade, secret, module, template, configuration, code, endpoint, host or other." placeholder:"KIND"`
	State    []string `help:"open, in_progress, done, accepted or gone; open and in_progress if not given." placeholder:"STATE"`
	Owner    string   `help:"Of one owner; none for those that have none." placeholder:"NAME"`
	Reopened bool     `help:"Only those of which findings came back."`
	Sort     string   `help:"What closes most findings first, what is in most places, or the worst: ${enum}." enum:"findings,presences,severity" default:"findings"`
	Limit    int      `help:"At most so many; 0 for all." default:"50"`
}

func (issuesListCmd) Help() string {
	return `Examples:
  sinew issues
  sinew issues --app shop --kind upgrade,base_image
  sinew issues --state done --owner team-a --json
  sinew issues lodash`
}

func (c *issuesListCmd) Run(s *session) error {
	api, err := s.api("issues")
	if err != nil {
		return err
	}
	t := table{head: []string{"CLOSES", "PLACES", "WORST", "STATE", "APPLICATION", "OWNER", "ID", "CAUSE"}}
	n := 0
	list := client.IssueList{
		Application: c.App, Owner: c.Owner, Kinds: c.Kind, States: c.State, Reopened: c.Reopened, Text: strings.Join(c.Text, " "), Sort: "-" + c.Sort, Limit: c.Limit,
	}
	err = api.Issues(s.ctx, list, func(i *sinew.Issue) error {
		n++
		if s.opts.JSON {
			return writeJSON(s.env.Stdout, i)
		}
		t.add(fmt.Sprint(i.Active), fmt.Sprint(i.Presences), cmp.Or(string(i.Worst), "-"), string(i.State), cmp.Or(i.Application, "-"), cmp.Or(i.Owner, "-"), i.ID,
			i.Cause+advice(i))
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
		s.hint("no issue matches")
	case c.Limit > 0 && n == c.Limit:
		s.hint("the first %d; --limit 0 lists all", n)
	}
	return nil
}

// advice says in a few words what mends an issue, with a space in front.
func advice(i *sinew.Issue) string {
	switch {
	case i.Upgrade != nil && i.Upgrade.To == "":
		return ": no report tells a version that repairs it"
	case i.Upgrade != nil:
		return fmt.Sprintf(" to %s, closes %d of %d", i.Upgrade.To, i.Upgrade.Closes, i.Upgrade.Of)
	case i.BaseImage != nil && len(i.BaseImage.Names) > 0:
		return fmt.Sprintf(" (%s), repaired packages for %d of %d", strings.Join(i.BaseImage.Names, ", "), i.BaseImage.Fixable, i.BaseImage.Of)
	case i.BaseImage != nil:
		return fmt.Sprintf(", repaired packages for %d of %d", i.BaseImage.Fixable, i.BaseImage.Of)
	case i.Title != "":
		return " (" + i.Title + ")"
	}
	return ""
}

type issuesShowCmd struct {
	ID string `arg:"" help:"The issue's id."`
}

func (c *issuesShowCmd) Run(s *session) error {
	api, err := s.api("issues")
	if err != nil {
		return err
	}
	i, err := api.Issue(s.ctx, c.ID)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, i)
	}
	s.printf("%s\n", printable(i.Cause+advice(&i.Issue)))
	s.printf("%s since %s · %s\n\n", i.State, day(i.Since), i.ID)
	w := tabwriter.NewWriter(s.env.Stdout, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(w, "%s\t%s\n", name, printable(value))
		}
	}
	row("kind", string(i.Kind))
	row("application", i.Application)
	row("owner", i.Owner)
	if i.Ticket != nil {
		row("ticket", strings.TrimSpace(i.Ticket.Key+" "+i.Ticket.URL))
	}
	row("findings", fmt.Sprintf("%d active of %d, in %d places", i.Active, i.Findings, i.Presences))
	var severities []string
	for _, severity := range sinew.Severities {
		if n := i.Severities[severity]; n > 0 {
			severities = append(severities, fmt.Sprintf("%d %s", n, severity))
		}
	}
	row("severities", strings.Join(severities, ", "))
	if i.Reopened > 0 {
		row("reopened", fmt.Sprintf("%d times", i.Reopened))
	}
	row("see them", "sinew findings "+i.Filter)
	_ = w.Flush()
	if i.Upgrade != nil && len(i.Upgrade.Installed) > 0 {
		s.printf("\nInstalled\n")
		t := table{head: []string{"  VERSION", "CLOSES", "OF", "UPGRADE TO"}}
		for _, v := range i.Upgrade.Installed {
			t.add("  "+cmp.Or(v.Version, "(not told)"), fmt.Sprint(v.Closes), fmt.Sprint(v.Of), cmp.Or(v.To, "-"))
		}
		_ = t.write(s.env.Stdout)
	}
	s.printf("\nHistory\n")
	t := table{head: []string{"  AT", "WHAT", "FROM", "TO", "BY", "NOTE"}}
	for _, e := range i.Events {
		t.add("  "+day(e.At), e.Kind, cmp.Or(e.From, "-"), cmp.Or(e.To, "-"), cmp.Or(e.ActorName, e.Actor), e.Note)
	}
	return t.write(s.env.Stdout)
}

type issuesSetCmd struct {
	ID             string  `arg:"" help:"The issue's id."`
	Owner          *string `help:"Who works on it; empty for nobody." placeholder:"NAME"`
	State          string  `help:"open or in_progress; it is done by evidence." enum:",open,in_progress" default:"" placeholder:"STATE"`
	Ticket         *string `help:"Key of the ticket; empty for none." placeholder:"KEY"`
	TicketURL      string  `help:"Address of the ticket." placeholder:"URL"`
	Note           string  `help:"A line for its history." placeholder:"TEXT"`
	IdempotencyKey string  `help:"Saying the same again under the same key changes nothing." placeholder:"KEY"`
}

func (c *issuesSetCmd) Run(s *session) error {
	change := sinew.IssueChange{Issue: c.ID, Owner: c.Owner, Note: c.Note}
	if c.State != "" {
		state := sinew.IssueState(c.State)
		change.State = &state
	}
	if c.Ticket != nil || c.TicketURL != "" {
		change.Ticket = &sinew.Ticket{URL: c.TicketURL}
		if c.Ticket != nil {
			change.Ticket.Key = *c.Ticket
		}
	}
	if err := change.Validate(); err != nil {
		return err
	}
	api, err := s.api("issues")
	if err != nil {
		return err
	}
	done, err := api.ChangeIssue(s.ctx, change, c.IdempotencyKey)
	if err != nil {
		return err
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, done)
	}
	s.printf("changed, entry %d of the log\n", done.Seq)
	return nil
}
