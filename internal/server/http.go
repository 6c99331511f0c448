package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The bounds of a request that says nothing else.
const (
	maxBody       = 1 << 20
	handleTime    = 30 * time.Second // of an ordinary request, from header to answer
	idleTime      = 30 * time.Second // without a byte, while a body is sent or an answer taken
	maxConcurrent = 256
)

// call is what is known of a request from outside to inside.
type call struct {
	id   string
	log  *slog.Logger
	from netip.Addr
	w    *writer
	r    *http.Request
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		return c
	}
	return &call{log: slog.New(slog.DiscardHandler)}
}

func requestID(ctx context.Context) string { return callOf(ctx).id }

// report logs an error that the sender is not told the text of.
func report(ctx context.Context, p *Problem, err error) {
	if p.Code == sinew.CodeInternal {
		callOf(ctx).log.ErrorContext(ctx, "request failed", "error", err)
	}
}

// wrap is everything that every request passes: an id, bounds, headers, a line
// in the log, and a net under panics.
func (s *Server) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := s.now()
		c := &call{id: strings.ToLower(rand.Text()[:16]), from: s.sender(r), w: &writer{ResponseWriter: rw}}
		c.log = s.log.With("request", c.id)
		ctx := context.WithValue(r.Context(), callKey{}, c)
		r = r.WithContext(ctx)
		c.r = r
		securityHeaders(c.w.Header(), c.id, s.browserSecure(r))
		defer func() {
			if cause := recover(); cause != nil {
				s.recovered(ctx, c, cause)
			}
			c.log.InfoContext(ctx, "request", "method", r.Method, "path", logged(r), "status", c.w.status,
				"bytes", c.w.bytes, "took", s.now().Sub(start), "from", c.from)
		}()
		if s.onlyTLS && !s.secure(r) && !strings.HasPrefix(r.URL.Path, "/health/") {
			writeProblem(ctx, c.w, sinew.Errorf(sinew.CodeDenied, "this server answers to https only").
				Hint("use its https address; a proxy in front of it has to be named with --proxy, and to send X-Forwarded-Proto: https"))
			return
		}
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			writeProblem(ctx, c.w, sinew.Errorf(sinew.CodeUnavailable, "the server is busy").Hint("try again in a few seconds"))
			return
		}
		next.ServeHTTP(c.w, r)
	})
}

// logged is the path of a request as the log may know it: ids, but no secrets
// and nothing that somebody typed by mistake. Names travel in queries and bodies.
func logged(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/api/v1/") && strings.Contains(r.Pattern, "/api/v1/") {
		return r.URL.Path
	}
	_, pattern, _ := strings.Cut(r.Pattern, " ")
	return pattern
}

// recovered answers for a handler that panicked.
func (s *Server) recovered(ctx context.Context, c *call, cause any) {
	if cause == http.ErrAbortHandler { //nolint:errorlint // the value that net/http compares with
		panic(cause) //nolint:forbidigo // net/http closes the connection for it
	}
	c.log.ErrorContext(ctx, "panic", "cause", cause, "stack", string(debug.Stack()))
	if c.w.status != 0 {
		panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer must not look whole
	}
	writeProblem(ctx, c.w, sinew.Errorf(sinew.CodeInternal, "panic"))
}

func securityHeaders(h http.Header, id string, tls bool) {
	h.Set("X-Request-Id", id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if tls {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// sender is the address a request comes from: the last one in X-Forwarded-For
// that is not a proxy of ours, if the connection itself is from one.
func (s *Server) sender(r *http.Request) netip.Addr {
	addr := peer(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.isProxy(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

// peer is the other end of the connection.
func peer(r *http.Request) netip.Addr {
	p, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr().Unmap()
}

func (s *Server) isProxy(addr netip.Addr) bool {
	for _, p := range s.proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// writeProblem answers outside of huma.
func writeProblem(ctx context.Context, w http.ResponseWriter, err error) {
	p := problem(ctx, err)
	report(ctx, p, err)
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p)
}

// writer notes what was answered.
type writer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// slowBody is a request's body that may take long, as long as it keeps coming.
type slowBody struct {
	io.ReadCloser
	control *http.ResponseController
	until   func() time.Time
	ended   atomic.Bool // all of it was read
}

func (b *slowBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(b.until()) // not supported in tests without a connection
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.ended.Store(true)
		_ = b.control.SetReadDeadline(time.Time{}) // or it would cancel the request later
	}
	return n, err
}

// slowWriter is an answer that may take long, as long as it is taken.
type slowWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	until   func() time.Time
}

func (w *slowWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(w.until())
	return w.ResponseWriter.Write(p)
}

// slow lets a request run for as long as bytes move.
func (s *Server) slow(c *call) (*slowBody, *slowWriter) {
	control := http.NewResponseController(c.w)
	_ = control.SetReadDeadline(time.Time{})
	_ = control.SetWriteDeadline(time.Time{})
	until := func() time.Time { return s.now().Add(s.idle) }
	return &slowBody{ReadCloser: c.r.Body, control: control, until: until}, &slowWriter{ResponseWriter: c.w, control: control, until: until}
}
