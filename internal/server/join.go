package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
)

// A one-time link is a form that sets login and password, and signs in. It needs
// no script, and none of the pages.

func (s *Server) registerJoin() {
	hidden := func(op *huma.Operation) { op.Hidden = true }
	handle(s, s.route("GET /join/{invite}", "join-form", "The form of a one-time link", hidden), s.joinForm)
	handle(s, s.route("POST /join/{invite}", "join", "Use a one-time link by its form", hidden), s.join)
}

type joinInput struct {
	Invite string `path:"invite" maxLength:"200"`
}

// joinStyle is the page's only style; its policy names it by its digest.
const joinStyle = `body{font:16px/1.5 sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}label,input{display:block}input{font:inherit;width:100%;box-sizing:border-box;margin:0 0 1rem;padding:.4rem}.bad{color:#a00}pre{overflow:auto;background:#f4f4f4;padding:.6rem}`

var joinPage = template.Must(template.New("join").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sinew</title><meta name="viewport" content="width=device-width">
<style>` + joinStyle + `</style></head><body>
<h1>sinew</h1>
{{if .Done}}<p>You are <b>{{.Login}}</b> now. This link is used up.</p><p>Make a token for the command line:</p><pre>sinew token signin --server {{.Base}} {{.Login}}</pre>
{{else}}{{if .Problem}}<p class="bad">{{.Problem}}</p>{{end}}<p>This link makes one user. Choose how to sign in.</p>
<form method="post"><label>Login<input name="login" value="{{.Login}}" autocomplete="username" required></label>
<label>Password, 12 characters at least<input name="password" type="password" autocomplete="new-password" minlength="12" required></label>
<button>Join</button></form>{{end}}
</body></html>
`))

type joinState struct {
	Done                 bool
	Login, Problem, Base string
}

func (s *Server) joinForm(context.Context, *joinInput) (*huma.StreamResponse, error) {
	return &huma.StreamResponse{Body: func(ctx huma.Context) { showJoin(ctx, http.StatusOK, joinState{}) }}, nil
}

func (s *Server) join(ctx context.Context, in *joinInput) (*huma.StreamResponse, error) {
	c := callOf(ctx)
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, 16<<10)
	if err := c.r.ParseForm(); err != nil {
		return nil, sinew.Errorf(sinew.CodeInvalid, "the form cannot be read: %w", err)
	}
	state := joinState{Login: strings.TrimSpace(c.r.PostForm.Get("login")), Base: s.base(c.r)}
	code := http.StatusOK
	p, workspace, err := s.auth.Redeem(ctx, c.from, in.Invite, auth.NewUser{Login: state.Login, Password: c.r.PostForm.Get("password")})
	state.Done = err == nil
	if err == nil && workspace == s.workspace.ID { // the pages are those of one workspace
		switch _, notIn := s.signInBrowser(ctx, p.Reader(workspace), ""); {
		case notIn != nil: // he can sign in himself
			c.log.ErrorContext(ctx, "a new user is not signed in", "error", notIn)
		case s.pages != nil:
			return goTo(http.StatusSeeOther, "/"), nil
		}
	}
	if err != nil {
		told := problem(ctx, err)
		report(ctx, told, err)
		code, state.Problem = told.Status, told.Detail
		if told.Next != "" {
			state.Problem += ": " + told.Next
		}
	}
	return &huma.StreamResponse{Body: func(ctx huma.Context) { showJoin(ctx, code, state) }}, nil
}

func showJoin(ctx huma.Context, code int, state joinState) {
	var page bytes.Buffer
	if err := joinPage.Execute(&page, state); err != nil {
		callOf(ctx.Context()).log.ErrorContext(ctx.Context(), "show the form of a link", "error", err)
		code = http.StatusInternalServerError
	}
	ctx.SetHeader("Content-Type", "text/html; charset=utf-8")
	pageHeaders(callOf(ctx.Context()).w.Header())
	digest := sha256.Sum256([]byte(joinStyle))
	ctx.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+"'; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	ctx.SetStatus(code)
	_, _ = ctx.BodyWriter().Write(page.Bytes()) // the sender is gone if it fails
}
