package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Provider is an OpenID Connect provider that people sign in by.
type Provider struct {
	ID          string      `json:"id,omitempty"`
	Name        string      `json:"name"`
	Issuer      string      `json:"issuer"`
	ClientID    string      `json:"client_id"`
	Scopes      []string    `json:"scopes,omitempty"`
	GroupsClaim string      `json:"groups_claim,omitempty"`
	LoginClaim  string      `json:"login_claim,omitempty"`
	Mappings    []GroupRole `json:"mappings,omitempty"`
	DefaultRole sinew.Role  `json:"default_role,omitempty"`
	Enabled     bool        `json:"enabled"`
	Secret      *string     `json:"client_secret,omitempty"` // to be set; answers only say whether there is one
	HasSecret   bool        `json:"-"`
	Callback    string      `json:"-"` // address to register with the provider
	Updated     time.Time   `json:"-"`
}

// GroupRole says what members of a group may do.
type GroupRole struct {
	Group       string     `json:"group"`
	Role        sinew.Role `json:"role"`
	Application string     `json:"application,omitempty"` // empty for every one
}

// shownProvider is a provider as the server tells of it.
type shownProvider struct {
	Provider
	HasSecret bool      `json:"has_secret"`
	Callback  string    `json:"callback"`
	Updated   time.Time `json:"updated"`
}

func (s shownProvider) provider() Provider {
	p := s.Provider
	p.HasSecret, p.Callback, p.Updated = s.HasSecret, s.Callback, s.Updated
	return p
}

// ProviderTest is what a provider answered.
type ProviderTest struct {
	OK       bool            `json:"ok"`
	Checks   []ProviderCheck `json:"checks"`
	Callback string          `json:"callback"`
}

// ProviderCheck is one thing that was looked at.
type ProviderCheck struct {
	What   string `json:"what"`
	Status string `json:"status"` // ok, warning, failed
	Detail string `json:"detail"`
}

// Providers lists the providers of the workspace.
func (c *Client) Providers(ctx context.Context, fn func(Provider) error) error {
	var out struct {
		Items []shownProvider `json:"items"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/providers", nil, nil, &out); err != nil {
		return err
	}
	for _, p := range out.Items {
		if err := fn(p.provider()); err != nil {
			return err
		}
	}
	return nil
}

// Provider gives a provider.
func (c *Client) Provider(ctx context.Context, id string) (*Provider, error) {
	var out shownProvider
	err := c.call(ctx, http.MethodGet, "/api/v1/providers/"+url.PathEscape(id), nil, nil, &out)
	p := out.provider()
	return &p, err
}

// CreateProvider adds a provider.
func (c *Client) CreateProvider(ctx context.Context, p Provider) (*Provider, error) {
	var out shownProvider
	err := c.call(ctx, http.MethodPost, "/api/v1/providers", nil, p, &out)
	p = out.provider()
	return &p, err
}

// ChangeProvider changes a provider. Without a secret the one that there is
// stays.
func (c *Client) ChangeProvider(ctx context.Context, p Provider) (*Provider, error) {
	var out shownProvider
	id := p.ID
	p.ID = ""
	err := c.call(ctx, http.MethodPut, "/api/v1/providers/"+url.PathEscape(id), nil, p, &out)
	p = out.provider()
	return &p, err
}

// DeleteProvider deletes a provider.
func (c *Client) DeleteProvider(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/api/v1/providers/"+url.PathEscape(id), nil, nil, nil)
}

// TestProvider asks a provider whether people can sign in by it.
func (c *Client) TestProvider(ctx context.Context, id string) (*ProviderTest, error) {
	var out ProviderTest
	return &out, c.call(ctx, http.MethodPost, "/api/v1/providers/"+url.PathEscape(id)+"/test", nil, nil, &out)
}
