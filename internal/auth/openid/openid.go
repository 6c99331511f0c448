// Package openid is the relying party of OpenID Connect: discovery, the code
// flow with PKCE, state and nonce, and what the provider says of a person. It
// refuses to know who that person is to us, to keep anything but what a provider
// says of itself, and to speak to any host that a configured issuer does not
// name.
package openid

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Why a sign-in failed. Pages and the log know these words; docs/api.md says
// what to do about each.
const (
	FailProvider = "provider_down"    // it does not answer, or not as it should
	FailClient   = "client"           // it knows neither our id nor our secret, or does not allow this flow
	FailRefused  = "refused"          // it, or the person, said no
	FailState    = "state"            // the answer belongs to no sign-in that this browser began lately
	FailIssuer   = "issuer"           // the answer comes from another provider
	FailCode     = "code"             // the code was used already, or is too old
	FailToken    = "token"            // what it signed does not hold: signature, audience, nonce or time
	FailClaims   = "claims"           // what it says of the person cannot be used
	FailUnknown  = "unknown_provider" // no such provider, or none that is enabled
)

// Error is a sign-in that failed.
type Error struct {
	Code string // one of the words above
	Err  error  // for logs
}

func (e *Error) Error() string { return e.Code + ": " + cut(e.Err.Error()) } // a provider may say a lot

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func fail(code, format string, args ...any) error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// Bounds of what is asked of a provider.
const (
	callTime   = 10 * time.Second // of one request
	maxAnswer  = 1 << 20          // bytes of one answer
	keepFor    = time.Hour        // what a provider says of itself
	keepFault  = 10 * time.Second // that it does not answer
	skew       = time.Minute      // that its clock may be before or behind ours
	maxKept    = 1000             // providers
	maxSubject = 255              // bytes, OpenID Connect Core 2
)

// Settings are how we are registered with a provider.
type Settings struct {
	Issuer, ClientID, Secret string
	Scopes                   []string // beside openid
	Callback                 string   // where the provider sends the browser back to
}

// Flow is what a browser keeps, sealed, while it is at the provider.
type Flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // PKCE, RFC 7636
}

// Client speaks to providers. It is safe for concurrent use.
type Client struct {
	now  func() time.Time
	base http.RoundTripper

	mu   sync.Mutex
	kept map[string]*known
}

// known is what is kept of an issuer.
type known struct {
	mu    sync.Mutex // held while it is asked, so that many ask once
	found *found
	fault error
	at    time.Time
}

// New makes a client.
func New(now func() time.Time) *Client {
	base := http.DefaultTransport
	if t, ok := base.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost, t.TLSHandshakeTimeout, t.ResponseHeaderTimeout = 2, 5*time.Second, callTime
		base = t
	}
	return &Client{now: now, base: base, kept: map[string]*known{}}
}

// metadata is what a provider says of itself (OpenID Connect Discovery 3, RFC
// 8414, RFC 9207).
type metadata struct {
	Issuer    string   `json:"issuer"`
	Auth      string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Keys      string   `json:"jwks_uri"`
	UserInfo  string   `json:"userinfo_endpoint"`
	Logout    string   `json:"end_session_endpoint"`
	Responses []string `json:"response_types_supported"`
	PKCE      []string `json:"code_challenge_methods_supported"`
	TokenAuth []string `json:"token_endpoint_auth_methods_supported"`
	Scopes    []string `json:"scopes_supported"`
	Claims    []string `json:"claims_supported"`
	NamesIss  bool     `json:"authorization_response_iss_parameter_supported"`
}

// found is a provider that answered.
type found struct {
	metadata
	provider   *oidc.Provider
	keys       oidc.KeySet
	algorithms []string     // that it may sign with
	http       *http.Client // to the hosts that it names
}

