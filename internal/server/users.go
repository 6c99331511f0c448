package server

import (
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerUsers() {
	handle(s, s.route("POST /api/v1/signin", "sign-in", "Exchange login and password for a token of 12 hours",
		about("Attempts are limited for each login and each network: 429 says how long to wait.")), s.signIn)
	handle(s, s.route("GET /api/v1/me", "show-me", "Show who is signed in"), s.me)
	handle(s, s.route("PUT /api/v1/me/password", "change-password", "Change one's password", answers(http.StatusNoContent)), s.changePassword)
	handle(s, s.route("GET /api/v1/users", "list-users", "List users"), s.users)
	handle(s, s.route("POST /api/v1/users", "create-user", "Make a user", answers(http.StatusCreated)), s.createUser)
	handle(s, s.route("GET /api/v1/users/{id}", "show-user", "Show a user"), s.user)
	handle(s, s.route("DELETE /api/v1/users/{id}", "erase-user", "Erase a person",
		about("Login, name, address, password, roles and tokens go; the log keeps the pseudonym."), answers(http.StatusNoContent)), s.eraseUser)
	handle(s, s.route("PUT /api/v1/users/{id}/role", "grant-role", "Set a user's role on an application, or on every one",
		answers(http.StatusNoContent)), s.grant)
	handle(s, s.route("POST /api/v1/users/{id}/disable", "disable-user", "Keep a user out", answers(http.StatusNoContent)), s.disableUser)
	handle(s, s.route("POST /api/v1/users/{id}/enable", "enable-user", "Let a user in again", answers(http.StatusNoContent)), s.enableUser)
	handle(s, s.route("PUT /api/v1/users/{id}/password", "reset-password", "Set a user's password", answers(http.StatusNoContent)), s.resetPassword)
	handle(s, s.route("POST /api/v1/invites", "create-invite", "Make a one-time link for a new user", answers(http.StatusCreated)), s.invite)
	handle(s, s.route("POST /api/v1/invites/redeem", "redeem-invite", "Use a one-time link", answers(http.StatusCreated)), s.redeem)
}

// user is a principal.
type user struct {
	ID       string                `json:"id" doc:"Pseudonym: what the log knows"`
	Login    string                `json:"login,omitempty"`
	Name     string                `json:"name,omitempty"`
	Email    string                `json:"email,omitempty"`
	Role     sinew.Role            `json:"role,omitempty" enum:",viewer,developer,admin" doc:"On every application, given by hand"`
	Grants   map[string]sinew.Role `json:"grants,omitempty" doc:"By name of the application, given by hand"`
	Issuer   string                `json:"issuer,omitempty" doc:"Of the provider that signs in; there is no password then"`
	ByGroups *groupRoles           `json:"by_groups,omitempty" doc:"What the groups at the provider give, found anew at every sign-in"`
	Created  time.Time             `json:"created,omitzero"`
	Disabled time.Time             `json:"disabled,omitzero"`
}

// groupRoles are roles that somebody's groups give.
type groupRoles struct {
	Role   sinew.Role            `json:"role,omitempty" enum:",viewer,developer,admin" doc:"On every application"`
	Grants map[string]sinew.Role `json:"grants,omitempty" doc:"By name of the application"`
}

// names maps units to their names, for the sender. A unit without one keeps its
// public id.
func (s *Server) names(ctx context.Context) (func(int64) string, error) {
	return s.namesFor(ctx, reader(ctx))
}

func (s *Server) namesFor(ctx context.Context, r sinew.Reader) (func(int64) string, error) {
	known, err := s.db.UnitNames(ctx, r)
	if err != nil {
		return nil, err
	}
	ws, err := s.db.WorkspaceByID(ctx, r.Workspace)
	return func(unit int64) string {
		if name, ok := known[unit]; ok {
			return name
		}
		return sinew.PublicID(ws.UUID, sinew.IDUnit, unit)
	}, err
}

func newUser(p store.Principal, name func(int64) string) user {
	u := user{
		ID: p.Pseudonym, Login: p.Login, Name: p.Name, Email: p.Email, Role: p.All, Created: p.Created, Disabled: p.Disabled,
		Grants: make(map[string]sinew.Role, len(p.Grants)),
	}
	for unit, role := range p.Grants {
		u.Grants[name(unit)] = role
	}
	if u.Issuer = p.Issuer; p.GroupAll != sinew.RoleNone || len(p.GroupGrants) > 0 {
		u.ByGroups = &groupRoles{Role: p.GroupAll, Grants: map[string]sinew.Role{}}
		for unit, role := range p.GroupGrants {
			u.ByGroups.Grants[name(unit)] = role
		}
	}
	return u
}

func (s *Server) asUser(ctx context.Context, p store.Principal) (*body[user], error) {
	name, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	return &body[user]{newUser(p, name)}, nil
}

// me answers for whoever is signed in; the product itself inside the process
// has no row.
func (s *Server) me(ctx context.Context, _ *struct{}) (*body[user], error) {
	r := reader(ctx)
	p, err := s.db.Principal(ctx, r, r.Principal)
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		p, err = store.Principal{Pseudonym: r.Principal}, nil
	}
	if err != nil {
		return nil, err
	}
	p.All, p.Grants = r.All, r.Units // by hand and by groups, and what a token leaves of it
	p.GroupAll, p.GroupGrants = sinew.RoleNone, nil
	return s.asUser(ctx, p)
}

