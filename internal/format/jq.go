package format

import (
	"context"
	_ "embed" // the prelude
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/itchyny/gojq"

	"github.com/sinewsec/sinew/internal/sinew"
)

//go:embed prelude.jq
var preludeText string

// prelude is parsed once; its definitions only refer to earlier ones.
var prelude = sync.OnceValues(func() ([]*gojq.FuncDef, error) {
	q, err := gojq.Parse(preludeText + "\n.")
	if err != nil {
		return nil, fmt.Errorf("parse prelude.jq: %w", err)
	}
	return q.FuncDefs, nil
})

// forbidden are the functions that a mapping may not use: its output must
// depend on the report alone.
var forbidden = map[string]string{
	"env": "the environment", "$ENV": "the environment", "input": "other inputs", "inputs": "other inputs",
	"now": "the clock", "localtime": "the time zone", "strflocaltime": "the time zone", "mktime_local": "the time zone",
	"debug": "standard error", "stderr": "standard error", "halt": "the process", "halt_error": "the process",
	"input_line_number": "other inputs", "input_filename": "other inputs", "modulemeta": "modules",
	"get_search_list": "modules", "$__prog_args": "the command line", "_match": "internals",
}

// program is a jq program of a mapping file. It is compiled once, when first
// needed, and may then run in several goroutines.
type program struct {
	what string // "trivy finding"
	file string
	src  source
	defs source

	once  sync.Once
	code  *gojq.Code
	fast  *compiled // the same as closures, or nil
	pairs bool      // its inputs are pairs with keys
	err   error
}

func (p *program) compile() error {
	p.once.Do(func() { p.code, p.err = p.build() })
	return p.err
}

func (p *program) build() (*gojq.Code, error) {
	q, err := gojq.Parse(p.src.text)
	if err != nil {
		return nil, p.syntaxError(p.src, err)
	}
	var defs []*gojq.FuncDef
	if p.defs.text != "" {
		d, err := gojq.Parse(p.defs.text + "\n.")
		if err != nil {
			return nil, p.syntaxError(p.defs, err)
		}
		defs = d.FuncDefs
	}
	used := map[string]bool{}
	collect(reflect.ValueOf(q), used)
	for _, d := range defs {
		collect(reflect.ValueOf(d), used)
	}
	for name := range used {
		if what, ok := forbidden[name]; ok {
			return nil, p.errorf(p.src.line, "%s: %s is not available: a mapping must not depend on %s", p.what, name, what)
		}
	}
	if used["import"] {
		return nil, p.errorf(p.src.line, "%s: import and include are not available", p.what)
	}
	pre, err := prelude()
	if err != nil {
		return nil, err
	}
	var keep []*gojq.FuncDef
	for _, p := range slices.Backward(pre) {
		if used[p.Name] {
			keep = append(keep, p)
			collect(reflect.ValueOf(p), used)
		}
	}
	all := make([]*gojq.FuncDef, 0, len(keep)+len(defs)+len(q.FuncDefs))
	for _, k := range slices.Backward(keep) {
		all = append(all, k)
	}
	all = append(all, defs...)
	q.FuncDefs = append(all, q.FuncDefs...)
	p.pairs = used["$keys"]
	options := append(functions(),
		gojq.WithVariables([]string{"$__state"}),
		gojq.WithFunction("_end", 0, 0, func(any, []any) any { return endOfOutputs }),
		gojq.WithIterFunction("_inputs", 1, 1, func(_ any, a []any) gojq.Iter { return a[0].(*feed) }), //nolint:forcetypeassert // ours
		gojq.WithEnvironLoader(func() []string { return nil }))
	p.fast = compileFast(q, append(functions(), options[len(options)-1]))
	wrapped, err := wrap(q, p.pairs)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(wrapped, options...)
	if err != nil {
		return nil, p.errorf(p.src.line, "%s: %v", p.what, err)
	}
	return code, nil
}

// endOfOutputs follows the outputs of a program on one input.
var endOfOutputs any = new(struct{ int })

// wrap makes a program that runs over one input after the other, so that gojq's
// stacks are made once and not for every row. With keys, an input is the pair of
// the program's input and its $keys.
func wrap(q *gojq.Query, keys bool) (*gojq.Query, error) {
	text := "_inputs($__state) | ((.), _end)"
	if keys {
		text = "_inputs($__state) | . as $__in | $__in[1] as $keys | $__in[0] | ((.), _end)"
	}
	w, err := gojq.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("wrap a program: %w", err)
	}
	last := w
	for last.Right != nil {
		last = last.Right
	}
	last.Term.Query.Left.Term.Query = q
	return w, nil
}

func (p *program) syntaxError(src source, err error) error {
	line := src.line
	if pe, ok := errors.AsType[*gojq.ParseError](err); ok {
		end := min(max(pe.Offset-len(pe.Token), 0), len(src.text))
		line += strings.Count(src.text[:end], "\n")
	}
	return p.errorf(line, "%s: %v", p.what, err)
}

func (p *program) errorf(line int, msg string, args ...any) error {
	return invalid(p.file+":"+strconv.Itoa(line), msg, args...).Hint("correct the jq program")
}

// collect gathers the names of all functions and variables that a program calls.
func collect(v reflect.Value, used map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		switch n := v.Interface().(type) {
		case *gojq.Func:
			used[n.Name] = true
		case *gojq.Import:
			used["import"] = true
		}
		collect(v.Elem(), used)
	case reflect.Slice:
		for i := range v.Len() {
			collect(v.Index(i), used)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			collect(field, used)
		}
	default: // names and numbers
	}
}

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
		f = &feed{tables: m.tables}
		f.iter = p.code.RunWithContext(m.clock, nil, f)
		m.feeds[p] = f
	}
	m.clock.start(m.slot)
	whole := false
	defer func() {
		m.clock.idle(m.slot)
		if r := recover(); r != nil {
			err = p.errorf(p.src.line, "%s: %v", p.what, r)
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
