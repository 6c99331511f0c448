// Package server is the API: REST under /api/v1 with an OpenAPI 3.1 document,
// problem details, keyset paging, idempotency keys, streamed uploads and
// server-sent events. A handler parses, calls and writes; what a sender may do
// stands in one table (access.go), and a route that is not in it does not exist.
// It refuses to know SQL, to keep anything between two requests but counts of
// attempts, and to listen: package app opens the ports.
package server

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Config is what a server is made of.
type Config struct {
	Store     *store.DB
	Pipeline  *pipeline.Pipeline
	Engine    *format.Engine
	Auth      *auth.Auth
	Workspace sinew.Workspace // that sign-in means where it names none

	// CheckpointKey gives the key that the checkpoints of a workspace must be
	// signed with; nil takes the one that they name.
	CheckpointKey func(workspaceUUID string) ed25519.PublicKey
	Version       string         // of the product
	Logger        *slog.Logger   // nil discards
	Proxies       []netip.Prefix // whose X-Forwarded-For and -Proto are believed
	// PublicURL is where browsers find this server, like https://sinew.example.org;
	// empty for where each request says that it went.
	PublicURL string
	// RequireTLS refuses what does not come by TLS, to us or to one of Proxies.
	RequireTLS bool
	// Pages answers what is no route of ours: the pages for browsers. nil for
	// none. Its answers may replace the policy that they find in their header.
	Pages http.Handler
	// Backup writes an archive of the whole database and its key, for the route
	// of that name; nil for none.
	Backup    func(context.Context, io.Writer) error
	MaxUpload int64         // bytes of one report; 0 for [DefaultMaxUpload]
	Imports   int           // reports taken in at a time; 0 for 2
	Idle      time.Duration // without a byte that ends a request; 0 for 30 s
}

// DefaultMaxUpload bounds one report.
const DefaultMaxUpload = 8 << 30

// Server answers requests. It is safe for concurrent use.
type Server struct {
	db        *store.DB
	pipeline  *pipeline.Pipeline
	engine    *format.Engine
	auth      *auth.Auth
	workspace sinew.Workspace
	signer    func(workspaceUUID string) ed25519.PublicKey
	version   string
	log       *slog.Logger
	proxies   []netip.Prefix
	publicURL string
	onlyTLS   bool
	pages     http.Handler
	maxUpload int64
	archive   func(context.Context, io.Writer) error
	now       func() time.Time

	slots    chan struct{} // one for each request being answered
	excerpts chan struct{} // one for each report that is searched for a row
	imports  chan struct{} // one for each report being taken in
	idle     time.Duration // without a byte that ends a request
	stopping chan struct{}
	stop     func()
	api      huma.API
	handler  http.Handler
	routes   map[string]bool
	document func() ([]byte, error)
}

// New makes a server. It fails when the table of access and the routes differ.
func New(c Config) (*Server, error) {
	useProblems()
	s := &Server{
		db: c.Store, pipeline: c.Pipeline, engine: c.Engine, auth: c.Auth, workspace: c.Workspace, signer: c.CheckpointKey, version: c.Version,
		log: c.Logger, proxies: c.Proxies, publicURL: strings.TrimSuffix(c.PublicURL, "/"), onlyTLS: c.RequireTLS, pages: c.Pages,
		maxUpload: c.MaxUpload, archive: c.Backup, now: time.Now,
		excerpts: make(chan struct{}, evidenceSlots), slots: make(chan struct{}, maxConcurrent), imports: make(chan struct{}, cmp.Or(c.Imports, 2)), routes: map[string]bool{},
	}
	s.idle, s.stopping = cmp.Or(c.Idle, idleTime), make(chan struct{})
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.maxUpload == 0 {
		s.maxUpload = DefaultMaxUpload
	}
	mux := http.NewServeMux()
	s.api = humago.New(mux, apiConfig(c.Version))
	s.api.UseMiddleware(s.guard)
	s.document = sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(s.api.OpenAPI(), "", "  ") })
	s.register()
	if err := checkAccess(s.routes); err != nil {
		return nil, err
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.pages != nil && isPage(r) {
			pageHeaders(w.Header())
			s.pages.ServeHTTP(w, r)
			return
		}
		writeProblem(r.Context(), w, sinew.Errorf(sinew.CodeNotFound, "there is nothing at %s %.200q", r.Method, r.URL.Path).
			Hint("the API is described in /api/v1/openapi.json"))
	})
	s.handler = s.wrap(mux)
	return s, nil
}

// Handler gives what answers requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Stop ends the requests that only wait: for a report to be projected, or to
// tell of it. Those that work go on; [http.Server.RegisterOnShutdown] takes it.
func (s *Server) Stop() { s.stop() }

// OpenAPI gives the description of the API, OpenAPI 3.1 in JSON.
func (s *Server) OpenAPI() ([]byte, error) { return s.document() }

// AsReader marks requests that come from inside the process on behalf of a
// reader; they need no token. A request from the network cannot carry it.
func AsReader(ctx context.Context, r sinew.Reader) context.Context {
	return context.WithValue(ctx, localKey{}, r)
}