// discover gives what a provider says of itself, asked at most once an hour.
func (c *Client) discover(ctx context.Context, issuer string) (*found, error) {
	c.mu.Lock()
	if len(c.kept) >= maxKept {
		clear(c.kept)
	}
	k, ok := c.kept[issuer]
	if !ok {
		k = &known{}
		c.kept[issuer] = k
	}
	c.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	switch age := c.now().Sub(k.at); {
	case k.found != nil && age < keepFor:
		return k.found, nil
	case k.fault != nil && age < keepFault:
		return nil, k.fault
	}
	f, err := c.ask(context.WithoutCancel(ctx), issuer) // others wait for it too
	if err != nil && k.found != nil && codeOf(err) == FailProvider {
		return k.found, nil // what it said an hour ago is better than nothing
	}
	k.found, k.fault, k.at = f, err, c.now()
	return f, err
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// ask fetches what a provider says of itself, and refuses what is not safe to
// follow.
func (c *Client) ask(ctx context.Context, issuer string) (*found, error) {
	home, err := url.Parse(issuer)
	if err != nil {
		return nil, fail(FailProvider, "the issuer is no address: %w", err)
	}
	var m metadata
	asked, err := oidc.NewProvider(oidc.ClientContext(ctx, c.to(home.Host)), issuer)
	if err != nil {
		if mismatch, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
			return nil, fail(FailIssuer, "it calls itself %q: the issuer must be written exactly so", mismatch.Discovered)
		}
		return nil, fail(FailProvider, "ask %s for its settings: %w", issuer, err)
	}
	if err := asked.Claims(&m); err != nil {
		return nil, fail(FailProvider, "read the settings of %s: %w", issuer, err)
	}
	hosts := []string{home.Host}
	for _, e := range []struct {
		name, address string
		must          bool
	}{{"authorization_endpoint", m.Auth, true}, {"token_endpoint", m.Token, true}, {"jwks_uri", m.Keys, true}, {"userinfo_endpoint", m.UserInfo, false}, {"end_session_endpoint", m.Logout, false}} {
		if e.address == "" && !e.must {
			continue
		}
		u, err := url.Parse(e.address)
		if err != nil || u.Host == "" || u.User != nil {
			return nil, fail(FailProvider, "its %s is no address: %.100q", e.name, e.address)
		}
		// A provider on this machine may do without TLS, for itself only.
		if u.Scheme != "https" && (u.Scheme != home.Scheme || u.Host != home.Host) {
			return nil, fail(FailProvider, "its %s is not asked by https: %.200s", e.name, e.address)
		}
		hosts = append(hosts, u.Host)
	}
	f := &found{metadata: m, http: c.to(hosts...)}
	var algorithms struct {
		ID []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := asked.Claims(&algorithms); err != nil {
		return nil, fail(FailProvider, "read the settings of %s: %w", issuer, err)
	}
	f.algorithms = asymmetric(algorithms.ID)
	f.keys = oidc.NewRemoteKeySet(oidc.ClientContext(ctx, f.http), m.Keys)
	f.provider = (&oidc.ProviderConfig{
		IssuerURL: m.Issuer, AuthURL: m.Auth, TokenURL: m.Token, UserInfoURL: m.UserInfo, JWKSURL: m.Keys,
		Algorithms: f.algorithms,
	}).NewProvider(oidc.ClientContext(ctx, f.http))
	return f, nil
}

// asymmetric leaves the algorithms whose keys are public: a secret shared with
// us, or none at all, signs nothing.
func asymmetric(algorithms []string) []string {
	safe := []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}
	out := slices.DeleteFunc(slices.Clone(algorithms), func(a string) bool { return !slices.Contains(safe, a) })
	if len(out) == 0 {
		return []string{oidc.RS256} // the one that every provider has
	}
	return out
}

// config is for package oauth2.
func (f *found) config(s Settings) *oauth2.Config {
	// Asking which way it likes would use the code up at the wrong guess.
	style := oauth2.AuthStyleInHeader
	if s.Secret == "" || (len(f.TokenAuth) > 0 && !slices.Contains(f.TokenAuth, "client_secret_basic")) {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: s.ClientID, ClientSecret: s.Secret, RedirectURL: s.Callback,
		Endpoint: oauth2.Endpoint{AuthURL: f.Auth, TokenURL: f.Token, AuthStyle: style},
		Scopes:   scopes(s.Scopes),
	}
}

func scopes(more []string) []string {
	out := []string{oidc.ScopeOpenID}
	for _, s := range more {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Begin gives the address to send a browser to, and what it has to bring back.
func (c *Client) Begin(ctx context.Context, s Settings) (location string, flow Flow, err error) {
	f, err := c.discover(ctx, s.Issuer)
	if err != nil {
		return "", Flow{}, err
	}
	flow = Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return f.config(s).AuthCodeURL(flow.State, oidc.Nonce(flow.Nonce), oauth2.S256ChallengeOption(flow.Verifier)), flow, nil
}

// Finish takes the answer that a browser brings back, exchanges its code, and
// gives what the provider says of the person.
func (c *Client) Finish(ctx context.Context, s Settings, flow Flow, answer url.Values) (*Claims, error) {
	if flow.State == "" || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(flow.State)) != 1 {
		return nil, fail(FailState, "the state is not the one that was sent")
	}
	f, err := c.discover(ctx, s.Issuer)
	if err != nil {
		return nil, err
	}
	// RFC 9207: an answer of another provider must not end up here.
	if iss := answer.Get("iss"); (iss != "" || f.NamesIss) && iss != s.Issuer {
		return nil, fail(FailIssuer, "the answer is from %.200q instead of %q", iss, s.Issuer)
	}
	if code := answer.Get("error"); code != "" {
		if slices.Contains([]string{"server_error", "temporarily_unavailable"}, code) {
			return nil, fail(FailProvider, "it says %.100q: %.300q", code, answer.Get("error_description"))
		}
		if slices.Contains([]string{"unauthorized_client", "unsupported_response_type", "invalid_scope", "invalid_request"}, code) {
			return nil, fail(FailClient, "it says %.100q: %.300q", code, answer.Get("error_description"))
		}
		return nil, fail(FailRefused, "it says %.100q: %.300q", code, answer.Get("error_description"))
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, f.http), 3*callTime)
	defer cancel()
	token, err := f.config(s).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(flow.Verifier))
	if err != nil {
		return nil, exchangeFailed(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, fail(FailToken, "there is no ID token in the answer")
	}
	id, err := c.verify(ctx, f, s, flow, raw, token.AccessToken)
	if err != nil {
		return nil, err
	}
	claims := &Claims{Subject: id.Subject, all: map[string]any{}}
	if err := id.Claims(&claims.all); err != nil {
		return nil, fail(FailClaims, "read the ID token: %w", err)
	}
	if len(id.Subject) > maxSubject || strings.ContainsRune(id.Subject, 0) || id.Subject == "" {
		return nil, fail(FailClaims, "the subject is empty, or longer than %d bytes", maxSubject)
	}
	claims.more = func(ctx context.Context) (map[string]any, error) { return f.userInfo(ctx, id.Subject, token) }
	return claims, nil
}

