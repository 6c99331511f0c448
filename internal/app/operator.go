package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/sinewsec/sinew/internal/auth"
	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/server"
	"github.com/sinewsec/sinew/internal/store"
)

// server makes the API of the open house; pages answer what is no route of it.
func (a *App) server(ctx context.Context, pages http.Handler, requireTLS bool) (*server.Server, *auth.Auth, error) {
	au, err := auth.New(ctx, a.Store, a.Config.Logger, a.Keys.Access)
	if err != nil {
		return nil, nil, err
	}
	s, err := server.New(server.Config{
		Store: a.Store, Pipeline: a.Pipeline, Engine: a.Engine, Auth: au, Workspace: a.Workspace,
		Version: a.Config.Version, Logger: a.Config.Logger, Backup: a.Backup,
		CheckpointKey: a.Keys.CheckpointKey, Pages: pages,
		MaxUpload: a.Config.Limits.MaxUpload, Imports: a.Config.Limits.Imports, Idle: a.Config.Limits.Idle,
		Proxies: a.Config.Front.Proxies, PublicURL: a.Config.Front.URL, RequireTLS: requireTLS,
	})
	return s, au, err
}

// OperatorClient speaks to the API inside this process, with the rights of who
// holds the database: an administrator's. The accepted work is projected by
// whoever waits for it.
func (a *App) OperatorClient(ctx context.Context) (*client.Client, error) {
	s, _, err := a.server(ctx, nil, false)
	if err != nil {
		return nil, err
	}
	return client.New("http://inside.invalid", "", inside{handler: s.Handler(), workspace: a.Workspace.ID})
}

// inside is a transport that calls a handler instead of a network.
type inside struct {
	handler   http.Handler
	workspace int64
}

// RoundTrip implements [http.RoundTripper]. The body of the answer is a pipe, so
// that neither side holds more than it works on.
func (t inside) RoundTrip(req *http.Request) (*http.Response, error) {
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, started: make(chan struct{})}
	if req.Body == nil {
		req.Body = http.NoBody
	}
	in := req.Clone(server.AsReader(req.Context(), store.System(t.workspace)))
	in.RequestURI = in.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:0"
	go func() {
		defer func() {
			_ = req.Body.Close()
			switch c := recover(); c {
			case nil:
				w.start(http.StatusOK)
				_ = pw.Close()
			case http.ErrAbortHandler: // the answer broke off, as net/http puts it
				w.start(http.StatusOK)
				_ = pw.CloseWithError(io.ErrUnexpectedEOF)
			default:
				panic(c) //nolint:forbidigo // a fault of the handler's stays one
			}
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case <-w.started:
	case <-req.Context().Done():
		return nil, fmt.Errorf("call: %w", context.Cause(req.Context()))
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: pr, ContentLength: -1, Request: req,
	}, nil
}

// pipeWriter is the server's side of an answer.
type pipeWriter struct {
	header  http.Header
	status  int
	body    *io.PipeWriter
	once    sync.Once
	started chan struct{}
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) start(status int) {
	w.once.Do(func() {
		w.status = status
		w.header = w.header.Clone() // the handler may go on writing to its own
		close(w.started)
	})
}

func (w *pipeWriter) WriteHeader(status int) {
	if status >= http.StatusOK { // not the interim ones
		w.start(status)
	}
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.start(http.StatusOK)
	return w.body.Write(p)
}

// Flush implements [http.Flusher]: a pipe holds nothing back.
func (w *pipeWriter) Flush() {}