func apiConfig(version string) huma.Config {
	config := huma.DefaultConfig("sinew", version)
	config.CreateHooks = nil // no $schema links
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.NoFormatFallback = false
	config.RejectUnknownQueryParameters = true
	config.Info.Description = "The API of sinew. Errors are problem details with a code; a list has the cursor of its next page, and its " +
		"address in the header Link; times are RFC 3339 in UTC. See docs/api.md and docs/filter.md."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API token: sinew_ and 59 letters and digits."},
		"session": {Type: "apiKey", In: "cookie", Name: "__Host-sinew", Description: "A browser's session; sinew without TLS. What changes something also needs the header X-Sinew-Csrf."},
	}
	return config
}

// route describes an operation: "GET /api/v1/findings".
func (s *Server) route(route, id, summary string, more ...func(*huma.Operation)) huma.Operation {
	method, path, _ := strings.Cut(route, " ")
	op := huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, BodyReadTimeout: handleTime, MaxBodyBytes: maxBody,
		Tags: []string{tag(path)}, Metadata: map[string]any{},
	}
	if n := access[route]; n.scope != anyone {
		op.Security = []map[string][]string{{"token": {}}, {"session": {}}}
		op.Description = n.describe(method)
	}
	for _, m := range more {
		m(&op)
	}
	s.routes[route] = true
	return op
}

// tag groups the operations of a path.
func tag(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/api/v1"), "/")
	return parts[min(1, len(parts)-1)]
}

func (n need) describe(method string) string {
	switch n.scope {
	case somewhere:
		if method == http.MethodGet {
			return fmt.Sprintf("Needs the role %s on an application, and shows what belongs to those on which you have it.", n.role)
		}
		return fmt.Sprintf("Needs the role %s on the application concerned.", n.role)
	case everyUnit:
		return fmt.Sprintf("Needs the role %s on the whole workspace.", n.role)
	case signedIn:
		return "Needs somebody who is signed in, whatever his role."
	case anyone:
		return ""
	}
	return ""
}

// long marks an operation that takes as long as bytes move.
func long(op *huma.Operation) { op.Metadata["streams"] = "" }

// about adds to an operation's description.
func about(text string) func(*huma.Operation) {
	return func(op *huma.Operation) { op.Description = strings.TrimSpace(text + "\n\n" + op.Description) }
}

// answers sets the status of success.
func answers(status int) func(*huma.Operation) {
	return func(op *huma.Operation) { op.DefaultStatus = status }
}

// bytesIn allows a larger body.
func bytesIn(n int64) func(*huma.Operation) { return func(op *huma.Operation) { op.MaxBodyBytes = n } }

// handle registers an operation. Its errors become problems here.
func handle[I, O any](s *Server, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err == nil {
			return out, nil
		}
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			panic(http.ErrAbortHandler) //nolint:forbidigo // nobody listens any more
		}
		p := problem(ctx, err)
		report(ctx, p, err)
		return nil, p
	})
}

// alsoAnswers documents an answer in another form than the one of the handler's
// type.
func alsoAnswers[T any](s *Server, status, contentType, doc string) func(*huma.Operation) {
	return func(op *huma.Operation) {
		if op.Responses == nil {
			op.Responses = map[string]*huma.Response{}
		}
		if op.Responses[status] == nil {
			op.Responses[status] = &huma.Response{Description: doc, Content: map[string]*huma.MediaType{}}
		}
		op.Responses[status].Content[contentType] = &huma.MediaType{Schema: schemaOf[T](s)}
		op.Responses["default"] = &huma.Response{Description: "Error", Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: schemaOf[Problem](s)},
		}}
	}
}

// body is an answer that has only a body.
type body[T any] struct{ Body T }

// list is a page of something.
type list[T any] struct {
	Items []T      `json:"items" nullable:"false"`
	Next  string   `json:"next,omitempty" doc:"The cursor of the next page; absent on the last one. The header Link has its address"`
	Notes []string `json:"notes,omitempty" doc:"What to know about the answer"`
}

// page makes an answer of a page; items is never null.
func page[T any](ctx context.Context, items []T, cursor string) *body[list[T]] {
	if cursor != "" {
		c := callOf(ctx)
		q := c.r.URL.Query()
		q.Set("cursor", cursor)
		c.w.Header().Set("Link", "<"+c.r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
	}
	return &body[list[T]]{list[T]{Items: orEmpty(items), Next: cursor}}
}

// Paging are the parameters of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows of a page"`
	Cursor string `query:"cursor" doc:"Where to go on: from next of the page before"`
}

func (p Paging) page() store.Page {
	return store.Page{After: p.Cursor, Limit: p.Limit}
}

// Once is the header that makes a POST safe to repeat.
type Once struct {
	Key string `header:"Idempotency-Key" maxLength:"200" doc:"Any text; the same request with the same key is accepted once"`
}

// accepts reports whether the sender prefers a content type to JSON.
func accepts(ctx context.Context, contentType string) bool {
	for part := range strings.SplitSeq(callOf(ctx).r.Header.Get("Accept"), ",") {
		name, _, _ := strings.Cut(part, ";")
		if name = strings.TrimSpace(strings.ToLower(name)); name == contentType {
			return true
		}
		if slices.Contains([]string{"application/json", "*/*"}, name) {
			return false
		}
	}
	return false
}