// exchangeFailed says whose fault it is that there is no token for the code.
func exchangeFailed(err error) error {
	if said, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		switch {
		case said.ErrorCode == "invalid_grant":
			return fail(FailCode, "exchange the code: %w", err)
		case slices.Contains([]string{"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type", "invalid_scope"}, said.ErrorCode),
			said.Response != nil && said.Response.StatusCode == http.StatusUnauthorized:
			return fail(FailClient, "exchange the code: %w", err)
		}
	}
	return fail(FailProvider, "exchange the code: %w", err)
}

// verify checks an ID token (OpenID Connect Core 3.1.3.7).
func (c *Client) verify(ctx context.Context, f *found, s Settings, flow Flow, raw, access string) (*oidc.IDToken, error) {
	keys := &keySet{KeySet: f.keys}
	id, err := oidc.NewVerifier(f.Issuer, keys, &oidc.Config{
		ClientID: s.ClientID, SupportedSigningAlgs: f.algorithms, Now: func() time.Time { return c.now().Add(-skew) },
	}).Verify(ctx, raw)
	if keys.fault != nil {
		return nil, fail(FailProvider, "fetch its keys: %w", keys.fault)
	}
	if err != nil {
		return nil, fail(FailToken, "check the ID token: %w", err)
	}
	var more struct {
		Party string `json:"azp"`
	}
	if err := id.Claims(&more); err != nil {
		return nil, fail(FailToken, "read the ID token: %w", err)
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(flow.Nonce)) != 1:
		return nil, fail(FailToken, "the ID token was made for another sign-in")
	case id.IssuedAt.After(c.now().Add(5 * skew)):
		return nil, fail(FailToken, "the ID token is of %s, which is to come: compare the clocks", id.IssuedAt.UTC().Format(time.RFC3339))
	case len(id.Audience) > 1 && more.Party == "", more.Party != "" && more.Party != s.ClientID:
		return nil, fail(FailToken, "the ID token was made for %.100q", more.Party)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(access); err != nil {
			return nil, fail(FailToken, "the two tokens do not belong together: %w", err)
		}
	}
	return id, nil
}

// userInfo asks the provider for what its token does not say.
func (f *found) userInfo(ctx context.Context, subject string, token *oauth2.Token) (map[string]any, error) {
	if f.UserInfo == "" {
		return nil, nil
	}
	info, err := f.provider.UserInfo(oidc.ClientContext(ctx, f.http), oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, fail(FailProvider, "ask for more about the person: %w", err)
	}
	if info.Subject != subject {
		return nil, fail(FailToken, "it tells of somebody else than it signed in")
	}
	out := map[string]any{}
	if err := info.Claims(&out); err != nil {
		return nil, fail(FailClaims, "read what it says of the person: %w", err)
	}
	return out, nil
}

// Logout gives the address at which a browser ends its session with the
// provider too (OpenID Connect RP-Initiated Logout 1.0), or "" where that is not
// offered. after is where it comes back to.
func (c *Client) Logout(ctx context.Context, s Settings, after string) (string, error) {
	f, err := c.discover(ctx, s.Issuer)
	if err != nil || f.Logout == "" {
		return "", err
	}
	u, err := url.Parse(f.Logout)
	if err != nil {
		return "", fail(FailProvider, "its end_session_endpoint is no address: %w", err)
	}
	q := u.Query()
	q.Set("client_id", s.ClientID)
	q.Set("post_logout_redirect_uri", after)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
