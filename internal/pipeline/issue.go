package pipeline

import (
	"context"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// IssueEntry is the payload of an issue entry: what a person changed of an issue,
// with the unit and the root cause that make it, which hold whatever is imported.
type IssueEntry struct {
	Schema string `json:"schema"` // issue/v1
	sinew.IssueChange
	Key   int64  `json:"key"`
	Unit  int64  `json:"unit"`
	Cause string `json:"cause"`
}

// ChangeIssue records what a person changes of an issue. He needs the developer
// role on its unit; one that he may not see does not exist for him.
func (p *Pipeline) ChangeIssue(ctx context.Context, r sinew.Reader, c sinew.IssueChange, key string) (store.Accepted, error) {
	if err := c.Validate(); err != nil {
		return store.Accepted{}, err
	}
	row, err := p.db.IssueNamed(ctx, r, c.Issue)
	if err != nil {
		return store.Accepted{}, err
	}
	if !r.Can(sinew.RoleDeveloper, row.Unit) {
		return store.Accepted{}, sinew.Errorf(sinew.CodeDenied, "to change this issue needs the role developer on its application").
			Hint("ask an administrator of the workspace")
	}
	if c.State != nil && *c.State == sinew.IssueInProgress && row.Active == 0 {
		return store.Accepted{}, sinew.Errorf(sinew.CodeConflict, "the issue is %s: none of its findings is active", row.State).
			Hint("look at its findings; it opens by itself when one comes back")
	}
	entry := IssueEntry{Schema: "issue/v1", IssueChange: c, Key: row.ID, Unit: row.Unit, Cause: row.Cause}
	return p.acceptJSON(ctx, r, sinew.EntryIssue, entry, []int64{row.Unit}, key, c)
}

// issue projects what a person changed of an issue.
func (j *projector) issue(ctx context.Context, e sinew.Entry) error {
	c, err := payload[IssueEntry](e)
	if err != nil {
		return err
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	w := store.IssueWork{ID: c.Key, Unit: c.Unit, Cause: c.Cause, Actor: e.Actor, Owner: c.Owner, Ticket: c.Ticket, Note: c.Note != ""}
	if c.State != nil {
		working := *c.State == sinew.IssueInProgress
		w.Working = &working
	}
	st.ChangeIssue(w)
	if err := j.p.point("staged"); err != nil {
		return err
	}
	return j.flip(ctx, st, e.Seq, nil)
}
