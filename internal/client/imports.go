package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Upload says what a report is of; every field may be empty.
type Upload struct {
	Name        string // of the file
	Format      string
	Source      string
	Target      string
	Otherwise   string // the target of a report that says none
	Ref         string
	Label       string
	Application string
	Service     string
	At          time.Time
	Commit      string
	Ancestors   []string
	Digest      string
	Environment string
	Base        string
	Mode        sinew.Mode
	Coverage    sinew.CoverageStatus
	Rules       []string // globs that the scan was limited to
	Paths       []string
	Hosts       []string
	PathPrefix  string // folder that the report's paths are relative to
	StripPrefix string // absolute folder that the report's paths begin with
	Idempotency string
}

func (u Upload) query() url.Values {
	q := url.Values{}
	set(q, "name", u.Name)
	set(q, "format", u.Format)
	set(q, "source", u.Source)
	set(q, "target", u.Target)
	set(q, "otherwise", u.Otherwise)
	set(q, "ref", u.Ref)
	set(q, "label", u.Label)
	set(q, "application", u.Application)
	set(q, "service", u.Service)
	if !u.At.IsZero() {
		q.Set("at", u.At.UTC().Format(time.RFC3339Nano))
	}
	set(q, "commit", u.Commit)
	set(q, "ancestors", strings.Join(u.Ancestors, ","))
	set(q, "digest", u.Digest)
	set(q, "environment", u.Environment)
	set(q, "base", u.Base)
	set(q, "mode", string(u.Mode))
	set(q, "coverage", string(u.Coverage))
	set(q, "rules", strings.Join(u.Rules, ","))
	set(q, "paths", strings.Join(u.Paths, ","))
	set(q, "hosts", strings.Join(u.Hosts, ","))
	set(q, "path_prefix", u.PathPrefix)
	set(q, "strip_prefix", u.StripPrefix)
	return q
}

// Import is an accepted report.
type Import struct {
	ID           string    `json:"id"` // of the snapshot
	Seq          int64     `json:"seq"`
	State        string    `json:"state"` // accepted, projected
	Report       string    `json:"report"`
	Format       string    `json:"format"`
	Observations int       `json:"observations"`
	At           time.Time `json:"at"`
	Result       *Result   `json:"result,omitempty"` // once projected
	Notes        []string  `json:"notes,omitempty"`
	Duplicate    bool      `json:"duplicate,omitempty"` // accepted before under the same idempotency key
}

// Result is what an import changed.
type Result struct {
	New         int            `json:"new"`
	Unchanged   int            `json:"unchanged"`
	Changed     int            `json:"changed"`
	Moved       int            `json:"moved"`
	Elsewhere   int            `json:"elsewhere"`
	Reopened    int            `json:"reopened"`
	Fixed       Fixed          `json:"fixed"`
	NotObserved int            `json:"not_observed"`
	ScopeLost   int            `json:"scope_lost"`
	Gone        int            `json:"gone"`
	Missing     map[string]int `json:"missing,omitempty"`
	Late        bool           `json:"late,omitempty"`
	Same        bool           `json:"same,omitempty"`
	Notes       []string       `json:"notes,omitempty"`
}

// Fixed counts what was closed by whose word.
type Fixed struct {
	Proven   int `json:"proven"`
	Declared int `json:"declared"`
}

// Import uploads a report. It returns when the report is durable; with wait,
// when its findings can be seen.
func (c *Client) Import(ctx context.Context, u Upload, body io.Reader, wait bool) (*Import, error) {
	q := u.query()
	if wait {
		q.Set("wait", "true")
	}
	res, err := c.do(ctx, request{
		method: http.MethodPost, path: "/api/v1/imports", query: q, body: body,
		contentType: "application/octet-stream", accept: "application/json", idempotency: u.Idempotency,
	})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out Import
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return nil, sinew.Errorf(sinew.CodeUnavailable, "the server's answer to the upload cannot be read: %w", err)
	}
	return &out, nil
}
