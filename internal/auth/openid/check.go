package openid

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Check is one thing that was looked at in the settings of a provider.
type Check struct {
	What   string // what was looked at
	Status string // ok, warning or failed
	Detail string // what is, and where it is not well, what to do about it
}

// What a check may end in.
const (
	CheckOK      = "ok"
	CheckWarning = "warning" // people can sign in; something may be missing
	CheckFailed  = "failed"  // nobody can sign in
)

// Check asks a provider everything that can be asked without a person: whether
// it answers, has what we need, and knows us. What it said before is not used.
func (c *Client) Check(ctx context.Context, s Settings, groupsClaim string) []Check {
	var list []Check
	add := func(what, status, format string, args ...any) {
		list = append(list, Check{What: what, Status: status, Detail: fmt.Sprintf(format, args...)})
	}
	ctx, cancel := context.WithTimeout(ctx, 2*callTime)
	defer cancel()
	c.mu.Lock()
	delete(c.kept, s.Issuer)
	c.mu.Unlock()
	f, err := c.discover(ctx, s.Issuer)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok {
			err = e.Err
		}
		add("discovery", CheckFailed, "%s. Open %s/.well-known/openid-configuration from the machine that sinew runs on.",
			cut(err.Error()), strings.TrimSuffix(s.Issuer, "/"))
		return list
	}
	add("discovery", CheckOK, "%s answers", s.Issuer)
	if len(f.Responses) > 0 && !slices.Contains(f.Responses, "code") {
		add("code flow", CheckFailed, "it does not offer the code flow, only %s", strings.Join(f.Responses, ", "))
	}
	switch {
	case slices.Contains(f.PKCE, "S256"):
		add("PKCE", CheckOK, "it checks PKCE with S256")
	case len(f.PKCE) == 0:
		add("PKCE", CheckWarning, "it does not say that it checks PKCE; sign-in works, a stolen code is guarded by nonce and client secret only")
	default:
		add("PKCE", CheckFailed, "it does not offer S256, only %s", strings.Join(f.PKCE, ", "))
	}
	checkKeys(ctx, f, add)
	if unknown := slices.DeleteFunc(scopes(s.Scopes), func(x string) bool { return len(f.Scopes) == 0 || slices.Contains(f.Scopes, x) }); len(unknown) > 0 {
		add("scopes", CheckWarning, "it does not list the scope %s", strings.Join(unknown, ", "))
	}
	first, _, _ := strings.Cut(groupsClaim, ".")
	if len(f.Claims) > 0 && !slices.Contains(f.Claims, groupsClaim) && !slices.Contains(f.Claims, first) {
		add("groups", CheckWarning, "it does not list the claim %q; let it send one, or roles by groups give nothing", groupsClaim)
	}
	checkClient(oidc.ClientContext(ctx, f.http), f, s, add)
	if f.Logout == "" {
		add("sign-out", CheckWarning, "it offers no sign-out: who signs out here stays signed in there")
	}
	return list
}

// checkKeys fetches the keys: a token that nobody can have signed must fail for
// its signature, not for want of keys.
func checkKeys(ctx context.Context, f *found, add func(string, string, string, ...any)) {
	const nobodys = "eyJhbGciOiJSUzI1NiIsImtpZCI6InNpbmV3LWNoZWNrIn0.e30.AA"
	keys := &keySet{KeySet: f.keys}
	if _, err := keys.VerifySignature(ctx, nobodys); keys.fault != nil {
		add("keys", CheckFailed, "its keys cannot be fetched from %s: %s", f.Keys, cut(err.Error()))
		return
	}
	add("keys", CheckOK, "its keys are at %s", f.Keys)
}

// checkClient sends a code that nobody gave: a provider that knows us refuses
// the code, one that does not refuses us.
func checkClient(ctx context.Context, f *found, s Settings, add func(string, string, string, ...any)) {
	_, err := f.config(s).Exchange(ctx, "sinew-check", oauth2.VerifierOption(oauth2.GenerateVerifier()))
	if err == nil {
		add("client", CheckFailed, "it gives a token for a code that nobody made: do not use it")
		return
	}
	switch failed := exchangeFailed(err); codeOf(failed) {
	case FailCode:
		add("client", CheckOK, "it knows the client %s", s.ClientID)
	case FailClient:
		add("client", CheckFailed, "it does not accept the client id or its secret: %s", cut(err.Error()))
	default:
		add("client", CheckWarning, "whether it knows the client cannot be told: %s", cut(err.Error()))
	}
}

// cut keeps what a stranger says to a sentence.
func cut(s string) string {
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "..."
	}
	return s
}
