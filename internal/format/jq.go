package format

import (
	"context"
	_ "embed" // the prelude
	"errors"
	"fmt"
	"reflect"
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

	once sync.Once
	code *gojq.Code
	err  error
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
	for i := len(pre) - 1; i >= 0; i-- {
		if used[pre[i].Name] {
			keep = append(keep, pre[i])
			collect(reflect.ValueOf(pre[i]), used)
		}
	}
	all := make([]*gojq.FuncDef, 0, len(keep)+len(defs)+len(q.FuncDefs))
	for i := len(keep) - 1; i >= 0; i-- {
		all = append(all, keep[i])
	}
	all = append(all, defs...)
	q.FuncDefs = append(all, q.FuncDefs...)
	options := append(functions(),
		gojq.WithVariables([]string{"$__state", "$keys"}),
		gojq.WithEnvironLoader(func() []string { return nil }))
	code, err := gojq.Compile(q, options...)
	if err != nil {
		return nil, p.errorf(p.src.line, "%s: %v", p.what, err)
	}
	return code, nil
}

func (p *program) syntaxError(src source, err error) error {
	line := src.line
	var pe *gojq.ParseError
	if errors.As(err, &pe) {
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
		for i := range v.NumField() {
			collect(v.Field(i), used)
		}
	}
}

// clock stops programs that run too long: one context for a whole parse,
// cancelled by a goroutine that looks at when the current row began.
type clock struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	began  atomic.Int64 // nanoseconds of the row being mapped; 0 when none is
	done   chan struct{}
}

var (
	errRowTime  = errors.New("row time")
	errFileTime = errors.New("file time")
)

func newClock(ctx context.Context, row, file time.Duration) *clock {
	c := &clock{done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	start := time.Now()
	go func() {
		tick := time.NewTicker(min(row/4, 100*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-c.done:
				return
			case <-c.ctx.Done():
				return
			case now := <-tick.C:
				if b := c.began.Load(); b != 0 && now.UnixNano()-b > int64(row) {
					c.cancel(errRowTime)
				}
				if now.Sub(start) > file {
					c.cancel(errFileTime)
				}
			}
		}
	}()
	return c
}

func (c *clock) stop() {
	close(c.done)
	c.cancel(context.Canceled)
}

// err explains why the clock's context ended.
func (c *clock) err(limits Limits) error {
	switch cause := context.Cause(c.ctx); {
	case cause == nil:
		return nil
	case errors.Is(cause, errRowTime):
		return tooLarge("", "mapping one row took longer than %v", limits.RowTime).Hint("the mapping's program is too slow for this row")
	case errors.Is(cause, errFileTime):
		return tooLarge("", "reading the report took longer than %v", limits.FileTime).Hint("split the report")
	default:
		return cause
	}
}

// machine runs programs for one parse.
type machine struct {
	clock  *clock
	limits Limits
	tables *tables
}

// run gives each output of p on input to emit.
func (m *machine) run(p *program, input any, keys []any, emit func(any) error) (err error) {
	if err := p.compile(); err != nil {
		return err
	}
	m.clock.began.Store(time.Now().UnixNano())
	defer func() {
		m.clock.began.Store(0)
		if r := recover(); r != nil {
			err = p.errorf(p.src.line, "%s: %v", p.what, r)
		}
	}()
	if keys == nil {
		keys = noKeys
	}
	iter := p.code.RunWithContext(m.clock.ctx, input, m.tables, keys)
	for n := 0; ; n++ {
		v, ok := iter.Next()
		if !ok {
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

var noKeys = []any{}

func (m *machine) runError(p *program, err error) error {
	if e := m.clock.err(m.limits); e != nil {
		return e
	}
	var se *sinew.Error
	if errors.As(err, &se) {
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
