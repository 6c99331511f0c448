package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// DedupStats says how many findings are one problem with others, and why.
type DedupStats struct {
	Told   int64            `json:"told"`   // findings as the streams tell them
	Shown  int64            `json:"shown"`  // what is left of them
	Merged int64            `json:"merged"` // shown ones that several streams tell
	Rules  map[string]int64 `json:"rules"`
	Pairs  []struct {
		A     string `json:"a"`
		B     string `json:"b"`
		Joins int64  `json:"joins"`
	} `json:"pairs"`
}

// DedupStats counts what several streams tell of the same problems.
func (c *Client) DedupStats(ctx context.Context) (*DedupStats, error) {
	var out DedupStats
	return &out, c.call(ctx, http.MethodGet, "/api/v1/dedup/stats", nil, nil, &out)
}

// DedupExplanation says whether two findings are one problem.
type DedupExplanation struct {
	Same   bool              `json:"same"`
	Why    string            `json:"why"`
	Rule   string            `json:"rule,omitempty"`
	Fields []sinew.JoinField `json:"fields"`
	Others []string          `json:"others,omitempty"`
	A      sinew.Finding     `json:"a"`
	B      sinew.Finding     `json:"b"`
}

// ExplainDedup says whether two findings are one problem, and why.
func (c *Client) ExplainDedup(ctx context.Context, a, b string) (*DedupExplanation, error) {
	var out DedupExplanation
	return &out, c.call(ctx, http.MethodGet, "/api/v1/dedup/explain", url.Values{"a": {a}, "b": {b}}, nil, &out)
}

// LinkPreview is what a link would change: clusters as they are and would be.
type LinkPreview struct {
	Before [][]string `json:"before"`
	After  [][]string `json:"after"`
}

// PreviewLink shows what a link would change.
func (c *Client) PreviewLink(ctx context.Context, l sinew.Link) (*LinkPreview, error) {
	var out LinkPreview
	return &out, c.call(ctx, http.MethodPost, "/api/v1/links/preview", nil, l, &out)
}

// Linked is a link that was accepted or taken back.
type Linked struct {
	ID        string `json:"id"`
	Seq       int64  `json:"seq"`
	Duplicate bool   `json:"duplicate,omitempty"`
}

// Link says that findings are, or are not, the same problem.
func (c *Client) Link(ctx context.Context, l sinew.Link, key string) (*Linked, error) {
	var out Linked
	return &out, c.callOnce(ctx, http.MethodPost, "/api/v1/links", nil, key, l, &out)
}

// UndoLink takes a link back.
func (c *Client) UndoLink(ctx context.Context, id, key string) (*Linked, error) {
	var out Linked
	return &out, c.callOnce(ctx, http.MethodPost, "/api/v1/links/"+url.PathEscape(id)+"/undo", nil, key, nil, &out)
}

// Link is what somebody said of findings being the same.
type Link struct {
	ID          string         `json:"id"`
	Kind        sinew.LinkKind `json:"kind"`
	At          time.Time      `json:"at"`
	By          string         `json:"by"`
	ByName      string         `json:"by_name,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Application string         `json:"application,omitempty"`
	Findings    []string       `json:"findings,omitempty"`
	Rules       []struct {
		A RuleName `json:"a"`
		B RuleName `json:"b"`
	} `json:"rules,omitempty"`
}

// RuleName is a rule of a tool.
type RuleName struct {
	Tool string `json:"tool"`
	Rule string `json:"rule"`
}

// Links lists what people said of findings being the same, newest first.
func (c *Client) Links(ctx context.Context) ([]Link, error) {
	var out struct{ Items []Link }
	err := c.call(ctx, http.MethodGet, "/api/v1/links", nil, nil, &out)
	return out.Items, err
}

// Scanner is what one tool contributes.
type Scanner struct {
	Tool           string                 `json:"tool"`
	Active         int                    `json:"active"`
	Only           int                    `json:"only"`
	OnlySeverities map[sinew.Severity]int `json:"only_severities"`
	Shared         int                    `json:"shared"`
	Decided        int                    `json:"decided"`
	Confirmed      int                    `json:"confirmed"`
	FalsePositives int                    `json:"false_positives"`
	HoursToDecide  float64                `json:"hours_to_decide"`
	Imports        int                    `json:"imports"`
	LastImport     time.Time              `json:"last_import,omitzero"`
	Filter         string                 `json:"filter"`
}

// Scanners tells what each tool contributes.
func (c *Client) Scanners(ctx context.Context) ([]Scanner, error) {
	var out struct{ Items []Scanner }
	err := c.call(ctx, http.MethodGet, "/api/v1/scanners", nil, nil, &out)
	return out.Items, err
}
