package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Started is what a running server tells whoever started it.
type Started struct {
	URL    string // to reach it from this machine
	Invite string // one-time link for the first administrator; empty once there is one
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
	s, au, err := a.server(ctx)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	invite, err := au.FirstInvite(ctx, a.Workspace.ID)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	out := Started{URL: "http://" + l.Addr().String()}
	if invite != "" {
		out.Invite = out.URL + "/join/" + invite
	}

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	wg.Go(func() { failed <- a.Store.RunJobs(work, a.Pipeline.Project) })

	wg.Go(func() { a.expire(work) })

	hs := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, BaseContext: func(net.Listener) context.Context { return work },
	}
	hs.RegisterOnShutdown(s.Stop) // who watches does not hold it up
	wg.Go(func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
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
