package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Group is findings that share something.
type Group struct {
	Key        string                 `json:"key"`
	Title      string                 `json:"title"`
	Count      int                    `json:"count"`
	Severities map[sinew.Severity]int `json:"severities"`
	Worst      sinew.Severity         `json:"worst"`
	Filter     string                 `json:"filter"` // finds exactly these
}

// Groups gives the groups of a filter's findings to fn, the worst first.
func (c *Client) Groups(ctx context.Context, filter, by string, limit int, fn func(Group) error) error {
	return each(ctx, c, "/api/v1/findings/groups", List{Filter: filter, Limit: limit, Extra: url.Values{"by": {by}}}, fn)
}

// Export writes the findings of a list to w in a form: csv, json or sarif.
func (c *Client) Export(ctx context.Context, l List, form string, w io.Writer) error {
	q := l.query()
	q.Set("format", form)
	return c.download(ctx, "/api/v1/findings/export", q, w)
}

// SnapshotEvidence writes the redacted report of a snapshot to w.
func (c *Client) SnapshotEvidence(ctx context.Context, snapshot string, w io.Writer) error {
	return c.download(ctx, "/api/v1/snapshots/"+url.PathEscape(snapshot)+"/evidence", nil, w)
}

func (c *Client) download(ctx context.Context, path string, q url.Values, w io.Writer) error {
	res, err := c.do(ctx, request{method: http.MethodGet, path: path, query: q})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return sinew.Errorf(sinew.CodeUnavailable, "the download broke off: %w", err).Hint("start it again; what is there is not the whole")
	}
	return nil
}

// Evidence is the row of a report that a finding was read from.
type Evidence struct {
	Report    string    `json:"report,omitempty"`
	Digest    string    `json:"digest,omitempty"`
	Media     string    `json:"media,omitempty"`
	Excerpt   string    `json:"excerpt,omitempty"`
	Line      int       `json:"line,omitempty"`
	Member    string    `json:"member,omitempty"`
	Truncated bool      `json:"truncated,omitempty"`
	Deleted   time.Time `json:"deleted,omitzero"`
}

// Evidence returns the row that a finding was read from.
func (c *Client) Evidence(ctx context.Context, finding string) (*Evidence, error) {
	var e Evidence
	return &e, c.call(ctx, http.MethodGet, "/api/v1/findings/"+url.PathEscape(finding)+"/evidence", nil, nil, &e)
}

// Ruling is a decision to be made about all findings of a filter.
type Ruling struct {
	Filter  string        `json:"filter"`
	Verdict sinew.Verdict `json:"verdict"`
	Reason  string        `json:"reason,omitempty"`
	Until   time.Time     `json:"until,omitzero"`
	Owner   string        `json:"owner,omitempty"`
}

// Rule records a decision about all findings of a filter.
func (c *Client) Rule(ctx context.Context, r Ruling, key string) (*Decided, error) {
	var out Decided
	return &out, c.callOnce(ctx, http.MethodPost, "/api/v1/decisions", nil, key, r, &out)
}

// Decision is what somebody decided.
type Decision struct {
	ID       string        `json:"id"`
	Seq      int64         `json:"seq"`
	At       time.Time     `json:"at"`
	By       string        `json:"by"`
	ByName   string        `json:"by_name,omitempty"`
	Verdict  sinew.Verdict `json:"verdict,omitempty"` // empty where an earlier one was taken back
	Reason   string        `json:"reason,omitempty"`
	Until    time.Time     `json:"until,omitzero"`
	Owner    string        `json:"owner,omitempty"`
	Findings int           `json:"findings"`
	Undoes   string        `json:"undoes,omitempty"`
	UndoneBy string        `json:"undone_by,omitempty"`
}

// Decisions gives what was decided to fn, the newest first.
func (c *Client) Decisions(ctx context.Context, limit int, fn func(Decision) error) error {
	return each(ctx, c, "/api/v1/decisions", List{Limit: limit}, fn)
}

