package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// User is a principal as administrators see it.
type User struct {
	ID       string                `json:"id"` // pseudonym
	Login    string                `json:"login,omitempty"`
	Name     string                `json:"name,omitempty"`
	Email    string                `json:"email,omitempty"`
	Role     sinew.Role            `json:"role,omitempty"`   // on every application
	Grants   map[string]sinew.Role `json:"grants,omitempty"` // by application name
	Created  time.Time             `json:"created,omitzero"`
	Disabled time.Time             `json:"disabled,omitzero"`
}

// NewUser is a user to be made.
type NewUser struct {
	Login    string     `json:"login"`
	Password string     `json:"password"`
	Name     string     `json:"name,omitempty"`
	Email    string     `json:"email,omitempty"`
	Role     sinew.Role `json:"role,omitempty"`
}

// Me returns who the caller is.
func (c *Client) Me(ctx context.Context) (*User, error) {
	var u User
	return &u, c.call(ctx, http.MethodGet, "/api/v1/me", nil, nil, &u)
}

// Users lists the principals of the workspace.
func (c *Client) Users(ctx context.Context, fn func(User) error) error {
	return each(ctx, c, "/api/v1/users", List{}, fn)
}

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, u NewUser) (*User, error) {
	var out User
	return &out, c.call(ctx, http.MethodPost, "/api/v1/users", nil, u, &out)
}

// Grant sets a user's role: on one application, or on every one if application
// is empty. The empty role takes it away.
func (c *Client) Grant(ctx context.Context, user, application string, role sinew.Role) error {
	in := map[string]string{"application": application, "role": string(role)}
	return c.call(ctx, http.MethodPut, "/api/v1/users/"+url.PathEscape(user)+"/role", nil, in, nil)
}

// DisableUser ends a user's access; its history stays.
func (c *Client) DisableUser(ctx context.Context, user string) error {
	return c.call(ctx, http.MethodPost, "/api/v1/users/"+url.PathEscape(user)+"/disable", nil, nil, nil)
}

// EraseUser removes a user's personal attributes; the log keeps the pseudonym.
func (c *Client) EraseUser(ctx context.Context, user string) error {
	return c.call(ctx, http.MethodDelete, "/api/v1/users/"+url.PathEscape(user), nil, nil, nil)
}

// Invitation is a one-time link.
type Invitation struct {
	Secret  string     `json:"secret"`
	Role    sinew.Role `json:"role"`
	Expires time.Time  `json:"expires"`
}

// Invite makes a one-time invitation for a new user with this role on every
// application.
func (c *Client) Invite(ctx context.Context, role sinew.Role) (*Invitation, error) {
	var out Invitation
	return &out, c.call(ctx, http.MethodPost, "/api/v1/invites", nil, map[string]string{"role": string(role)}, &out)
}

// Redeem turns an invitation into a user.
func (c *Client) Redeem(ctx context.Context, secret string, u NewUser) (*User, error) {
	in := struct {
		Secret string `json:"secret"`
		NewUser
	}{secret, u}
	var out User
	return &out, c.call(ctx, http.MethodPost, "/api/v1/invites/redeem", nil, in, &out)
}

// Token is an API token; its secret is shown once, when it is made.
type Token struct {
	ID           string     `json:"id"`
	Name         string     `json:"name"`
	Secret       string     `json:"token,omitempty"`
	Role         sinew.Role `json:"role"`
	Applications []string   `json:"applications,omitempty"` // it is limited to
	Created      time.Time  `json:"created,omitzero"`
	Expires      time.Time  `json:"expires"`
	Used         time.Time  `json:"used,omitzero"`
	Revoked      time.Time  `json:"revoked,omitzero"`
}

// NewToken is a token to be made. It never allows more than its maker may do.
type NewToken struct {
	Name         string     `json:"name"`
	Role         sinew.Role `json:"role"`
	Applications []string   `json:"applications,omitempty"`
	Days         int        `json:"days,omitempty"`
}

// Tokens lists the caller's tokens; an administrator's list has everybody's.
func (c *Client) Tokens(ctx context.Context, fn func(Token) error) error {
	return each(ctx, c, "/api/v1/tokens", List{}, fn)
}

// CreateToken makes a token.
func (c *Client) CreateToken(ctx context.Context, t NewToken) (*Token, error) {
	var out Token
	return &out, c.call(ctx, http.MethodPost, "/api/v1/tokens", nil, t, &out)
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/api/v1/tokens/"+url.PathEscape(id), nil, nil, nil)
}

// SignIn exchanges login and password for a token, which it also returns to be
// used from now on.
func (c *Client) SignIn(ctx context.Context, login, password string) (*Token, error) {
	var out Token
	in := map[string]string{"login": login, "password": password}
	return &out, c.call(ctx, http.MethodPost, "/api/v1/signin", nil, in, &out)
}
