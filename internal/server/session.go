package server

import (
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Sessions are how browsers stay signed in: a cookie with a secret that changes
// every half hour, of which the database has the digest (decisions/009).

func (s *Server) registerSessions() {
	handle(s, s.route("GET /api/v1/session/providers", "list-sign-in-ways", "List the ways to sign in"), s.signInWays)
	handle(s, s.route("GET /api/v1/session", "show-session", "Show who is signed in, and what a page needs to know"), s.session)
	handle(s, s.route("POST /api/v1/session", "begin-session", "Sign in with login and password: a cookie for a browser",
		about("Attempts are limited for each login and each network: 429 says how long to wait.")), s.beginSession)
	handle(s, s.route("DELETE /api/v1/session", "end-session", "Sign out",
		about("The session ends and the cookie goes. A token goes on."), answers(http.StatusNoContent)), s.endSession)
	handle(s, s.route("GET /api/v1/sessions", "list-sessions", "List one's sessions; an administrator's list has everybody's"), s.sessions)
	handle(s, s.route("DELETE /api/v1/sessions/{id}", "end-a-session", "End a session", answers(http.StatusNoContent)), s.endOneSession)
}

// cookieName is the name of the cookie with the secret. Under TLS browsers hold
// it to what its prefix promises: this host only, all of it, TLS only.
func (s *Server) cookieName(r *http.Request, name string) string {
	if s.browserSecure(r) {
		return "__Host-" + name
	}
	return name
}

const sessionCookie = "sinew"

// setCookie sets a cookie that scripts cannot read and other sites cannot send
// but by a link; an empty value takes it away.
func (s *Server) setCookie(c *call, name, value string, life time.Duration) {
	cookie := &http.Cookie{ //nolint:gosec // Secure wherever the browser came by TLS
		Name: s.cookieName(c.r, name), Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: s.browserSecure(c.r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(c.w, cookie)
}

// signInBrowser begins a session and gives its cookie.
func (s *Server) signInBrowser(ctx context.Context, r sinew.Reader, provider string) (store.Session, error) {
	c := callOf(ctx)
	secret, session, err := s.auth.BeginSession(ctx, r, provider, c.from, c.r.UserAgent())
	if err != nil {
		return session, err
	}
	s.setCookie(c, sessionCookie, secret, session.Expires.Sub(session.Created))
	return session, nil
}

// signInWay is a provider's button.
type signInWay struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type signInWays struct {
	Items    []signInWay `json:"items" nullable:"false" doc:"Providers: the way in is /auth/{id}/start?return=PATH"`
	Password bool        `json:"password" doc:"Whether login and password may be used"`
}

func (s *Server) signInWays(ctx context.Context, _ *struct{}) (*body[signInWays], error) {
	list, err := s.db.SignInProviders(ctx, s.workspace.ID)
	if err != nil {
		return nil, err
	}
	out := signInWays{Items: []signInWay{}, Password: true}
	for _, p := range list {
		out.Items = append(out.Items, signInWay{ID: p.ID, Name: p.Name})
	}
	return &body[signInWays]{out}, nil
}

// sessionUser is who is signed in.
type sessionUser struct {
	ID    string `json:"id" doc:"Pseudonym: what the log knows"`
	Login string `json:"login,omitempty"`
	Name  string `json:"name,omitempty"`
}

// sessionInfo is what a page needs to know of who is signed in.
type sessionInfo struct {
	User      sessionUser           `json:"user"`
	Workspace string                `json:"workspace"`
	Role      sinew.Role            `json:"role" enum:",viewer,developer,admin" doc:"On every application; empty for none"`
	Grants    map[string]sinew.Role `json:"grants" nullable:"false" doc:"Roles on single applications, by name"`
	CSRF      string                `json:"csrf" doc:"What to send as X-Sinew-Csrf with everything that changes something; empty for who shows a token"`
	Expires   time.Time             `json:"expires,omitzero" doc:"When it ends at the latest"`
	Provider  string                `json:"provider" doc:"That signed in; empty for a password"`
	Logout    string                `json:"logout,omitempty" doc:"Where to send the browser after signing out, so that the provider signs out too"`
}

func (s *Server) session(ctx context.Context, _ *struct{}) (*body[sessionInfo], error) {
	id := identity(ctx)
	info, err := s.describe(ctx, id.Reader, id.Session)
	if err == nil && id.Token != nil {
		info.Expires = id.Token.Expires
	}
	return &body[sessionInfo]{info}, err
}

// describe tells of a reader, who has a session or not.
func (s *Server) describe(ctx context.Context, r sinew.Reader, session *store.Session) (info sessionInfo, err error) {
	p, err := s.db.Principal(ctx, r, r.Principal)
	if sinew.CodeOf(err) == sinew.CodeNotFound { // the product itself has no row
		p, err = store.Principal{Pseudonym: r.Principal}, nil
	}
	if err != nil {
		return info, err
	}
	ws, err := s.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return info, err
	}
	name, err := s.namesFor(ctx, r)
	if err != nil {
		return info, err
	}
	info = sessionInfo{
		User: sessionUser{ID: p.Pseudonym, Login: p.Login, Name: p.Name}, Workspace: ws.Name, Role: r.All,
		Grants: make(map[string]sinew.Role, len(r.Units)),
	}
	for unit, role := range r.Units {
		info.Grants[name(unit)] = role
	}
	if session == nil {
		return info, nil
	}
	info.Expires, info.Provider = session.Expires, session.Provider
	if session.Provider != "" {
		info.Logout = "/auth/" + session.Provider + "/logout"
	}
	info.CSRF, err = s.auth.CSRF(session)
	return info, err
}

type beginSessionInput struct {
	Body struct {
		Login    string `json:"login" maxLength:"1024"`
		Password string `json:"password" maxLength:"4096"`
	}
}

func (s *Server) beginSession(ctx context.Context, in *beginSessionInput) (*body[sessionInfo], error) {
	r, err := s.auth.SignIn(ctx, s.workspace.ID, callOf(ctx).from, in.Body.Login, in.Body.Password)
	if err != nil {
		return nil, err
	}
	session, err := s.signInBrowser(ctx, r, "")
	if err != nil {
		return nil, err
	}
	info, err := s.describe(ctx, r, &session)
	return &body[sessionInfo]{info}, err
}

func (s *Server) endSession(ctx context.Context, _ *struct{}) (*struct{}, error) {
	id := identity(ctx)
	if id.Session == nil {
		return nil, nil
	}
	s.setCookie(callOf(ctx), sessionCookie, "", 0)
	return nil, s.db.EndSession(ctx, id.Reader, id.Session.ID)
}

// sessionRow is a browser that somebody is signed in with.
type sessionRow struct {
	ID       string      `json:"id"`
	User     sessionUser `json:"user"`
	Created  time.Time   `json:"created"`
	Seen     time.Time   `json:"seen" doc:"To the minute"`
	Expires  time.Time   `json:"expires" doc:"At the latest; after 12 hours without use it ends too"`
	Address  string      `json:"address,omitempty" doc:"That it was begun from"`
	Agent    string      `json:"agent,omitempty" doc:"What the browser calls itself"`
	Provider string      `json:"provider,omitempty"`
	Current  bool        `json:"current" doc:"It is the one that asks"`
}

func (s *Server) sessions(ctx context.Context, in *Paging) (*body[list[sessionRow]], error) {
	all, err := s.db.Sessions(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	part, next, err := slice(all, in, func(x store.Session) string { return x.ID })
	if err != nil {
		return nil, err
	}
	who, err := s.sessionUsers(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]sessionRow, len(part))
	for i, x := range part {
		out[i] = sessionRow{
			ID: x.ID, User: who(x.Principal), Created: x.Created, Seen: x.Seen, Expires: x.Expires, Address: x.Address, Agent: x.Agent, Provider: x.Provider,
		}
		if current := identity(ctx).Session; current != nil {
			out[i].Current = current.ID == x.ID
		}
	}
	return page(ctx, out, next), nil
}

// sessionUsers names principals, as far as the sender may know them.
func (s *Server) sessionUsers(ctx context.Context) (func(pseudonym string) sessionUser, error) {
	r := reader(ctx)
	known := map[string]sessionUser{}
	add := func(p store.Principal) {
		known[p.Pseudonym] = sessionUser{ID: p.Pseudonym, Login: p.Login, Name: p.Name}
	}
	if r.All.Allows(sinew.RoleAdmin) {
		all, err := s.db.Principals(ctx, r)
		if err != nil {
			return nil, err
		}
		for _, p := range all {
			add(p)
		}
	} else if p, err := s.db.Principal(ctx, r, r.Principal); err == nil {
		add(p)
	} else if sinew.CodeOf(err) != sinew.CodeNotFound {
		return nil, err
	}
	return func(pseudonym string) sessionUser {
		if u, ok := known[pseudonym]; ok {
			return u
		}
		return sessionUser{ID: pseudonym}
	}, nil
}

func (s *Server) endOneSession(ctx context.Context, in *idInput) (*struct{}, error) {
	id := identity(ctx)
	if id.Session != nil && id.Session.ID == in.ID {
		s.setCookie(callOf(ctx), sessionCookie, "", 0)
	}
	return nil, s.db.EndSession(ctx, id.Reader, in.ID)
}

// bySession finds who shows a session's cookie, and renews its secret.
func (s *Server) bySession(ctx context.Context, secret string) (auth.Identity, error) {
	id, next, err := s.auth.BySession(ctx, secret)
	if next != "" {
		s.setCookie(callOf(ctx), sessionCookie, next, id.Session.Expires.Sub(s.now()))
	}
	return id, err
}