func (s *Server) users(ctx context.Context, in *Paging) (*body[list[user]], error) {
	all, err := s.db.Principals(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	name, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	part, next, err := slice(all, in, func(p store.Principal) string { return p.Pseudonym })
	out := make([]user, len(part))
	for i, p := range part {
		out[i] = newUser(p, name)
	}
	return page(ctx, out, next), err
}

func (s *Server) user(ctx context.Context, in *idInput) (*body[user], error) {
	p, err := s.db.Principal(ctx, reader(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return s.asUser(ctx, p)
}

// Credentials are a user to be made.
type Credentials struct {
	Login    string `json:"login" minLength:"1" maxLength:"200"`
	Password string `json:"password,omitempty" maxLength:"1024" doc:"12 characters at least; empty for one that acts by tokens only"`
	Name     string `json:"name,omitempty" maxLength:"200"`
	Email    string `json:"email,omitempty" maxLength:"320"`
}

func (c Credentials) user(role sinew.Role) auth.NewUser {
	return auth.NewUser{Login: c.Login, Password: c.Password, Name: c.Name, Email: c.Email, All: role}
}

type createUserInput struct {
	Body struct {
		Credentials
		Role sinew.Role `json:"role,omitempty" enum:",viewer,developer,admin" doc:"On every application"`
	}
}

func (s *Server) createUser(ctx context.Context, in *createUserInput) (*body[user], error) {
	p, err := s.auth.CreateUser(ctx, reader(ctx), in.Body.user(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return s.asUser(ctx, p)
}

type grantInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Application string     `json:"application,omitempty" doc:"Name; empty for every one"`
		Role        sinew.Role `json:"role" enum:",viewer,developer,admin" doc:"Empty to take it away"`
	}
}

func (s *Server) grant(ctx context.Context, in *grantInput) (*struct{}, error) {
	r := reader(ctx)
	if in.Body.Application == "" {
		return nil, s.db.SetRole(ctx, r, in.ID, in.Body.Role)
	}
	unit, err := s.db.UnitByName(ctx, r, in.Body.Application)
	if err != nil {
		return nil, err
	}
	return nil, s.db.SetGrant(ctx, r, in.ID, unit, in.Body.Role)
}

func (s *Server) disableUser(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, s.db.DisablePrincipal(ctx, reader(ctx), in.ID)
}

func (s *Server) enableUser(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, s.db.EnablePrincipal(ctx, reader(ctx), in.ID)
}

func (s *Server) eraseUser(ctx context.Context, in *idInput) (*struct{}, error) {
	return nil, s.db.ErasePrincipal(ctx, reader(ctx), in.ID)
}

type passwordInput struct {
	Body struct {
		Old string `json:"old" maxLength:"1024"`
		New string `json:"new" maxLength:"1024"`
	}
}

func (s *Server) changePassword(ctx context.Context, in *passwordInput) (*struct{}, error) {
	return nil, s.auth.ChangePassword(ctx, identity(ctx), callOf(ctx).from, in.Body.Old, in.Body.New)
}

type resetInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body struct {
		Password string `json:"password" maxLength:"1024"`
	}
}

func (s *Server) resetPassword(ctx context.Context, in *resetInput) (*struct{}, error) {
	return nil, s.auth.ResetPassword(ctx, reader(ctx), in.ID, in.Body.Password)
}

type inviteInput struct {
	Body struct {
		Role sinew.Role `json:"role" enum:"viewer,developer,admin" doc:"On every application"`
	}
}

// invitation is a one-time link.
type invitation struct {
	Secret  string     `json:"secret" doc:"What makes the link; shown once"`
	Role    sinew.Role `json:"role"`
	Expires time.Time  `json:"expires"`
}

func (s *Server) invite(ctx context.Context, in *inviteInput) (*body[invitation], error) {
	secret, expires, err := s.auth.Invite(ctx, reader(ctx), in.Body.Role)
	return &body[invitation]{invitation{Secret: secret, Role: in.Body.Role, Expires: expires}}, err
}

type redeemInput struct {
	Body struct {
		Credentials
		Secret string `json:"secret" maxLength:"200"`
	}
}

func (s *Server) redeem(ctx context.Context, in *redeemInput) (*body[user], error) {
	p, _, err := s.auth.Redeem(ctx, callOf(ctx).from, in.Body.Secret, in.Body.user(""))
	if err != nil {
		return nil, err
	}
	return &body[user]{newUser(p, func(int64) string { return "" })}, nil
}

type signInInput struct {
	Body struct {
		Login     string `json:"login" maxLength:"1024"`
		Password  string `json:"password" maxLength:"4096"`
		Workspace string `json:"workspace,omitempty" maxLength:"200"`
	}
}

func (s *Server) signIn(ctx context.Context, in *signInInput) (*body[token], error) {
	ws := s.workspace
	if name := in.Body.Workspace; name != "" && name != ws.Name {
		var err error
		if ws, err = s.db.Workspace(ctx, name); err != nil {
			ws = sinew.Workspace{} // nobody is in it; the answer tells no more
		}
	}
	r, err := s.auth.SignIn(ctx, ws.ID, callOf(ctx).from, in.Body.Login, in.Body.Password)
	if err != nil {
		return nil, err
	}
	secret, t, err := s.auth.SignInToken(ctx, r)
	if err != nil {
		return nil, err
	}
	return &body[token]{newToken(t, secret, nil)}, nil
}