// Undone is what became of taking back a decision.
type Undone struct {
	ID       string `json:"id"`
	Seq      int64  `json:"seq"`
	Restored int    `json:"restored"`
	Kept     int    `json:"kept"` // decided again since
}

// Undo takes back a decision.
func (c *Client) Undo(ctx context.Context, id, key string) (*Undone, error) {
	var out Undone
	return &out, c.callOnce(ctx, http.MethodPost, "/api/v1/decisions/"+url.PathEscape(id)+"/undo", nil, key, nil, &out)
}

// SavedView is a list of findings that somebody gave a name.
type SavedView struct {
	ID          string    `json:"id,omitempty"`
	Name        string    `json:"name"`
	Scope       string    `json:"scope"` // private, unit, everyone
	Application string    `json:"application,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	OwnerName   string    `json:"owner_name,omitempty"`
	Mine        bool      `json:"mine"`
	Filter      string    `json:"filter,omitempty"`
	Tab         string    `json:"tab,omitempty"`
	Sort        string    `json:"sort,omitempty"`
	Columns     []string  `json:"columns,omitempty"`
	Group       string    `json:"group,omitempty"`
	Updated     time.Time `json:"updated,omitzero"`
}

// Views lists the saved views that the caller sees.
func (c *Client) Views(ctx context.Context, fn func(SavedView) error) error {
	return each(ctx, c, "/api/v1/views", List{}, fn)
}

// SaveView saves a new view.
func (c *Client) SaveView(ctx context.Context, v SavedView) (*SavedView, error) {
	in := struct {
		Name        string `json:"name"`
		Scope       string `json:"scope"`
		Application string `json:"application,omitempty"`
		Filter      string `json:"filter,omitempty"`
		Sort        string `json:"sort,omitempty"`
		Group       string `json:"group,omitempty"`
	}{v.Name, v.Scope, v.Application, v.Filter, v.Sort, v.Group}
	var out SavedView
	return &out, c.call(ctx, http.MethodPost, "/api/v1/views", nil, in, &out)
}

// DeleteView deletes a saved view.
func (c *Client) DeleteView(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/api/v1/views/"+url.PathEscape(id), nil, nil, nil)
}

// CoverageRow is one application and one test.
type CoverageRow struct {
	Application  string    `json:"application"`
	BusinessUnit string    `json:"businessunit,omitempty"`
	Organisation string    `json:"organisation,omitempty"`
	Test         string    `json:"test"`
	Required     bool      `json:"required"`
	Every        float64   `json:"every"` // days
	Tools        []string  `json:"tools"`
	Last         time.Time `json:"last,omitzero"`
	Due          time.Time `json:"due,omitzero"`
	Gap          string    `json:"gap"` // none, never, overdue, failed, not_required
	Scope        string    `json:"scope,omitempty"`
	Basis        string    `json:"basis,omitempty"`
	Streams      int       `json:"streams"`
	StreamIDs    []string  `json:"stream_ids"`
}

// Coverage gives what was tested, and what is missing, to fn.
func (c *Client) Coverage(ctx context.Context, fn func(CoverageRow) error) error {
	return each(ctx, c, "/api/v1/coverage", List{}, fn)
}

// SearchLog asks for entries of the log.
type SearchLog struct {
	From   int64  // number of the first entry to look at; 0 for the end that the order begins with
	Kinds  string // with commas
	Actor  string
	Text   string
	Newest bool
	Limit  int
}

// Log gives entries to fn, the oldest first unless asked otherwise.
func (c *Client) Log(ctx context.Context, s SearchLog, fn func(LogEntry) error) error {
	l := List{Limit: s.Limit, Extra: url.Values{}}
	if s.From > 0 {
		l.Cursor = strconv.FormatInt(s.From, 10)
	}
	set(l.Extra, "kind", s.Kinds)
	set(l.Extra, "actor", s.Actor)
	set(l.Extra, "q", s.Text)
	if s.Newest {
		l.Extra.Set("order", "newest")
	}
	return each(ctx, c, "/api/v1/log", l, fn)
}
