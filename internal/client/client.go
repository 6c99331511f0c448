// Package client speaks the API of a sinew server. The command line uses it for
// everything: against a server over the network, or against the same handlers
// inside the process, through the transport it is given. It refuses to cache or
// to decide anything.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Client is a connection to one workspace of a server.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New makes a client. base is the server's URL without path; transport may be
// nil for the usual one.
func New(base, token string, transport http.RoundTripper) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, sinew.Errorf(sinew.CodeInvalid, "%q is not the URL of a server", base).Hint("for example http://127.0.0.1:8080")
	}
	return &Client{base: strings.TrimRight(base, "/"), token: token, http: &http.Client{Transport: transport}}, nil
}

// problem is the body of an error, RFC 9457.
type problem struct {
	Status  int        `json:"status"`
	Detail  string     `json:"detail"`
	Title   string     `json:"title"`
	Code    sinew.Code `json:"code"`
	Where   string     `json:"where"`
	Next    string     `json:"next"`
	Request string     `json:"request_id"`
}

// request describes one call.
type request struct {
	method      string
	path        string
	query       url.Values
	body        io.Reader
	contentType string
	accept      string
	idempotency string
}

// do sends a request. A response of an error status is turned back into the
// [*sinew.Error] that caused it; otherwise the caller closes the body.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	u := c.base + r.path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, r.body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if r.idempotency != "" {
		req.Header.Set("Idempotency-Key", r.idempotency)
	}
	res, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		e := sinew.Errorf(sinew.CodeUnavailable, "the server at %s does not answer", c.base).Hint("check the address and that it is running")
		e.Err = err
		return nil, e
	}
	if res.StatusCode >= http.StatusBadRequest {
		defer res.Body.Close()
		return nil, asError(res)
	}
	return res, nil
}

func asError(res *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return sinew.Errorf(sinew.CodeUnavailable, "the server answered %s", res.Status).Hint("check that it is a sinew server of this version")
	}
	e := &sinew.Error{Code: p.Code, Message: p.Detail, Where: p.Where, Next: p.Next}
	if e.Message == "" {
		e.Message = p.Title
	}
	if p.Code == sinew.CodeInternal && p.Request != "" {
		e.Next = "look for request " + p.Request + " in the server's log"
	}
	return e
}

// call sends in as JSON, if it is not nil, and decodes the answer into out.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	return c.callOnce(ctx, method, path, query, "", in, out)
}

// callOnce is call with an idempotency key.
func (c *Client) callOnce(ctx context.Context, method, path string, query url.Values, key string, in, out any) error {
	r := request{method: method, path: path, query: query, idempotency: key, accept: "application/json"}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		r.body, r.contentType = bytes.NewReader(body), "application/json"
	}
	res, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// lines gives each line of a streamed answer to fn. A last line with an "error"
// member is the error that ended the stream.
func (c *Client) lines(ctx context.Context, r request, fn func(line []byte) error) error {
	r.accept = "application/x-ndjson"
	res, err := c.do(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	dec := json.NewDecoder(res.Body)
	for {
		var line json.RawMessage
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the answer to %s: %w", r.path, err)
		}
		var failed struct {
			Error *sinew.Error `json:"error"`
		}
		if bytes.HasPrefix(line, []byte(`{"error":{`)) && json.Unmarshal(line, &failed) == nil && failed.Error != nil {
			return failed.Error
		}
		if err := fn(line); err != nil {
			return err
		}
	}
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"` // cursor of the page after this one; empty at the end
}

// List says which part of a list is wanted.
type List struct {
	Filter string
	Sort   string
	Cursor string
	Limit  int
	Extra  url.Values // further parameters
}

func (l List) query() url.Values {
	q := url.Values{}
	maps.Copy(q, l.Extra)
	set(q, "filter", l.Filter)
	set(q, "sort", l.Sort)
	set(q, "cursor", l.Cursor)
	if l.Limit > 0 {
		q.Set("limit", strconv.Itoa(l.Limit))
	}
	return q
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// each pages through a list until fn stops it, limit is reached (0: no limit) or
// it ends.
func each[T any](ctx context.Context, c *Client, path string, l List, fn func(T) error) error {
	left := l.Limit
	const page = 200
	for {
		l.Limit = page
		if left > 0 {
			l.Limit = min(left, page)
		}
		var p Page[T]
		if err := c.call(ctx, http.MethodGet, path, l.query(), nil, &p); err != nil {
			return err
		}
		for _, item := range p.Items {
			if err := fn(item); err != nil {
				return err
			}
		}
		if left > 0 {
			if left -= len(p.Items); left <= 0 {
				return nil
			}
		}
		if p.Next == "" {
			return nil
		}
		l.Cursor = p.Next
	}
}
