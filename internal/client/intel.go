package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Intelligence is what was imported last of a kind.
type Intelligence struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	At      time.Time `json:"at"`
	Records int       `json:"records"`
	Sets    int       `json:"sets"`
}

// Intel lists what was imported of what others publish.
func (c *Client) Intel(ctx context.Context) ([]Intelligence, error) {
	var out struct{ Items []Intelligence }
	err := c.call(ctx, http.MethodGet, "/api/v1/intel", nil, nil, &out)
	return out.Items, err
}

// ImportedAliases is what a bundle of OSV records told.
type ImportedAliases struct {
	Seq     int64 `json:"seq"`
	Records int   `json:"records"`
	Sets    int   `json:"sets"`
}

// ImportAliases sends a bundle of OSV records.
func (c *Client) ImportAliases(ctx context.Context, name string, bundle io.Reader) (*ImportedAliases, error) {
	res, err := c.do(ctx, request{
		method: http.MethodPost, path: "/api/v1/intel/aliases", query: url.Values{"name": {name}}, body: bundle,
		contentType: "application/octet-stream", accept: "application/json",
	})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var out ImportedAliases
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return nil, sinew.Errorf(sinew.CodeUnavailable, "the server's answer to the upload cannot be read: %w", err)
	}
	return &out, nil
}
