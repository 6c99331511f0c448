package server

import (
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerProviders() {
	handle(s, s.route("GET /api/v1/providers", "list-providers", "List the providers that people sign in by"), s.providers)
	handle(s, s.route("POST /api/v1/providers", "create-provider", "Add a provider of OpenID Connect", answers(http.StatusCreated)), s.createProvider)
	handle(s, s.route("GET /api/v1/providers/{id}", "show-provider", "Show a provider"), s.provider)
	handle(s, s.route("PUT /api/v1/providers/{id}", "change-provider", "Change a provider",
		about("What the groups of its people give is found anew at once. The issuer stays. Without client_secret the one that there is stays.")), s.changeProvider)
	handle(s, s.route("DELETE /api/v1/providers/{id}", "delete-provider", "Delete a provider",
		about("The sessions that it began end, and the roles that its groups gave."), answers(http.StatusNoContent)), s.deleteProvider)
	handle(s, s.route("POST /api/v1/providers/{id}/test", "test-provider", "Ask a provider whether people can sign in by it"), s.testProvider)
}

// providerMapping says what members of a group may do.
type providerMapping struct {
	Group       string     `json:"group" minLength:"1" maxLength:"256"`
	Role        sinew.Role `json:"role" enum:"viewer,developer,admin"`
	Application string     `json:"application,omitempty" maxLength:"200" doc:"Name; empty for every application"`
}

// ProviderFields are what an administrator says of a provider.
type ProviderFields struct {
	Name        string            `json:"name" minLength:"1" maxLength:"100" doc:"On the button"`
	Issuer      string            `json:"issuer" maxLength:"500" doc:"Its address, exactly as it calls itself, without /.well-known/..."`
	ClientID    string            `json:"client_id" maxLength:"500"`
	Scopes      []string          `json:"scopes,omitempty" maxItems:"20" doc:"Beside openid"`
	GroupsClaim string            `json:"groups_claim,omitempty" maxLength:"200" doc:"Claim with the groups; \"groups\" if not given. A path like realm_access.roles works too"`
	LoginClaim  string            `json:"login_claim,omitempty" maxLength:"200" doc:"Claim to show as login; \"preferred_username\" if not given"`
	Mappings    []providerMapping `json:"mappings,omitempty" maxItems:"500" doc:"Which group has which role where; of several the greatest"`
	DefaultRole sinew.Role        `json:"default_role,omitempty" enum:",viewer,developer,admin" doc:"Of whoever signs in, on every application; empty lets only those in whom a group or somebody gave a role"`
	Enabled     bool              `json:"enabled"`
}

// providerBody is a provider to be changed.
type providerBody struct {
	ProviderFields
	Secret *string `json:"client_secret,omitempty" maxLength:"4096" doc:"Sealed, and never shown again. Leave it out to keep the one that there is; the empty one takes it away"`
}

// provider is a provider as administrators see it.
type provider struct {
	ID string `json:"id"`
	ProviderFields
	HasSecret bool      `json:"has_secret"`
	Callback  string    `json:"callback" doc:"Address to register with the provider; register /signin of this server as the one after sign-out"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
}

func (s *Server) describeProvider(ctx context.Context, p store.Provider) provider {
	out := provider{
		ID: p.ID, HasSecret: len(p.Secret) > 0, Callback: s.callback(callOf(ctx).r, p.ID), Created: p.Created, Updated: p.Updated,
		ProviderFields: ProviderFields{
			Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID, Scopes: p.Scopes, GroupsClaim: p.GroupsClaim, LoginClaim: p.LoginClaim,
			DefaultRole: p.DefaultRole, Enabled: p.Enabled,
		},
	}
	for _, m := range p.Mappings {
		out.Mappings = append(out.Mappings, providerMapping(m))
	}
	return out
}

func (in *ProviderFields) provider(id string) store.Provider {
	p := store.Provider{
		ID: id, Name: in.Name,
		ProviderSettings: store.ProviderSettings{
			Issuer: in.Issuer, ClientID: in.ClientID, Scopes: in.Scopes, GroupsClaim: in.GroupsClaim, LoginClaim: in.LoginClaim,
			DefaultRole: in.DefaultRole, Enabled: in.Enabled,
		},
	}
	if p.GroupsClaim == "" {
		p.GroupsClaim = "groups"
	}
	if p.LoginClaim == "" {
		p.LoginClaim = "preferred_username"
	}
	for _, m := range in.Mappings {
		p.Mappings = append(p.Mappings, store.GroupRole(m))
	}
	return p
}

func (s *Server) providers(ctx context.Context, _ *struct{}) (*body[list[provider]], error) {
	all, err := s.db.Providers(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	out := make([]provider, len(all)) // 20 at most
	for i, p := range all {
		out[i] = s.describeProvider(ctx, p)
	}
	return &body[list[provider]]{list[provider]{Items: out}}, nil
}

func (s *Server) provider(ctx context.Context, in *idInput) (*body[provider], error) {
	p, err := s.db.Provider(ctx, reader(ctx), in.ID)
	return &body[provider]{s.describeProvider(ctx, p)}, err
}

type createProviderInput struct {
	Body struct {
		ID string `json:"id" maxLength:"40" doc:"In addresses: a-z, 0-9 and -"`
		ProviderFields
		Secret string `json:"client_secret,omitempty" maxLength:"4096" doc:"Sealed, and never shown again"`
	}
}

func (s *Server) createProvider(ctx context.Context, in *createProviderInput) (*body[provider], error) {
	p, err := s.auth.SaveProvider(ctx, reader(ctx), in.Body.provider(in.Body.ID), &in.Body.Secret, true)
	return &body[provider]{s.describeProvider(ctx, p)}, err
}

type changeProviderInput struct {
	ID   string `path:"id" maxLength:"40"`
	Body providerBody
}

func (s *Server) changeProvider(ctx context.Context, in *changeProviderInput) (*body[provider], error) {
	p, err := s.auth.SaveProvider(ctx, reader(ctx), in.Body.provider(in.ID), in.Body.Secret, false)
	return &body[provider]{s.describeProvider(ctx, p)}, err
}

func (s *Server) deleteProvider(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, s.db.DeleteProvider(ctx, reader(ctx), in.ID)
}

// providerTest is what a provider answered.
type providerTest struct {
	OK       bool            `json:"ok" doc:"People can sign in, as far as can be told without one"`
	Checks   []providerCheck `json:"checks" nullable:"false"`
	Callback string          `json:"callback" doc:"Address that must be registered with the provider"`
}

type providerCheck struct {
	What   string `json:"what"`
	Status string `json:"status" enum:"ok,warning,failed"`
	Detail string `json:"detail"`
}

func (s *Server) testProvider(ctx context.Context, in *idInput) (*body[providerTest], error) {
	callback := s.callback(callOf(ctx).r, in.ID)
	checks, err := s.auth.CheckProvider(ctx, reader(ctx), in.ID, callback)
	if err != nil {
		return nil, err
	}
	out := providerTest{OK: true, Callback: callback, Checks: []providerCheck{}}
	for _, c := range checks {
		out.Checks = append(out.Checks, providerCheck(c))
		out.OK = out.OK && c.Status != "failed"
	}
	return &body[providerTest]{out}, nil
}
