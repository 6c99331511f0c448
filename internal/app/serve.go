package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
	"github.com/sinewsec/sinew/web"
)

// Started is what a running server tells whoever started it.
type Started struct {
	URL    string // to reach it from this machine
	Invite string // one-time link for the first administrator; empty once there is one
}

// Limits bound what senders may take of a server; zero values are the server's
// own.
type Limits struct {
	MaxUpload int64         // bytes of one report
	Imports   int           // reports taken in at a time; each may take the parser's memory
	Idle      time.Duration // without a byte that ends a request
}

// Check reports what keeps a server from starting with l.
func (l Limits) Check() error {
	switch {
	case l.MaxUpload < 0:
		return sinew.Errorf(sinew.CodeInvalid, "%d bytes is no limit of a report", l.MaxUpload).Hint("for example --max-upload 2GB")
	case l.Imports < 0 || l.Imports > 1000:
		return sinew.Errorf(sinew.CodeInvalid, "a server cannot take in %d reports at a time", l.Imports).Hint("use 1 to 1000; 2 is the default")
	case l.Idle < 0 || l.Idle > 0 && l.Idle < time.Second:
		return sinew.Errorf(sinew.CodeInvalid, "%s is too short for a pause between two bytes", l.Idle).Hint("use 1s or more; 30s is the default")
	}
	return nil
}

// retainEvery is how late what is older than its retention goes.
const retainEvery = time.Hour

// retain deletes what is older than its retention, in every workspace.
func (a *App) retain(ctx context.Context) {
	t := time.NewTicker(retainEvery)
	defer t.Stop()
	for {
		list, err := a.Store.Workspaces(ctx)
		for _, ws := range list {
			_, e := a.Pipeline.Retain(ctx, ws.ID)
			if errors.Is(e, store.ErrLeased) {
				continue // another process works there; it, or the next hour, does this too
			}
			err = errors.Join(err, e)
		}
		if err != nil && ctx.Err() == nil {
			a.Config.Logger.WarnContext(ctx, "what is older than its retention is still there", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// expireEvery is how late a decision may end whose time ran out.
const expireEvery = time.Minute

// expire ends the decisions whose time ran out, in every workspace.
func (a *App) expire(ctx context.Context) {
	t := time.NewTicker(expireEvery)
	defer t.Stop()
	for {
		list, err := a.Store.Workspaces(ctx)
		for _, ws := range list {
			if _, e := a.Pipeline.Expire(ctx, ws.ID); e != nil {
				err = errors.Join(err, e)
			}
		}
		if err != nil && ctx.Err() == nil {
			a.Config.Logger.WarnContext(ctx, "decisions whose time ran out still stand", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// shutdownTime is how long requests may take to end after the order to stop.
const shutdownTime = 20 * time.Second

// Serve listens and works until ctx ends, then stops: requests first, then the
// projector, so that nothing acknowledged is left half done. started is called
// once the server answers.
func (a *App) Serve(ctx context.Context, listen string, started func(Started)) error {
	pages, err := web.Handler()
	if err != nil {
		return err
	}
	front := a.Config.Front
	requireTLS, err := front.check(listen)
	if err != nil {
		return err
	}
	s, au, err := a.server(ctx, pages, requireTLS)
	if err != nil {
		return err
	}
	l, cert, err := front.listen(ctx, listen, a.Config.Logger)
	if err != nil {
		return err
	}
	invite, err := au.FirstInvite(ctx, a.Workspace.ID)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	out := Started{URL: front.address(l)}
	if invite != "" {
		out.Invite = out.URL + "/join/" + invite
	}

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	wg.Go(func() { failed <- a.Store.RunJobs(work, a.Pipeline.Project) })

	wg.Go(func() { a.expire(work) })
	wg.Go(func() { a.retain(work) })

	hs := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return work },
		ErrorLog: slog.NewLogLogger(a.Config.Logger.Handler(), slog.LevelInfo),
	}
	serve := hs.Serve
	if cert != nil {
		hs.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get}
		serve = func(l net.Listener) error { return hs.ServeTLS(l, "", "") }
		wg.Go(func() { cert.reload(work) })
	}
	hs.RegisterOnShutdown(s.Stop) // who watches does not hold it up
	wg.Go(func() {
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	})
	started(out)

	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if stop := hs.Shutdown(end); stop != nil {
		err = errors.Join(err, stop, hs.Close())
	}
	stopWork()
	wg.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
