package openid

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

// to makes an HTTP client that speaks to these hosts only, within bounds.
func (c *Client) to(hosts ...string) *http.Client {
	return &http.Client{
		Transport: only{hosts: hosts, base: c.base},
		Timeout:   callTime,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
				return fmt.Errorf("it sends us on to %s://%s", req.URL.Scheme, req.URL.Host)
			}
			if len(via) > 3 {
				return errors.New("it sends us on and on")
			}
			return nil
		},
	}
}

// only is a transport to some hosts, whose answers end after a while.
type only struct {
	hosts []string
	base  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (o only) RoundTrip(req *http.Request) (*http.Response, error) {
	if !slices.Contains(o.hosts, req.URL.Host) {
		return nil, fmt.Errorf("%s is no host of this provider", req.URL.Host)
	}
	res, err := o.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	res.Body = &short{ReadCloser: res.Body, left: maxAnswer}
	return res, nil
}

// short is an answer that may not be long.
type short struct {
	io.ReadCloser
	left int64
}

func (s *short) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	if int64(len(p)) > s.left {
		p = p[:s.left]
	}
	n, err := s.ReadCloser.Read(p)
	s.left -= int64(n)
	return n, err
}

// keySet notes whether the keys could not be had, which is another fault than a
// signature that does not hold.
type keySet struct {
	oidc.KeySet
	fault error
}

// VerifySignature implements [oidc.KeySet].
func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	if err != nil && strings.HasPrefix(err.Error(), "fetching keys") { // the package has no name for it
		k.fault = err
	}
	return payload, err
}
