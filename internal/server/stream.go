package server

import (
	"bufio"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/sinew"
)

const (
	ndjson      = "application/x-ndjson"
	eventStream = "text/event-stream"
)

// longFor marks an operation that takes as long as bytes move when it is asked
// for in this content type.
func longFor(contentType string) func(*huma.Operation) {
	return func(op *huma.Operation) { op.Metadata["streams"] = contentType }
}

// streams reports whether a request may take longer than an ordinary one.
func streams(ctx context.Context, op *huma.Operation) bool {
	contentType, marked := op.Metadata["streams"].(string)
	return marked && (contentType == "" || accepts(ctx, contentType))
}

// asJSON answers in JSON where the operation's type cannot.
func asJSON(ctx context.Context, status int, v any) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(huma.Context) {
		w := callOf(ctx).w
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = encoder(w).Encode(v) // the sender is gone if it fails
	}}
}

func encoder(w interface{ Write([]byte) (int, error) }) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// failure is the last line of a stream that an error ended.
type failure struct {
	Error *sinew.Error `json:"error"`
}

// flushEvery is how long a line waits for company at most, once another follows.
const flushEvery = 100 * time.Millisecond

// lines answers with one JSON value a line, as long as the reader takes them. An
// error of fn becomes the last line.
func (s *Server) lines(ctx context.Context, fn func(ctx context.Context, send func(any) error) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(huma.Context) {
		_, slow := s.slow(callOf(ctx))
		slow.Header().Set("Content-Type", ndjson)
		slow.WriteHeader(http.StatusOK)
		w := bufio.NewWriterSize(slow, 32<<10)
		enc := encoder(w)
		flow := http.NewResponseController(slow.ResponseWriter)
		last := s.now()
		err := fn(ctx, func(v any) error {
			if err := enc.Encode(v); err != nil || s.now().Sub(last) < flushEvery {
				return err
			}
			last = s.now()
			if err := w.Flush(); err != nil {
				return err
			}
			_ = flow.Flush() // where it cannot, the buffer is small
			return nil
		})
		if err != nil && ctx.Err() == nil {
			p := problem(ctx, err)
			report(ctx, p, err)
			_ = enc.Encode(failure{p.plain()})
		}
		_ = w.Flush() // the sender is gone if it fails
	}}
}

// plain is the problem without what HTTP adds.
func (p *Problem) plain() *sinew.Error {
	return &sinew.Error{Code: p.Code, Message: p.Detail, Where: p.Where, Next: p.Next}
}

// events writes server-sent events.
type events struct {
	w    *slowWriter
	flow *http.ResponseController
}

// events begins a stream of them.
func (s *Server) events(ctx context.Context) *events {
	_, slow := s.slow(callOf(ctx))
	slow.Header().Set("Content-Type", eventStream)
	slow.Header().Set("X-Accel-Buffering", "no") // of nginx
	slow.WriteHeader(http.StatusOK)
	return &events{w: slow, flow: slow.control}
}

func (e *events) send(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	msg := append([]byte("event: "+name+"\ndata: "), data...) // JSON has no line breaks
	if _, err := e.w.Write(append(msg, "\n\n"...)); err != nil {
		return err
	}
	return e.flow.Flush()
}

func schemaOf[T any](s *Server) *huma.Schema {
	t := reflect.TypeFor[T]()
	return s.api.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortedValues[K comparable](m map[K]string) []string { return slices.Sorted(maps.Values(m)) }
