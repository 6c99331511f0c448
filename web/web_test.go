package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func pagesOf(t *testing.T) http.Handler {
	t.Helper()
	h, err := handler(fstest.MapFS{
		"index.html":         {Data: []byte(`<meta name="csp-nonce" content="{{nonce}}">`)},
		"scheme.js":          {Data: []byte("light()")},
		"static/main-abc.js": {Data: []byte(strings.Repeat("console.log(1);", 100))},
		"README":             {Data: []byte("not a page")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A page allows style elements only with the nonce of that answer, and no inline script.
func TestPage(t *testing.T) {
	h := pagesOf(t)
	seen := map[string]bool{}
	for _, target := range []string{"/", "/findings?tab=all", "/findings/f_abc", "/assets/a_abc", "/README"} {
		r := get(h, http.MethodGet, target)
		policy := r.Header.Get("Content-Security-Policy")
		_, rest, _ := strings.Cut(policy, "'nonce-")
		nonce, _, _ := strings.Cut(rest, "'")
		if body := text(t, r); r.StatusCode != http.StatusOK || nonce == "" || seen[nonce] || body != `<meta name="csp-nonce" content="`+nonce+`">` {
			t.Errorf("%s: %d, policy %q, body %q", target, r.StatusCode, policy, body)
		}
		seen[nonce] = true
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self';") || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: policy %q, cache %q", target, policy, r.Header.Get("Cache-Control"))
		}
	}
}

func TestAsset(t *testing.T) {
	h := pagesOf(t)
	r := get(h, http.MethodGet, "/static/main-abc.js", "Accept-Encoding", "br, gzip")
	if r.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Fatalf("headers %v", r.Header)
	}
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || len(plain) != 1500 {
		t.Errorf("%d bytes, %v", len(plain), err)
	}
	if r := get(h, http.MethodGet, "/scheme.js"); r.Header.Get("Cache-Control") != "no-cache" || text(t, r) != "light()" {
		t.Errorf("a file without a digest in its name is asked for again: %v", r.Header)
	}
	for _, gone := range []string{"/static/old.js", "/other.js"} {
		if r := get(h, http.MethodGet, gone); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", gone, r.StatusCode)
		}
	}
	if r := get(h, http.MethodPost, "/findings"); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", r.StatusCode)
	}
}

// A plain `go build` has no pages, and says how to get them.
func TestNotBuilt(t *testing.T) {
	h, err := handler(fstest.MapFS{"README": {}})
	if err != nil {
		t.Fatal(err)
	}
	if r := get(h, http.MethodGet, "/"); r.StatusCode != http.StatusNotFound || !strings.Contains(text(t, r), "make build") {
		t.Errorf("status %d", r.StatusCode)
	}
}
