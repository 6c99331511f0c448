package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/auth/openid"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// FlowLife is how long somebody may take at a provider.
const FlowLife = 10 * time.Minute

// flow is what a browser keeps, sealed, while it is at a provider.
type flow struct {
	openid.Flow
	Return string `json:"return"`
	Until  int64  `json:"until"` // seconds
}

// BeginFederated begins a sign-in by a provider: where to send the browser, and
// what it has to keep. It comes back to callback, and goes on to back, a path of
// ours. Errors that a page can explain are of type [openid.Error].
func (a *Auth) BeginFederated(ctx context.Context, ws sinew.Workspace, provider, callback, back string) (location, kept string, err error) {
	_, settings, err := a.settings(ctx, ws, provider, callback)
	if err != nil {
		return "", "", err
	}
	location, begun, err := a.openid.Begin(ctx, settings)
	if err != nil {
		return "", "", fmt.Errorf("sign in by %s: %w", provider, err)
	}
	text, err := json.Marshal(flow{Flow: begun, Return: LocalPath(back), Until: a.now().Add(FlowLife).Unix()})
	if err != nil {
		return "", "", fmt.Errorf("keep a sign-in: %w", err)
	}
	sealed, err := a.seal(ws.UUID, "sign-in", provider, text)
	return location, base64.RawURLEncoding.EncodeToString(sealed), err
}

// FinishFederated ends a sign-in by a provider: who it is, and where to go on.
// Whoever does not get in is noted in the log.
func (a *Auth) FinishFederated(ctx context.Context, ws sinew.Workspace, provider, callback, kept string, answer url.Values, from netip.Addr) (r sinew.Reader, back string, err error) {
	if wait := a.callbacks.take(network(from)); wait > 0 {
		return r, "", tooOften(wait)
	}
	r, known, back, err := a.finish(ctx, ws, provider, callback, kept, answer)
	if err == nil {
		return r, back, nil
	}
	if e, ok := errors.AsType[*openid.Error](err); ok {
		a.refused(ctx, ws.ID, known, provider, e.Code)
	}
	return sinew.Reader{}, "", fmt.Errorf("sign in by %s: %w", provider, err)
}

func (a *Auth) finish(ctx context.Context, ws sinew.Workspace, provider, callback, kept string, answer url.Values) (r sinew.Reader, known, back string, err error) {
	p, settings, err := a.settings(ctx, ws, provider, callback)
	if err != nil {
		return r, "", "", err
	}
	f, err := a.flow(ws, provider, kept)
	if err != nil {
		return r, "", "", err
	}
	claims, err := a.openid.Finish(ctx, settings, f.Flow, answer)
	if err != nil {
		return r, "", "", err
	}
	person, err := claims.Person(ctx, p.LoginClaim, p.GroupsClaim)
	if err != nil {
		return r, "", "", err
	}
	if !person.HasGroups && len(p.Mappings) > 0 {
		a.log.WarnContext(ctx, "the provider said nothing of groups", "provider", provider, "claim", p.GroupsClaim)
	}
	in, err := a.db.SignInFederated(ctx, ws.ID, store.Federated{
		Provider: provider, Subject: claims.Subject, Login: person.Login, Name: person.Name, Email: person.Email, Groups: person.Groups,
	})
	if err != nil {
		return r, "", "", err
	}
	if in.Reason != "" {
		return r, in.Known, "", &openid.Error{Code: in.Reason, Err: errors.New("the provider knows who it is")}
	}
	return in.Reader, in.Known, f.Return, nil
}

// flow opens what a browser kept.
func (a *Auth) flow(ws sinew.Workspace, provider, kept string) (f flow, err error) {
	bad := func(err error) (flow, error) { return flow{}, &openid.Error{Code: openid.FailState, Err: err} }
	sealed, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil || kept == "" {
		return bad(errors.New("this browser did not begin a sign-in"))
	}
	text, err := a.open(ws.UUID, "sign-in", provider, sealed)
	if err != nil {
		return bad(err)
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return bad(err)
	}
	if a.now().Unix() > f.Until {
		return bad(fmt.Errorf("the sign-in took longer than %s", FlowLife))
	}
	return f, nil
}

