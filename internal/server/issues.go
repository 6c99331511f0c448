package server

import (
	"context"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerIssues() {
	handle(s, s.route("GET /api/v1/issues", "list-issues", "List root causes as units of work: what mends several findings at once",
		about("Those that mending closes most come first. The filter of an issue finds exactly its findings. See docs/issues.md.")), s.issues)
	handle(s, s.route("GET /api/v1/issues/{id}", "show-issue", "Show an issue: what mends it, the work on it, its history"), s.issue)
	handle(s, s.route("PATCH /api/v1/issues/{id}", "change-issue", "Say who works on an issue, how far it is, or in which ticket",
		about("What is not given stays as it is. An issue is done when none of its findings is active any more; nobody can say so.")), s.changeIssue)
}

type issuesInput struct {
	Paging
	Application string             `query:"application" maxLength:"200" doc:"Of one application only; none for what belongs to none"`
	Kind        []sinew.IssueKind  `query:"kind" maxItems:"20" doc:"base_image, upgrade, secret, module, template, configuration, code, endpoint, host, other"`
	State       []sinew.IssueState `query:"state" maxItems:"10" doc:"open, in_progress, done, accepted, gone; open and in_progress if not given"`
	Owner       string             `query:"owner" maxLength:"200" doc:"Of one owner only; none for those that have none"`
	Reopened    bool               `query:"reopened" doc:"Only those of which findings came back"`
	Text        string             `query:"text" maxLength:"500" doc:"Words anywhere in the cause"`
	Sort        string             `query:"sort" enum:"-findings,findings,-presences,presences,-severity,severity" default:"-findings" doc:"By active findings, by the places where they are, or by the worst of them"`
}

func (s *Server) issues(ctx context.Context, in *issuesInput) (*body[list[sinew.Issue]], error) {
	f := store.IssueFilter{Kinds: in.Kind, States: in.State, Reopened: in.Reopened, Text: in.Text}
	if in.Application != "" {
		f.Applications = []string{in.Application}
	}
	if in.Owner != "" {
		f.Owners = []string{in.Owner}
	}
	p := in.page()
	p.Sort = in.Sort
	all, next, err := s.db.Issues(ctx, reader(ctx), f, p)
	if err != nil {
		return nil, err
	}
	return page(ctx, orEmpty(all), next), nil
}

// issueDetail is everything that is known of one issue.
type issueDetail struct {
	sinew.Issue
	Events    []sinew.IssueEvent `json:"events" nullable:"false" doc:"Its history, oldest first"`
	MayChange bool               `json:"may_change" doc:"Whether you may change it"`
}

func (s *Server) issue(ctx context.Context, in *idInput) (*body[issueDetail], error) {
	d, err := s.db.Issue(ctx, reader(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &body[issueDetail]{issueDetail{
		Issue: d.Issue, Events: orEmpty(d.Events), MayChange: reader(ctx).Can(sinew.RoleDeveloper, d.Unit),
	}}, nil
}

type changeIssueInput struct {
	Once
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Owner  *string           `json:"owner,omitempty" maxLength:"200" doc:"Empty for nobody"`
		State  *sinew.IssueState `json:"state,omitempty" enum:"open,in_progress"`
		Ticket *sinew.Ticket     `json:"ticket,omitempty" doc:"Where it is dealt with outside; an empty key for nowhere"`
		Note   string            `json:"note,omitempty" maxLength:"10000" doc:"For its history"`
	}
}

func (s *Server) changeIssue(ctx context.Context, in *changeIssueInput) (*body[accepted], error) {
	b := &in.Body
	a, err := s.pipeline.ChangeIssue(ctx, reader(ctx), sinew.IssueChange{Issue: in.ID, Owner: b.Owner, State: b.State, Ticket: b.Ticket, Note: b.Note}, in.Key)
	if err != nil {
		return nil, err
	}
	s.settle(ctx, a.Seq)
	return &body[accepted]{accepted{ID: in.ID, Seq: a.Seq, Duplicate: a.Duplicate}}, nil
}
