package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/sinew"
)

// A browser sends our cookie with every request to us, whoever made it send it.
// So a request that changes something has to show that a page of ours made it:
// the browser says so (Sec-Fetch-Site, Origin), and the page says what no other
// site can read (X-Sinew-Csrf). Tokens are sent by who has them; they need
// neither.

// csrfHeader is what pages say.
const csrfHeader = "X-Sinew-Csrf"

// secure reports whether nobody on the way to the browser can read along: the
// connection is TLS, or ends at a proxy of ours that says that it was.
func (s *Server) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	proto := r.Header.Values("X-Forwarded-Proto")
	if len(proto) == 0 || !s.isProxy(peer(r)) {
		return false
	}
	hops := strings.Split(proto[len(proto)-1], ",") // the last is what our proxy says
	return strings.EqualFold(strings.TrimSpace(hops[len(hops)-1]), "https")
}

// browserSecure reports whether the browser came by TLS: we see it, or whoever
// runs us says that browsers do.
func (s *Server) browserSecure(r *http.Request) bool {
	return strings.HasPrefix(s.publicURL, "https://") || s.secure(r)
}

// base is the address of this server as browsers know it.
func (s *Server) base(r *http.Request) string {
	switch {
	case s.publicURL != "":
		return s.publicURL
	case s.secure(r):
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// samePages reports whether a browser says where a request comes from, and
// whether that is a page of this server.
func (s *Server) samePages(r *http.Request) (told, same bool) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return true, site == "same-origin"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false, false
	}
	u, err := url.Parse(origin)
	if err != nil {
		return true, false
	}
	b, err := url.Parse(s.base(r))
	return true, err == nil && u.Host != "" && strings.EqualFold(u.Host, b.Host) && u.Scheme == b.Scheme
}

// changes reports whether a method may change something.
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// checkOrigin refuses what another site made a browser send.
func (s *Server) checkOrigin(ctx huma.Context, id auth.Identity) error {
	r := callOf(ctx.Context()).r
	if isLocal(ctx.Context()) || id.Token != nil || !changes(ctx.Method()) {
		return nil
	}
	elsewhere := sinew.Errorf(sinew.CodeDenied, "this request comes from another site").
		Hint("use the pages of this server, or a token: Authorization: Bearer sinew_...")
	told, same := s.samePages(r)
	if told && !same {
		return elsewhere
	}
	if id.Session == nil {
		return nil // nothing was sent that the sender did not type himself
	}
	if !told {
		return elsewhere
	}
	if !s.auth.CheckCSRF(id.Session, r.Header.Get(csrfHeader)) {
		return sinew.Errorf(sinew.CodeDenied, "the header %s is missing or does not belong to this session", csrfHeader).
			Hint("GET /api/v1/session has it as csrf; reload the page")
	}
	return nil
}

// isPage reports whether a request is for a page or for what belongs to it. What
// begins like a route of ours is none, so that a mistyped one stays an error that
// programs understand.
func isPage(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	for _, ours := range []string{"/api/", "/auth/", "/health/", "/join/"} {
		if strings.HasPrefix(r.URL.Path+"/", ours) {
			return false
		}
	}
	return true
}

// pageHeaders sets what every page of ours may do in a browser. A page that
// needs a style of its own says so in its own policy.
func pageHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "+
		"connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers hide the origin of forms
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}
