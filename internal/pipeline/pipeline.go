// Package pipeline is the way of a report through the house: bytes -> format ->
// snapshot -> log -> identity -> store. It is the only package that knows the
// order. [Pipeline.Import] accepts: when it returns, the report is durable.
// [Pipeline.Project] makes what was accepted visible, one entry of the log after
// the other, and [Pipeline.Rebuild] does the same once more from the log alone.
//
// It refuses to speak SQL (package store does), to decide what is the same
// finding or which state follows (package identity does), and to show anything.
package pipeline

import (
	"context"
	"sync"
	"time"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Options says how a pipeline works. The zero value needs at least a Parser.
type Options struct {
	Parser   Parser // maps reports: [InProcess] or [Child]
	Keys     Keys
	SpoolDir string // for encrypted uploads; empty for the system's directory
	MaxBytes int64  // of an upload; 0 for the format engine's own limit
	Purpose  string // named to others that want the lease

	// Fail is called at the named points of a projection, between the steps that
	// a killed process may lie between. Tests make it return an error.
	Fail func(point string) error
}

// Pipeline runs the way. It is safe for concurrent use.
type Pipeline struct {
	db  *store.DB
	opt Options
	// pair is identity.MatchRows; tests put another matcher's rules in its place.
	pair func(identity.Rows[identity.Prior], identity.Rows[identity.Keys], []identity.Pair) (int, error)
	// foldWhole has tests fold every late item with all that came before it.
	foldWhole bool
	undo      int64    // undoBudget; tests make it small
	lock      sync.Map // workspace -> chan struct{}: one projection at a time in this process
}

// New makes a pipeline on a database.
func New(db *store.DB, opt Options) *Pipeline {
	if opt.Purpose == "" {
		opt.Purpose = "sinew"
	}
	return &Pipeline{db: db, opt: opt, pair: identity.MatchRows, undo: undoBudget}
}

// point is where a test may stop the work as if the process had died.
func (p *Pipeline) point(name string) error {
	if p.opt.Fail == nil {
		return nil
	}
	return p.opt.Fail(name)
}

// exclusive waits until no other projection of the workspace runs in this
// process.
func (p *Pipeline) exclusive(ctx context.Context, ws int64) (release func(), err error) {
	v, _ := p.lock.LoadOrStore(ws, make(chan struct{}, 1))
	ch, _ := v.(chan struct{})
	select {
	case ch <- struct{}{}:
		return func() { <-ch }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// micros is how the log and the projections keep time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// version is what a snapshot is of: the artifact's digest, else the commit.
func version(s *sinew.Snapshot) string {
	if s.Digest != "" {
		return s.Digest
	}
	return s.Commit
}
