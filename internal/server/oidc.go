package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/auth/openid"
	"github.com/sinewsec/sinew/internal/sinew"
)

// The way of a browser to a provider of OpenID Connect and back. Whatever goes
// wrong ends on the page /signin, with a code that it explains and the id of the
// request, under which the server's log has more.

func (s *Server) registerProvidersSignIn() {
	browser := func(op *huma.Operation) { op.Hidden = true }
	handle(s, s.route("GET /auth/{provider}/start", "begin-sign-in", "Go to a provider to sign in", browser), s.startFederated)
	handle(s, s.route("GET /auth/{provider}/callback", "finish-sign-in", "Come back from a provider", browser,
		func(op *huma.Operation) { op.SkipValidateParams = true }), // providers add parameters of their own
		s.finishFederated)
	handle(s, s.route("GET /auth/{provider}/logout", "provider-sign-out", "Sign out of a provider too", browser), s.logoutFederated)
}

const flowCookie = "sinew-signin"

// callback is where a provider sends browsers back to.
func (s *Server) callback(r *http.Request, provider string) string {
	return s.base(r) + "/auth/" + url.PathEscape(provider) + "/callback"
}

type startInput struct {
	Provider string `path:"provider" maxLength:"40"`
	Return   string `query:"return" maxLength:"2000"`
}

func (s *Server) startFederated(ctx context.Context, in *startInput) (*huma.StreamResponse, error) {
	c := callOf(ctx)
	location, kept, err := s.auth.BeginFederated(ctx, s.workspace, in.Provider, s.callback(c.r, in.Provider), in.Return)
	if err != nil {
		return s.notSignedIn(ctx, in.Provider, err), nil
	}
	s.setCookie(c, flowCookie, kept, auth.FlowLife)
	return goTo(http.StatusFound, location), nil
}

type providerInput struct {
	Provider string `path:"provider" maxLength:"40"`
}

func (s *Server) finishFederated(ctx context.Context, in *providerInput) (*huma.StreamResponse, error) {
	c := callOf(ctx)
	kept := ""
	if cookie, err := c.r.Cookie(s.cookieName(c.r, flowCookie)); err == nil {
		kept = cookie.Value
	}
	s.setCookie(c, flowCookie, "", 0) // good once
	r, back, err := s.auth.FinishFederated(ctx, s.workspace, in.Provider, s.callback(c.r, in.Provider), kept, c.r.URL.Query(), c.from)
	if err == nil {
		_, err = s.signInBrowser(ctx, r, in.Provider)
	}
	if err != nil {
		return s.notSignedIn(ctx, in.Provider, err), nil
	}
	return goTo(http.StatusFound, back), nil
}

func (s *Server) logoutFederated(ctx context.Context, in *providerInput) (*huma.StreamResponse, error) {
	return goTo(http.StatusFound, s.auth.FederatedLogout(ctx, s.workspace, in.Provider, s.base(callOf(ctx).r)+"/signin")), nil
}

// notSignedIn sends a browser to the page that says why.
func (s *Server) notSignedIn(ctx context.Context, provider string, err error) *huma.StreamResponse {
	code := "internal"
	waits, isWait := errors.AsType[auth.Wait](err)
	if e, ok := errors.AsType[*openid.Error](err); ok {
		code = e.Code
	} else if isWait || sinew.CodeOf(err) == sinew.CodeUnavailable {
		code = "busy"
	}
	c := callOf(ctx)
	c.log.WarnContext(ctx, "sign-in refused", "provider", provider, "code", code, "error", err, "wait", waits)
	return goTo(http.StatusFound, "/signin?"+url.Values{"error": {code}, "request": {c.id}}.Encode())
}

// goTo sends a browser on.
func goTo(status int, location string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Location", location)
		ctx.SetStatus(status)
	}}
}
