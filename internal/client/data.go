package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// FindingDetail is everything known of one finding.
type FindingDetail struct {
	sinew.Finding
	Presences   []sinew.Presence   `json:"presences"`
	Events      []sinew.Event      `json:"events"`
	Observation *sinew.Observation `json:"observation,omitempty"`
	Evidence    *sinew.Evidence    `json:"evidence,omitempty"`
	Decision    *Standing          `json:"decision,omitempty"`
	MergedInto  string             `json:"merged_into,omitempty"` // the id asked for was merged into this one
	Cluster     *sinew.Cluster     `json:"cluster,omitempty"`     // what other streams tell of the same problem
}

// Standing is the decision that stands on a finding.
type Standing struct {
	Verdict sinew.Verdict `json:"verdict"`
	By      string        `json:"by"` // pseudonym, or tool
	Reason  string        `json:"reason,omitempty"`
	At      time.Time     `json:"at"`
	Until   time.Time     `json:"until,omitzero"`
}

// Findings gives each finding of a list to fn, streamed. A limit of 0 is none.
func (c *Client) Findings(ctx context.Context, l List, fn func(*sinew.Finding) error) error {
	return c.lines(ctx, request{method: http.MethodGet, path: "/api/v1/findings", query: l.query()}, func(line []byte) error {
		var f sinew.Finding
		if err := json.Unmarshal(line, &f); err != nil {
			return sinew.Errorf(sinew.CodeUnavailable, "the server's list cannot be read: %w", err)
		}
		return fn(&f)
	})
}

// Finding returns one finding.
func (c *Client) Finding(ctx context.Context, id string) (*FindingDetail, error) {
	var f FindingDetail
	return &f, c.call(ctx, http.MethodGet, "/api/v1/findings/"+url.PathEscape(id), nil, nil, &f)
}

// Counts are findings by dimension and value. Capped says that counting
// stopped: the true numbers are at least these.
type Counts struct {
	Total  int                       `json:"total"`
	Capped bool                      `json:"capped,omitempty"`
	Facets map[string]map[string]int `json:"facets"` // state, severity, tool, class
}

// Counts counts findings.
func (c *Client) Counts(ctx context.Context, filter string) (*Counts, error) {
	var n Counts
	return &n, c.call(ctx, http.MethodGet, "/api/v1/findings/counts", List{Filter: filter}.query(), nil, &n)
}

// Decided names the log entry of a decision.
type Decided struct {
	ID       string `json:"id"`
	Seq      int64  `json:"seq"`
	Findings int    `json:"findings,omitempty"`
}

// Decide records a decision.
func (c *Client) Decide(ctx context.Context, d sinew.Decision, key string) (*Decided, error) {
	var out Decided
	return &out, c.callOnce(ctx, http.MethodPost, "/api/v1/decisions", nil, key, d, &out)
}

// Application is an access unit and what it counts.
type Application struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Organisation string   `json:"organisation,omitempty"`
	BusinessUnit string   `json:"businessunit,omitempty"`
	Services     []string `json:"services,omitempty"`
	Active       int      `json:"active"` // findings to deal with
}

// Applications lists the applications that the caller may see.
func (c *Client) Applications(ctx context.Context, fn func(Application) error) error {
	return each(ctx, c, "/api/v1/applications", List{}, fn)
}

// Stream is a source of snapshots and its newest state.
type Stream struct {
	sinew.Stream
	Application string    `json:"application,omitempty"`
	Place       string    `json:"place"`
	LastSeen    time.Time `json:"last_seen,omitzero"`
	Snapshot    string    `json:"snapshot,omitempty"`
	Version     string    `json:"version,omitempty"`
	Ended       string    `json:"ended,omitempty"`
}

// Streams lists the streams that the caller may see.
func (c *Client) Streams(ctx context.Context, fn func(Stream) error) error {
	return each(ctx, c, "/api/v1/streams", List{}, fn)
}

// Rules returns the rules document.
func (c *Client) Rules(ctx context.Context) (string, error) {
	var out struct {
		Document string `json:"document"`
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/rules", nil, nil, &out)
	return out.Document, err
}

// RulesChange is what new rules would change, or did.
type RulesChange struct {
	Seq     int64 `json:"seq,omitempty"`
	Moved   int   `json:"moved"` // findings that change their application or service
	Preview bool  `json:"preview,omitempty"`

	Samples []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
		From  string `json:"from"`
		To    string `json:"to"`
	} `json:"samples"`
	Added    []string `json:"added"`   // applications
	Removed  []string `json:"removed"` // applications that no rule names any more
	Findings []struct {
		Application string `json:"application"`
		Before      int    `json:"before"`
		After       int    `json:"after"`
	} `json:"findings"`
}

