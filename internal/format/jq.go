package format

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/itchyny/gojq"

	"github.com/sinewsec/sinew/internal/sinew"
)

// clock stops programs that run too long: one context for a whole parse,
// cancelled by a goroutine that looks at when each current row began.
type clock struct {
	context.Context
	done   <-chan struct{} // of the context; gojq asks for it at every step
	cancel context.CancelCauseFunc
	began  [maxWorkers + 1]atomic.Int64 // nanoseconds of the rows being mapped; 0 when none is
	end    chan struct{}
}

var (
	errRowTime  = errors.New("row time")
	errFileTime = errors.New("file time")
)

func newClock(ctx context.Context, row, file time.Duration) *clock {
	c := &clock{end: make(chan struct{})}
	c.Context, c.cancel = context.WithCancelCause(ctx)
	c.done = c.Context.Done()
	start := time.Now()
	go func() {
		tick := time.NewTicker(min(row/4, 100*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-c.end:
				return
			case <-c.done:
				return
			case now := <-tick.C:
				for i := range c.began {
					if b := c.began[i].Load(); b != 0 && now.UnixNano()-b > int64(row) {
						c.cancel(errRowTime)
					}
				}
				if now.Sub(start) > file {
					c.cancel(errFileTime)
				}
			}
		}
	}()
	return c
}

// Done is the context's channel.
func (c *clock) Done() <-chan struct{} { return c.done }

func (c *clock) stop() {
	close(c.end)
	c.cancel(context.Canceled)
}

func (c *clock) start(slot int) { c.began[slot].Store(time.Now().UnixNano()) }
func (c *clock) idle(slot int)  { c.began[slot].Store(0) }

// err explains why the clock's context ended.
func (c *clock) err(limits Limits) error {
	select {
	case <-c.done:
	default:
		return nil
	}
	switch cause := context.Cause(c.Context); {
	case errors.Is(cause, errRowTime):
		return tooLarge("", "mapping one row took longer than %v", limits.RowTime).Hint("the mapping's program is too slow for this row")
	case errors.Is(cause, errFileTime):
		return tooLarge("", "reading the report took longer than %v", limits.FileTime).Hint("split the report")
	default:
		return cause
	}
}

// machine runs programs for one goroutine of one parse.
type machine struct {
	clock  *clock
	slot   int // of the clock
	forks  int
	limits Limits
	tables *tables
	feeds  map[*program]*feed
	evals  map[*program]*eval
}

func newMachine(c *clock, limits Limits, t *tables) *machine {
	return &machine{clock: c, limits: limits, tables: t, feeds: map[*program]*feed{}, evals: map[*program]*eval{}}
}

// fork makes a machine for another goroutine.
func (m *machine) fork() *machine {
	m.forks = m.forks%maxWorkers + 1
	f := newMachine(m.clock, m.limits, m.tables)
	f.slot = m.forks
	return f
}

// feed hands inputs to a running program, one at a time.
type feed struct {
	tables *tables
	next   any
	ready  bool
	iter   gojq.Iter
}

// Next is called by gojq when the program wants its next input. It is asked only
// after one was put there.
func (f *feed) Next() (any, bool) {
	v, ok := f.next, f.ready
	f.next, f.ready = nil, false
	return v, ok
}

// run gives each output of p on input to emit.
func (m *machine) run(p *program, input any, keys []any, emit func(any) error) error {
	if err := p.compile(); err != nil {
		return err
	}
	if p.fast != nil {
		e := m.evals[p]
		if e == nil {
			e = newEval(m.clock, m.tables, p.fast)
			m.evals[p] = e
		}
		m.clock.start(m.slot)
		out, err := p.fast.run(e, input, keys, m.limits.Outputs)
		m.clock.idle(m.slot)
		if err == nil && len(out) <= m.limits.Outputs {
			for _, v := range out {
				if err := emit(v); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return m.runSlow(p, input, keys, emit)
}

// runSlow does it by gojq.
func (m *machine) runSlow(p *program, input any, keys []any, emit func(any) error) (err error) {
	f := m.feeds[p]
	if f == nil {
		if err := p.compile(); err != nil {
			return err
		}
		code, err := p.code()
		if err != nil {
			return err
		}
		f = &feed{tables: m.tables}
		f.iter = code.RunWithContext(m.clock, nil, f)
		m.feeds[p] = f
	}
	m.clock.start(m.slot)
	whole := false
	defer func() {
		m.clock.idle(m.slot)
		if r := recover(); r != nil {
			err = p.errorf("%s: %v", p.what, r)
		}
		if !whole {
			delete(m.feeds, p) // it stands in the middle of something
		}
	}()
	f.next, f.ready = input, true
	if p.pairs {
		if keys == nil {
			keys = []any{}
		}
		f.next = []any{input, keys}
	}
	for n := 0; ; n++ {
		v, ok := f.iter.Next()
		if !ok || v == endOfOutputs {
			whole = ok
			return nil
		}
		if e, ok := v.(error); ok {
			return m.runError(p, e)
		}
		if n >= m.limits.Outputs {
			return tooLarge("", "%s gave more than %d results for one row", p.what, m.limits.Outputs)
		}
		if err := emit(v); err != nil {
			return err
		}
	}
}

func (m *machine) runError(p *program, err error) error {
	if e := m.clock.err(m.limits); e != nil {
		return e
	}
	if se, ok := errors.AsType[*sinew.Error](err); ok {
		return se
	}
	msg := err.Error()
	if len(msg) > 300 {
		msg = strings.ToValidUTF8(msg[:300], "") + "..."
	}
	e := invalid("", "the mapping %s cannot read this row: %s", p.what, msg)
	e.Err = err
	return e.Hint("if the tool writes such rows, correct the mapping at %s:%d", p.file, p.src.line)
}

// one runs p and returns its first output, or nil.
func (m *machine) one(p *program, input any, keys []any) (any, error) {
	var out any
	first := true
	err := m.run(p, input, keys, func(v any) error {
		if first {
			out, first = v, false
		}
		return nil
	})
	return out, err
}
