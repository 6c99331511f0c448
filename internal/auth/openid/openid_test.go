package openid

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// bad is a provider that does what none may do; package openidtest has a real
// one, which internal/auth and internal/server are tested with.
type bad struct {
	*testing.T
	*httptest.Server
	key      *rsa.PrivateKey
	metadata map[string]any
	token    map[string]any // claims of the ID token
	header   map[string]any // answer of the token endpoint
	sign     func(claims []byte) string
	routes   map[string]http.HandlerFunc
	asked    []string // paths, in order
}

// testKey signs for every bad provider: to make one takes a while.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil
	}
	return key
})

func newBad(t *testing.T) *bad {
	b := &bad{T: t, key: testKey(), routes: map[string]http.HandlerFunc{}, header: map[string]any{"token_type": "Bearer", "access_token": "access"}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked = append(b.asked, r.URL.Path)
		if h, ok := b.routes[r.URL.Path]; ok {
			h(w, r)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(b.Close)
	b.metadata = map[string]any{
		"issuer": b.URL, "authorization_endpoint": b.URL + "/auth", "token_endpoint": b.URL + "/token", "jwks_uri": b.URL + "/keys",
		"userinfo_endpoint": b.URL + "/me", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
	}
	now := time.Now().Unix()
	b.token = map[string]any{"iss": b.URL, "aud": "sinew", "sub": "ann", "exp": now + 60, "iat": now, "nonce": "NONCE", "groups": []string{"staff"}, "preferred_username": "ann"}
	b.sign = func(claims []byte) string { return b.signed(jose.RS256, b.key, claims) }
	reply := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v())
		}
	}
	b.routes["/.well-known/openid-configuration"] = reply(func() any { return b.metadata })
	b.routes["/keys"] = reply(func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: b.key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}}
	})
	b.routes["/token"] = reply(func() any {
		claims, _ := json.Marshal(b.token)
		out := maps.Clone(b.header)
		out["id_token"] = b.sign(claims)
		return out
	})
	b.routes["/me"] = reply(func() any { return map[string]any{"sub": "ann", "name": "Ann Person"} })
	return b
}

