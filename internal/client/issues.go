package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// IssueList says which issues are wanted; empty fields ask for nothing.
type IssueList struct {
	Application, Owner string // a name, or none
	Kinds              []string
	States             []string // open and in progress if empty
	Reopened           bool
	Text, Sort         string
	Limit              int // 0 for all
}

// Issues gives issues to fn, those that close most first.
func (c *Client) Issues(ctx context.Context, l IssueList, fn func(*sinew.Issue) error) error {
	q := url.Values{}
	set(q, "application", l.Application)
	set(q, "owner", l.Owner)
	set(q, "kind", strings.Join(l.Kinds, ","))
	set(q, "state", strings.Join(l.States, ","))
	set(q, "text", l.Text)
	if l.Reopened {
		q.Set("reopened", "true")
	}
	return each(ctx, c, "/api/v1/issues", List{Sort: l.Sort, Limit: l.Limit, Extra: q}, func(i sinew.Issue) error { return fn(&i) })
}

// IssueDetail is everything that is known of one issue.
type IssueDetail struct {
	sinew.Issue
	Events    []sinew.IssueEvent `json:"events"`
	MayChange bool               `json:"may_change"`
}

// Issue returns one issue.
func (c *Client) Issue(ctx context.Context, id string) (*IssueDetail, error) {
	var d IssueDetail
	return &d, c.call(ctx, http.MethodGet, "/api/v1/issues/"+url.PathEscape(id), nil, nil, &d)
}

// ChangeIssue records what a person changes of an issue.
func (c *Client) ChangeIssue(ctx context.Context, change sinew.IssueChange, key string) (*Decided, error) {
	id := change.Issue
	in := struct {
		Owner  *string           `json:"owner,omitempty"`
		State  *sinew.IssueState `json:"state,omitempty"`
		Ticket *sinew.Ticket     `json:"ticket,omitempty"`
		Note   string            `json:"note,omitempty"`
	}{change.Owner, change.State, change.Ticket, change.Note}
	var out Decided
	return &out, c.callOnce(ctx, http.MethodPatch, "/api/v1/issues/"+url.PathEscape(id), nil, key, in, &out)
}