// SetRules replaces the rules document; with preview it only says what would
// change.
func (c *Client) SetRules(ctx context.Context, document string, preview bool) (*RulesChange, error) {
	in := map[string]string{"document": document}
	var out RulesChange
	if preview {
		return &out, c.call(ctx, http.MethodPost, "/api/v1/rules/preview", nil, in, &out)
	}
	return &out, c.call(ctx, http.MethodPut, "/api/v1/rules", nil, in, &out)
}

// RefEvent is something that happened to a ref.
type RefEvent struct {
	Target string    `json:"target"`
	Ref    string    `json:"ref"`
	Event  string    `json:"event"` // merged, closed, deleted
	Into   string    `json:"into,omitempty"`
	At     time.Time `json:"at,omitzero"`
}

// Ref records what happened to a ref.
func (c *Client) Ref(ctx context.Context, e RefEvent) (*Decided, error) {
	var out Decided
	return &out, c.call(ctx, http.MethodPost, "/api/v1/refs", nil, e, &out)
}

// Deployment says that a version runs in an environment.
type Deployment struct {
	Application string    `json:"application"`
	Service     string    `json:"service,omitempty"`
	Environment string    `json:"environment"`
	Version     string    `json:"version"` // commit or digest
	At          time.Time `json:"at,omitzero"`
}

// Deploy records a deployment.
func (c *Client) Deploy(ctx context.Context, d Deployment) (*Decided, error) {
	var out Decided
	return &out, c.call(ctx, http.MethodPost, "/api/v1/deployments", nil, d, &out)
}

// Asset is a thing that some source tells about.
type Asset struct {
	ID string `json:"id"`
	sinew.Asset
	Application string    `json:"application,omitempty"`
	Ended       time.Time `json:"ended,omitzero"`
}

// Assets lists assets, of one kind if kind is not empty.
func (c *Client) Assets(ctx context.Context, kind string, limit int, fn func(Asset) error) error {
	return each(ctx, c, "/api/v1/assets", List{Filter: kind, Limit: limit}, fn)
}

// EndAsset says that a machine or other asset is no more.
func (c *Client) EndAsset(ctx context.Context, key sinew.AssetKey, at time.Time) (*Decided, error) {
	in := struct {
		sinew.AssetKey
		At time.Time `json:"at,omitzero"`
	}{key, at}
	var out Decided
	return &out, c.call(ctx, http.MethodPost, "/api/v1/assets/end", nil, in, &out)
}

// LogEntry is an entry of the log.
type LogEntry struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Kind    sinew.EntryKind `json:"kind"`
	Actor   string          `json:"actor"`
	Digest  string          `json:"digest"`
	Hash    string          `json:"hash"`
	Payload json.RawMessage `json:"payload,omitempty"` // absent once deleted
}

// LogEntry returns one entry.
func (c *Client) LogEntry(ctx context.Context, seq int64) (*LogEntry, error) {
	var e LogEntry
	return &e, c.call(ctx, http.MethodGet, "/api/v1/log/"+strconv.FormatInt(seq, 10), nil, nil, &e)
}

// Verification is what checking the log found.
type Verification struct {
	Schema  string         `json:"schema"` // verify/v1
	OK      bool           `json:"ok"`
	Entries int64          `json:"entries"`
	Kinds   map[string]int `json:"kinds"`
	Blobs   int64          `json:"blobs"`
	Head    string         `json:"head"` // hash of the newest entry
	State   string         `json:"state_hash"`
	History string         `json:"history_hash"`
	Problem string         `json:"problem,omitempty"` // the first thing that does not fit
	BadSeq  int64          `json:"bad_seq,omitempty"`
}

// Verify checks chain, payloads, blobs and signatures, and gives the root hashes.
func (c *Client) Verify(ctx context.Context) (*Verification, error) {
	var v Verification
	return &v, c.call(ctx, http.MethodPost, "/api/v1/log/verify", nil, nil, &v)
}

// Backup writes a backup of the whole database to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	res, err := c.do(ctx, request{method: http.MethodGet, path: "/api/v1/backup"})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return sinew.Errorf(sinew.CodeUnavailable, "the backup broke off: %w", err).Hint("start it again; the file is not usable")
	}
	return nil
}

// Suggestion completes a filter.
type Suggestion struct {
	Text string `json:"text"` // the whole word
	Doc  string `json:"doc,omitempty"`
}

// CompleteFilter completes the filter's word at the cursor.
func (c *Client) CompleteFilter(ctx context.Context, filter string, cursor int) ([]Suggestion, error) {
	var out Page[Suggestion]
	q := url.Values{"filter": {filter}, "cursor": {strconv.Itoa(cursor)}}
	err := c.call(ctx, http.MethodGet, "/api/v1/filter/complete", q, nil, &out)
	return out.Items, err
}
