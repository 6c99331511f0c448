package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Projection is how what readers see stands to the log.
type Projection struct {
	Schema     string `json:"schema"` // projection/v1
	Version    string `json:"version"`
	Current    string `json:"current_version"`
	Head       int64  `json:"head"`
	Projected  int64  `json:"projected"`
	Rebuilding bool   `json:"rebuilding"`
	Rebuilt    int64  `json:"rebuilt,omitempty"`
	Holder     string `json:"holder,omitempty"`
	Checkpoint *struct {
		Entry int64     `json:"entry"`
		Seq   int64     `json:"seq"`
		At    time.Time `json:"at"`
		Bytes int64     `json:"bytes"`
	} `json:"checkpoint,omitempty"`
}

// Projection shows how the projection stands.
func (c *Client) Projection(ctx context.Context) (*Projection, error) {
	var out Projection
	return &out, c.call(ctx, http.MethodGet, "/api/v1/projection", nil, nil, &out)
}

// Rebuilt says what a rebuild did.
type Rebuilt struct {
	Schema     string `json:"schema"` // rebuild/v1
	From       int64  `json:"from"`
	Entries    int64  `json:"entries"`
	Before     string `json:"before"`
	After      string `json:"after"`
	Equal      bool   `json:"equal"`
	NewVersion bool   `json:"new_version"`
	Swapped    bool   `json:"swapped"`
}

// Rebuild builds what readers see from the log once more. tell is called with
// how many entries are done.
func (c *Client) Rebuild(ctx context.Context, whole bool, tell func(done, of int64)) (*Rebuilt, error) {
	in := struct {
		Whole bool `json:"whole,omitempty"`
	}{whole}
	return work[Rebuilt](ctx, c, "/api/v1/projection/rebuild", in, tell)
}

// Rematched says what matching everything once more did, or would do.
type Rematched struct {
	Schema     string `json:"schema"` // rematch/v1
	Matcher    string `json:"matcher"`
	Families   int    `json:"families"`
	Kept       int    `json:"kept"`
	Redirected int    `json:"redirected"`
	New        int    `json:"new"`
	Skipped    int    `json:"skipped"`
	DryRun     bool   `json:"dry_run"`
}

type again struct {
	Apply bool `json:"apply,omitempty"`
}

// Rematch runs today's matcher over everything stored; without apply it only says
// what would change.
func (c *Client) Rematch(ctx context.Context, apply bool, tell func(done, of int64)) (*Rematched, error) {
	return work[Rematched](ctx, c, "/api/v1/projection/rematch", again{apply}, tell)
}

// Remap runs today's mappings over the evidence that is kept, likewise.
func (c *Client) Remap(ctx context.Context, apply bool, tell func(done, of int64)) (*Rematched, error) {
	return work[Rematched](ctx, c, "/api/v1/projection/remap", again{apply}, tell)
}

// work asks for something long and passes its progress on.
func work[T any](ctx context.Context, c *Client, path string, in any, tell func(done, of int64)) (*T, error) {
	text, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	var result *T
	r := request{method: http.MethodPost, path: path, body: bytes.NewReader(text), contentType: "application/json"}
	err = c.lines(ctx, r, func(line []byte) error {
		var l struct {
			Progress *struct{ Done, Total int64 }
			Result   *T
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("read the answer to %s: %w", path, err)
		}
		if l.Progress != nil && tell != nil {
			tell(l.Progress.Done, l.Progress.Total)
		}
		if l.Result != nil {
			result = l.Result
		}
		return nil
	})
	if err == nil && result == nil {
		err = sinew.Errorf(sinew.CodeUnavailable, "the answer broke off before its end").Hint("try again; `sinew log` shows whether it was recorded")
	}
	return result, err
}

// Checkpoint is what a checkpoint signs.
type Checkpoint struct {
	Schema    string `json:"schema"` // checkpoint/v1
	Seq       int64  `json:"seq"`
	Chain     string `json:"chain"`
	State     string `json:"state"`
	History   string `json:"history"`
	Version   string `json:"version"`
	Key       string `json:"key"`
	Signature string `json:"signature"`
	Dump      string `json:"dump,omitempty"`
}

// Checkpoint writes the root hashes and a dump into the log, signed.
func (c *Client) Checkpoint(ctx context.Context) (*Checkpoint, error) {
	var out Checkpoint
	return &out, c.call(ctx, http.MethodPost, "/api/v1/checkpoints", nil, nil, &out)
}

// Retention gives for how many days payloads of each kind are kept; 0 is for
// ever.
func (c *Client) Retention(ctx context.Context) (map[string]int, error) {
	var out struct {
		Days map[string]int `json:"days"`
	}
	err := c.call(ctx, http.MethodGet, "/api/v1/retention", nil, nil, &out)
	return out.Days, err
}

// SetRetention says for how many days payloads of a kind are kept.
func (c *Client) SetRetention(ctx context.Context, kind string, days int) error {
	in := struct {
		Kind string `json:"kind"`
		Days int    `json:"days"`
	}{kind, days}
	return c.call(ctx, http.MethodPut, "/api/v1/retention", nil, in, nil)
}

// ApplyRetention deletes what is older than its retention, and reports how many
// payloads.
func (c *Client) ApplyRetention(ctx context.Context) (int, error) {
	var out struct {
		Deleted int `json:"deleted"`
	}
	err := c.call(ctx, http.MethodPost, "/api/v1/retention/apply", nil, nil, &out)
	return out.Deleted, err
}