func (b *bad) signed(algorithm jose.SignatureAlgorithm, key any, claims []byte) string {
	b.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "1"))
	if err != nil {
		b.Fatal(err)
	}
	signed, err := s.Sign(claims)
	if err != nil {
		b.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// signIn signs in at the provider, as if the browser had been there.
func (b *bad) signIn() (Person, error) {
	c := New(time.Now)
	s := Settings{Issuer: b.URL, ClientID: "sinew", Secret: "secret", Callback: "http://127.0.0.1:9/cb"}
	_, flow, err := c.Begin(b.Context(), s)
	if err != nil {
		return Person{}, err
	}
	if b.token["nonce"] == "NONCE" {
		b.token["nonce"] = flow.Nonce
	}
	claims, err := c.Finish(b.Context(), s, flow, url.Values{"state": {flow.State}, "code": {"code"}})
	if err != nil {
		return Person{}, err
	}
	return claims.Person(b.Context(), "preferred_username", "groups")
}

// TestBadProviders: whatever a provider does, nobody gets in whom it did not
// sign for, and the reason is said (TRU1).
func TestBadProviders(t *testing.T) {
	someone, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host is asked") }))
	defer other.Close()
	long := func(w http.ResponseWriter, _ *http.Request) {
		for range 3 << 10 {
			_, _ = w.Write([]byte(strings.Repeat(" ", 1<<10)))
		}
	}
	away := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}
	for _, tc := range []struct {
		name, want string
		do         func(*bad)
	}{
		{"good", "", func(*bad) {}},
		{"on this host under another path", "", func(b *bad) {
			was := b.routes["/keys"]
			b.routes["/keys"] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }
			b.routes["/other"] = was
		}},
		{"calls itself something else", FailIssuer, func(b *bad) { b.metadata["issuer"] = b.URL + "/" }},
		{"settings are no JSON", FailProvider, func(b *bad) {
			b.routes["/.well-known/openid-configuration"] = func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }
		}},
		{"settings without end", FailProvider, func(b *bad) { b.routes["/.well-known/openid-configuration"] = long }},
		{"settings are elsewhere", FailProvider, func(b *bad) { b.routes["/.well-known/openid-configuration"] = away }},
		{"keys in clear on another host", FailProvider, func(b *bad) { b.metadata["jwks_uri"] = other.URL }},
		{"tokens in clear on another host", FailProvider, func(b *bad) { b.metadata["token_endpoint"] = other.URL }},
		{"no token endpoint", FailProvider, func(b *bad) { delete(b.metadata, "token_endpoint") }},
		{"keys of a file", FailProvider, func(b *bad) { b.metadata["jwks_uri"] = "file:///etc/passwd" }},
		{"keys are gone", FailProvider, func(b *bad) { delete(b.routes, "/keys") }},
		{"keys without end", FailProvider, func(b *bad) { b.routes["/keys"] = long }},
		{"tokens are elsewhere", FailProvider, func(b *bad) { b.routes["/token"] = away }},
		{"tokens without end", FailProvider, func(b *bad) { b.routes["/token"] = long }},
		{"tokens break", FailProvider, func(b *bad) {
			b.routes["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
		}},
		{"the client is not known", FailClient, func(b *bad) {
			b.routes["/token"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }
		}},
		{"signed by somebody else", FailToken, func(b *bad) { b.sign = func(c []byte) string { return b.signed(jose.RS256, someone, c) } }},
		{"signed with our own secret", FailToken, func(b *bad) {
			b.sign = func(c []byte) string { return b.signed(jose.HS256, []byte(strings.Repeat("secret", 8)), c) }
		}},
		{"not signed at all", FailToken, func(b *bad) {
			b.sign = func(c []byte) string { return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(c) + "." }
		}},
		{"no ID token", FailToken, func(b *bad) { b.sign = func([]byte) string { return "" } }},
		{"of another issuer", FailToken, func(b *bad) { b.token["iss"] = "https://evil.example.org" }},
		{"for another client", FailToken, func(b *bad) { b.token["aud"] = "another" }},
		{"for two clients, and not said for which", FailToken, func(b *bad) { b.token["aud"] = []string{"sinew", "another"} }},
		{"for two clients, and for the other", FailToken, func(b *bad) { b.token["aud"], b.token["azp"] = []string{"sinew", "another"}, "another" }},
		{"for two clients, and for us", "", func(b *bad) { b.token["aud"], b.token["azp"] = []string{"sinew", "another"}, "sinew" }},
		{"for another nonce", FailToken, func(b *bad) { b.token["nonce"] = "x" }},
		{"without nonce", FailToken, func(b *bad) { b.token["nonce"] = "" }},
		{"expired", FailToken, func(b *bad) { b.token["exp"] = time.Now().Unix() - 70 }},
		{"expired a moment ago", "", func(b *bad) { b.token["exp"] = time.Now().Unix() - 20 }},
		{"to come", FailToken, func(b *bad) { b.token["iat"] = time.Now().Unix() + 600 }},
		{"access token of another", FailToken, func(b *bad) { b.token["at_hash"] = "xxxxxxxxxxxxxxxxxxxxxx" }},
		{"nobody", FailClaims, func(b *bad) { b.token["sub"] = "" }},
		{"somebody with an endless name", FailClaims, func(b *bad) { b.token["sub"] = strings.Repeat("a", 256) }},
		{"somebody with a NUL", FailClaims, func(b *bad) { b.token["sub"] = "a\x00" }},
		{"groups that are numbers", FailClaims, func(b *bad) { b.token["groups"] = []int{1} }},
		{"groups that are an object", FailClaims, func(b *bad) { b.token["groups"] = map[string]any{"a": 1} }},
		{"very many groups", FailClaims, func(b *bad) {
			var many []string
			for i := range 2001 {
				many = append(many, fmt.Sprint(i))
			}
			b.token["groups"] = many
		}},
		{"tells of somebody else", FailToken, func(b *bad) {
			delete(b.token, "groups")
			b.routes["/me"] = func(w http.ResponseWriter, _ *http.Request) {
				_, _ = fmt.Fprint(w, `{"sub":"eve","groups":["security"]}`)
			}
		}},
		{"tells no more", FailProvider, func(b *bad) { delete(b.token, "groups"); delete(b.routes, "/me") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBad(t)
			tc.do(b)
			p, err := b.signIn()
			if code := codeOf(err); code != tc.want || (err == nil) != (tc.want == "") {
				t.Errorf("%+v, %v, want %q", p, err, tc.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// TestClaims reads what providers say in their various ways.
func TestClaims(t *testing.T) {
	b := newBad(t)
	b.token["groups"] = []string{"a", "", strings.Repeat("x", 300), "b"}
	b.token["name"], b.token["preferred_username"] = " Ann\x00\r\n \u00e9"+strings.Repeat("\u00e9", 200), nil
	b.token["email"] = "ann@example.org"
	p, err := b.signIn()
	if err != nil || !slices.Equal(p.Groups, []string{"a", "b"}) || p.Login != "ann@example.org" || len(p.Name) > 200 || !strings.HasPrefix(p.Name, "Ann \u00e9") || strings.ContainsRune(p.Name, 0xfffd) {
		t.Errorf("%+v, %v", p, err)
	}

	// What the token does not say is asked for, and does not overrule it.
	b = newBad(t)
	delete(b.token, "groups")
	b.routes["/me"] = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"sub":"ann","preferred_username":"eve","groups":["more"]}`)
	}
	if p, err = b.signIn(); err != nil || !slices.Equal(p.Groups, []string{"more"}) || p.Login != "ann" {
		t.Errorf("%+v, %v", p, err)
	}
	nested := &Claims{all: map[string]any{
		"sub": "ann", "realm_access": map[string]any{"roles": []any{"x"}}, "https://example.org/groups": "y",
	}, more: nil}
	for claim, want := range map[string]string{"realm_access.roles": "x", "https://example.org/groups": "y"} {
		if p, err := nested.Person(t.Context(), "sub", claim); err != nil || !slices.Equal(p.Groups, []string{want}) {
			t.Errorf("%s: %+v, %v", claim, p, err)
		}
	}
}

// TestDiscoveryIsKept: a provider is asked for its settings once an hour, and
// one that does not answer not for every attempt.
func TestDiscoveryIsKept(t *testing.T) {
	b := newBad(t)
	now := time.Now()
	c := New(func() time.Time { return now })
	s := Settings{Issuer: b.URL, ClientID: "sinew"}
	begin := func() error { _, _, err := c.Begin(t.Context(), s); return err }
	settings := b.routes["/.well-known/openid-configuration"]
	delete(b.routes, "/.well-known/openid-configuration")
	for range 5 {
		if codeOf(begin()) != FailProvider {
			t.Error("it answers")
		}
	}
	if len(b.asked) != 1 {
		t.Errorf("it is asked %d times within ten seconds", len(b.asked))
	}
	now = now.Add(keepFault)
	b.routes["/.well-known/openid-configuration"] = settings
	for range 5 {
		if err := begin(); err != nil {
			t.Error(err)
		}
	}
	if len(b.asked) != 2 {
		t.Errorf("it is asked %d times within an hour", len(b.asked))
	}
	now = now.Add(keepFor)
	delete(b.routes, "/.well-known/openid-configuration")
	if err := begin(); err != nil || len(b.asked) != 3 {
		t.Errorf("after an hour it is asked %d times, and what it said before is forgotten: %v", len(b.asked), err)
	}
}