// settings finds a provider that people may sign in by.
func (a *Auth) settings(ctx context.Context, ws sinew.Workspace, provider, callback string) (store.Provider, openid.Settings, error) {
	p, err := a.db.SignInProvider(ctx, ws.ID, provider)
	if sinew.CodeOf(err) == sinew.CodeNotFound {
		return p, openid.Settings{}, &openid.Error{Code: openid.FailUnknown, Err: err}
	}
	if err != nil {
		return p, openid.Settings{}, err
	}
	settings, err := a.unsealed(ws.UUID, p, callback)
	if err != nil {
		return p, settings, &openid.Error{Code: openid.FailClient, Err: err}
	}
	return p, settings, nil
}

// unsealed is a provider with its client secret.
func (a *Auth) unsealed(uuid string, p store.Provider, callback string) (openid.Settings, error) {
	s := openid.Settings{Issuer: p.Issuer, ClientID: p.ClientID, Scopes: p.Scopes, Callback: callback}
	if len(p.Secret) == 0 {
		return s, nil
	}
	secret, err := a.open(uuid, "client secret", p.ID, p.Secret)
	if err != nil {
		return s, sinew.Errorf(sinew.CodeConflict, "the client secret of %s cannot be read: %w", p.ID, err).
			Hint("the master key is another one than when it was set; set the client secret again")
	}
	s.Secret = string(secret)
	return s, nil
}

// FederatedLogout gives the address at which a browser signs out of its provider
// too, or after, a page of ours, where that is not to be had.
func (a *Auth) FederatedLogout(ctx context.Context, ws sinew.Workspace, provider, after string) string {
	p, settings, err := a.settings(ctx, ws, provider, "")
	if err != nil {
		return after
	}
	location, err := a.openid.Logout(ctx, settings, after)
	if err != nil {
		a.log.WarnContext(ctx, "no sign-out at the provider", "provider", p.ID, "error", err)
	}
	if location == "" {
		return after
	}
	return location
}

// maxClientSecret bounds what is sealed.
const maxClientSecret = 4096

// SaveProvider makes or changes a provider on behalf of an administrator. A nil
// secret keeps the one that there is; the empty one takes it away.
func (a *Auth) SaveProvider(ctx context.Context, r sinew.Reader, p store.Provider, secret *string, create bool) (store.Provider, error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return store.Provider{}, sinew.Errorf(sinew.CodeDenied, "only administrators may do this")
	}
	if secret != nil {
		if len(*secret) > maxClientSecret {
			return store.Provider{}, sinew.Errorf(sinew.CodeInvalid, "the client secret is longer than %d bytes", maxClientSecret).At("client_secret")
		}
		p.Secret = []byte{}
		if *secret != "" {
			ws, err := a.db.WorkspaceByID(ctx, r.Workspace)
			if err != nil {
				return store.Provider{}, err
			}
			if p.Secret, err = a.seal(ws.UUID, "client secret", p.ID, []byte(*secret)); err != nil {
				return store.Provider{}, err
			}
		}
	}
	save := a.db.UpdateProvider
	if create {
		save = a.db.CreateProvider
	}
	if err := save(ctx, r, p); err != nil {
		return store.Provider{}, err
	}
	return a.db.Provider(ctx, r, p.ID)
}

// CheckProvider asks a provider everything that can be asked without a person.
func (a *Auth) CheckProvider(ctx context.Context, r sinew.Reader, id, callback string) ([]openid.Check, error) {
	p, err := a.db.Provider(ctx, r, id)
	if err != nil {
		return nil, err
	}
	ws, err := a.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	settings, err := a.unsealed(ws.UUID, p, callback)
	if err != nil {
		return nil, err
	}
	return a.openid.Check(ctx, settings, p.GroupsClaim), nil
}

// refused notes a sign-in that failed in the log, for administrators. How many
// are noted is bounded, as anybody can fail to sign in; the server's own log has
// all of them.
func (a *Auth) refused(ctx context.Context, workspace int64, pseudonym, provider, reason string) {
	if workspace == 0 || a.refusals.take("") > 0 {
		return
	}
	if err := a.db.NoteRefused(ctx, workspace, pseudonym, provider, reason); err != nil {
		a.log.WarnContext(ctx, "a refused sign-in is not noted", "error", err)
	}
}

// LocalPath is back if that is a path of ours, and else "/": nobody is sent on
// to another site by a link to us.
func LocalPath(back string) string {
	u, err := url.Parse(back)
	if err != nil || len(back) > 2000 || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsFunc(back, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	return back
}
