package format

import (
	_ "embed" // the prelude
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/itchyny/gojq"
)

// A process has hundreds of mappings and uses one or two of them. So nothing here
// is worked out before it is needed: definitions are parsed when a program first
// calls one, a program is compiled when it first runs, and by gojq, which is the
// dear part, only when its closures fall back on that. Engine.Check does all of it,
// so that no mistake stays unseen in a file that is not used.

// forbidden are the functions that a mapping may not use: its output must
// depend on the report alone.
var forbidden = map[string]string{
	"env": "the environment", "$ENV": "the environment", "input": "other inputs", "inputs": "other inputs",
	"now": "the clock", "localtime": "the time zone", "strflocaltime": "the time zone", "mktime_local": "the time zone",
	"debug": "standard error", "stderr": "standard error", "halt": "the process", "halt_error": "the process",
	"input_line_number": "other inputs", "input_filename": "other inputs", "modulemeta": "modules",
	"get_search_list": "modules", "$__prog_args": "the command line", "_match": "internals",
}

// definitions are functions written in jq: the prelude, or the defs of a mapping
// file. All programs of a file share them.
type definitions struct {
	what string // "trivy defs"
	file string
	src  source

	once sync.Once
	list []definition // each refers to itself and earlier ones only
	err  error
}

type definition struct {
	*gojq.FuncDef
	names func() map[string]bool // see names
}

//go:embed prelude.jq
var preludeText string

var prelude = &definitions{what: "prelude", file: "prelude.jq", src: source{text: preludeText, line: 1}}

func (d *definitions) parse() ([]definition, error) {
	d.once.Do(func() {
		q, err := gojq.Parse(d.src.text + "\n.")
		if err != nil {
			d.err = syntaxError(d.what, d.file, d.src, err)
			return
		}
		for _, f := range q.FuncDefs {
			d.list = append(d.list, definition{f, sync.OnceValue(func() map[string]bool { return names(f) })})
		}
	})
	return d.list, d.err
}

// mayDefine tells without parsing, which is dear, whether any of these names can be
// defined here.
func (d *definitions) mayDefine(used map[string]bool) bool {
	rest := d.src.text
	for {
		_, after, found := strings.Cut(rest, "def")
		if !found {
			return false
		}
		rest = after
		name := strings.TrimLeft(rest, " \t\r\n")
		end := strings.IndexFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if used[name[:max(end, 0)]] || strings.HasPrefix(name, "#") { // the name may follow a comment
			return true
		}
	}
}

// called gives the definitions that something with these names in it can call, and
// adds the names that are in those.
func (d *definitions) called(used map[string]bool) ([]*gojq.FuncDef, error) {
	if d == nil || !d.mayDefine(used) {
		return nil, nil
	}
	list, err := d.parse()
	if err != nil {
		return nil, err
	}
	var keep []*gojq.FuncDef
	for _, f := range slices.Backward(list) {
		if used[f.Name] {
			keep = append(keep, f.FuncDef)
			maps.Copy(used, f.names())
		}
	}
	slices.Reverse(keep)
	return keep, nil
}

// program is a jq program of a mapping file. It is compiled once, when first
// needed, and may then run in several goroutines.
type program struct {
	what string // "trivy finding"
	file string
	src  source
	defs *definitions // of the file; nil if it has none

	once  sync.Once
	fast  *compiled                  // as closures, or nil
	code  func() (*gojq.Code, error) // by gojq; compiled when first asked for
	pairs bool                       // its inputs are pairs with keys
	err   error
}

// compile makes p ready to run.
func (p *program) compile() error {
	p.once.Do(func() { p.err = p.build() })
	return p.err
}

// check finds every mistake that can be found without running p.
func (p *program) check() error {
	if err := p.compile(); err != nil {
		return err
	}
	_, err := p.code()
	return err
}

func (p *program) build() error {
	q, err := gojq.Parse(p.src.text)
	if err != nil {
		return syntaxError(p.what, p.file, p.src, err)
	}
	used := names(q)
	defs, err := p.defs.called(used)
	if err != nil {
		return err
	}
	for name := range used {
		if what, ok := forbidden[name]; ok {
			return p.errorf("%s: %s is not available: a mapping must not depend on %s", p.what, name, what)
		}
	}
	if used["import"] {
		return p.errorf("%s: import and include are not available", p.what)
	}
	pre, err := prelude.called(used)
	if err != nil {
		return err
	}
	q.FuncDefs = slices.Concat(pre, defs, q.FuncDefs)
	p.pairs = used["$keys"]
	p.code = sync.OnceValues(func() (*gojq.Code, error) { return p.byGojq(q) })
	if p.fast = compileFast(q, compilerOptions()); p.fast == nil {
		_, err = p.code()
	}
	return err
}

// compilerOptions are what every program is compiled with.
var compilerOptions = sync.OnceValue(func() []gojq.CompilerOption {
	return slices.Clip(append(functions(), gojq.WithEnvironLoader(func() []string { return nil })))
})

func (p *program) byGojq(q *gojq.Query) (*gojq.Code, error) {
	wrapped, err := wrap(q, p.pairs)
	if err != nil {
		return nil, err
	}
	code, err := gojq.Compile(wrapped, append(compilerOptions(),
		gojq.WithVariables([]string{"$__state"}),
		gojq.WithFunction("_end", 0, 0, func(any, []any) any { return endOfOutputs }),
		gojq.WithIterFunction("_inputs", 1, 1, func(_ any, a []any) gojq.Iter { return a[0].(*feed) }))...) //nolint:forcetypeassert // ours
	if err != nil {
		return nil, p.errorf("%s: %v", p.what, err)
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

// errorf is about the whole program.
func (p *program) errorf(msg string, args ...any) error {
	return programError(p.file, p.src.line, msg, args...)
}

func programError(file string, line int, msg string, args ...any) error {
	return invalid(file+":"+strconv.Itoa(line), msg, args...).Hint("correct the jq program")
}

func syntaxError(what, file string, src source, err error) error {
	line := src.line
	if pe, ok := errors.AsType[*gojq.ParseError](err); ok {
		end := min(max(pe.Offset-len(pe.Token), 0), len(src.text))
		line += strings.Count(src.text[:end], "\n")
	}
	return programError(file, line, "%s: %v", what, err)
}

// names are those of all functions and variables that a part of a program calls.
func names(part any) map[string]bool {
	used := map[string]bool{}
	collect(reflect.ValueOf(part), used)
	return used
}

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
		for i := range v.NumField() { //nolint:modernize // Fields also describes each field, which takes most of the time
			collect(v.Field(i), used)
		}
	default: // names and numbers
	}
}
