// Package web holds the pages, built from src by `make web` and embedded here,
// and answers with them. It refuses to know the API: what a page shows it asks
// for itself. A binary that was built without the pages says so.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed all:dist
var dist embed.FS

// noncePlace is where index.html wants the nonce of its content security policy.
const noncePlace = "{{nonce}}"

// Handler answers GET and HEAD with the pages: a file where there is one, and
// index.html for every address that is a page's. Files named by their digest are
// cached for ever, the others never.
func Handler() (http.Handler, error) {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("open the pages: %w", err)
	}
	return handler(built)
}

// asset is a file as it is sent.
type asset struct {
	plain       []byte
	zipped      func() []byte // the gzip form, made once; nil where it would not be smaller
	contentType string
	forever     bool
}

func handler(built fs.FS) (http.Handler, error) {
	index, err := fs.ReadFile(built, "index.html")
	if err != nil {
		return http.HandlerFunc(notBuilt), nil
	}
	assets := map[string]asset{}
	err = fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "index.html" || name == "README" {
			return err
		}
		plain, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		a := asset{plain: plain, contentType: mime.TypeByExtension(path.Ext(name)), forever: strings.HasPrefix(name, "static/")}
		a.zipped = sync.OnceValue(func() []byte { return zipped(plain) })
		assets["/"+name] = a
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	return &pages{index: index, assets: assets}, nil
}

type pages struct {
	index  []byte
	assets map[string]asset
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "pages are only read", http.StatusMethodNotAllowed)
		return
	}
	if a, ok := p.assets[r.URL.Path]; ok {
		a.send(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/static/") || path.Ext(r.URL.Path) == ".js" {
		http.NotFound(w, r) // a page in place of a script would be a riddle
		return
	}
	nonce := newNonce()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(nonce))
	h.Set("Cache-Control", "no-store")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(bytes.ReplaceAll(p.index, []byte(noncePlace), []byte(nonce))))
}

func (a *asset) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if a.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	content := a.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
		if z := a.zipped(); z != nil {
			h.Set("Content-Encoding", "gzip")
			h.Set("Content-Length", strconv.Itoa(len(z))) // which ServeContent leaves to us
			content = z
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// policy is the content security policy of a page. Scripts come from files of
// ours; style elements, which the component library writes, need the nonce.
func policy(nonce string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self' data:; font-src 'self'; " +
		"connect-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
}

func newNonce() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// zipped gives the gzip form, or nil where it would not be smaller. Writing into
// memory does not fail.
func zipped(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(plain)
	_ = z.Close()
	if b.Len() >= len(plain) {
		return nil
	}
	return b.Bytes()
}

// notBuilt answers when the binary carries no pages.
func notBuilt(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("This binary was built without pages. Build it with `make build`, which needs Node and npm.\n" +
		"The API is there all the same: /api/v1/openapi.json\n"))
}
