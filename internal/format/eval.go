package format

import (
	"errors"
	"slices"
	"strconv"

	"github.com/itchyny/gojq"
)

// The programs of a mapping run over every row of a report, and gojq's machine is
// slow for that: it is built around backtracking, and most of a mapping has one
// output for one input. So a program is also compiled to Go closures that know
// how many outputs they can have. gojq stays the measure: what the closures do
// not know is left to it, part by part, and a row on which they meet an error is
// run again by it from the beginning, so that there is one set of messages.
// node is a compiled part of a program. What it may give decides which function
// is its own; the more general ones are derived.
type node struct {
	gives int // one, maybe, many
	one   func(e *eval, v any) (any, error)
	maybe func(e *eval, v any) (any, bool, error)
	many  func(e *eval, v any, emit func(any) error) error

	fixed bool // always gives value
	value any
}

const (
	one   = iota // exactly one output
	maybe        // none or one
	many
)

// eval is the state of a running program; it belongs to one machine.
type eval struct {
	clock  *clock
	tables *feed // $__state
	slots  []any // variables; every place in the program has its own
	args   []any // of native functions being called
	stack  []any // of arrays being gathered
	push   func(any) error
	tests  []tested
	depth  int
	steps  int
}

// tested is what a pattern said of the last text: much of what rows are asked, such
// as who wrote the report, is the same for all.
type tested struct {
	text       string
	known, yes bool
}

func newEval(c *clock, t *tables, p *compiled) *eval {
	e := &eval{clock: c, tables: &feed{tables: t}, slots: make([]any, p.slots), tests: make([]tested, p.tests)}
	e.push = func(x any) error { e.stack = append(e.stack, x); return nil }
	return e
}

// noElements is the empty array, made once.
var noElements any = []any{}

// gathered takes what was pushed since the stack had that height, as an array.
// Gatherings are nested like calls, since each ends before it gives its result.
func (e *eval) gathered(height int, err error) (any, error) {
	top := e.stack[height:]
	var out any
	switch {
	case err != nil:
	case len(top) == 0:
		out = noElements
	default:
		out = append(make([]any, 0, len(top)), top...)
	}
	clear(top)
	e.stack = e.stack[:height]
	return out, err
}

const (
	maxEvalDepth = 1000
	maxEvalNodes = 60_000
)

var (
	errUnknown  = errors.New("not compiled")     // at compile time: gojq must do it
	errFallback = errors.New("left to gojq")     // at run time: gojq must run the whole program
	errValue    = errors.New("error in a value") // any error of jq
	errStop     = errors.New("stop")             // enough outputs
)

// mark ends a label; each label has its own.
type mark struct{}

func (*mark) Error() string { return "break" }

// caught reports whether try suppresses err.
func caught(err error) bool {
	if err == errFallback || err == errStop { //nolint:errorlint // never wrapped
		return false
	}
	_, is := err.(*mark) //nolint:errorlint // never wrapped
	return !is
}

// step lets the clock stop a loop.
func (e *eval) step() error {
	if e.steps++; e.steps&0xff == 0 {
		select {
		case <-e.clock.done:
			return errFallback
		default:
		}
	}
	return nil
}

func mkOne(f func(*eval, any) (any, error)) *node {
	return &node{
		gives: one, one: f,
		maybe: func(e *eval, v any) (any, bool, error) { x, err := f(e, v); return x, err == nil, err },
		many: func(e *eval, v any, emit func(any) error) error {
			x, err := f(e, v)
			if err != nil {
				return err
			}
			return emit(x)
		},
	}
}

func mkMaybe(f func(*eval, any) (any, bool, error)) *node {
	return &node{
		gives: maybe, maybe: f,
		many: func(e *eval, v any, emit func(any) error) error {
			x, ok, err := f(e, v)
			if err != nil || !ok {
				return err
			}
			return emit(x)
		},
	}
}

func mkMany(f func(*eval, any, func(any) error) error) *node { return &node{gives: many, many: f} }

func mkValue(x any) *node {
	n := mkOne(func(*eval, any) (any, error) { return x, nil })
	n.fixed, n.value = true, x
	return n
}

// first gives the first output of n, if there is one.
func (n *node) first(e *eval, v any) (any, bool, error) {
	if n.gives < many {
		return n.maybe(e, v)
	}
	var out any
	found := false
	err := n.many(e, v, func(x any) error { out, found = x, true; return errStop })
	if found {
		return out, true, nil
	}
	return nil, false, err
}

// sight is what a part of a program sees: variables, functions and labels, the
// innermost first, and the functions that are being written out around it.
type sight struct {
	binds  *bind
	active *active
}

type bind struct {
	next *bind
	name string // "$x", "f/2", "*label"
	slot int
	def  *gojq.FuncDef
	arg  *gojq.Query // a parameter: what was given for it
	node *node       // a variable that is always the same
	at   sight       // where arg was written
	mark *mark
}

type active struct {
	next *active
	def  *gojq.FuncDef
	self *recursive
}

// recursive is a function that calls itself: its body exists once, and a call
// saves the variables of the one before.
type recursive struct {
	body   *node
	params []int
	lo, hi int
	used   bool
	folded bool // a parameter was replaced by its only value
}

type builder struct {
	slots   int
	tests   int
	nodes   int
	natives map[string]native
	options []gojq.CompilerOption
	top     []*gojq.FuncDef // visible everywhere
}

func (s sight) with(b *bind) sight {
	b.next = s.binds
	return sight{b, s.active}
}

func (s sight) find(name string) *bind {
	for b := s.binds; b != nil; b = b.next {
		if b.name == name {
			return b
		}
	}
	return nil
}

func funcName(name string, args int) string { return name + "/" + strconv.Itoa(args) }

// compiled is a program as closures.
type compiled struct {
	root  *node
	slots int
	tests int // patterns that remember the last text
	keys  int // slot of $keys
}

// compileFast compiles q with its definitions; nil if nothing is won by it.
func compileFast(q *gojq.Query, options []gojq.CompilerOption) (c *compiled) {
	defer func() {
		if recover() != nil {
			c = nil // an unusual syntax tree
		}
	}()
	b := &builder{natives: nativesByName(), options: options, top: q.FuncDefs}
	s := sight{}
	s = s.with(&bind{name: "$keys", slot: b.slot()})
	root, err := b.query(q, s)
	if err != nil {
		return nil
	}
	return &compiled{root: root, slots: b.slots, tests: b.tests, keys: 0}
}

func (b *builder) slot() int { b.slots++; return b.slots - 1 }

// query compiles q; what is not known is given to gojq if it can stand alone.
func (b *builder) query(q *gojq.Query, s sight) (*node, error) {
	if b.nodes++; b.nodes > maxEvalNodes {
		return nil, errUnknown
	}
	for _, d := range q.FuncDefs {
		s = s.with(&bind{name: funcName(d.Name, len(d.Args)), def: d})
		s.binds.at = s
	}
	slots := b.slots
	n, err := b.body(q, s)
	if err != nil && b.nodes <= maxEvalNodes {
		b.slots = slots
		return b.foreign(q, s)
	}
	return n, err
}

func (b *builder) body(q *gojq.Query, s sight) (*node, error) {
	if q.Term != nil {
		return b.term(q.Term, s)
	}
	switch q.Op { //nolint:exhaustive // the other operators combine two values, below
	case gojq.OpPipe:
		if len(q.Patterns) > 0 {
			return b.bind(q, s)
		}
		l, r, err := b.both(q, s)
		if err != nil {
			return nil, err
		}
		return pipe(l, r), nil
	case gojq.OpComma:
		l, r, err := b.both(q, s)
		if err != nil {
			return nil, err
		}
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			if err := l.many(e, v, emit); err != nil {
				return err
			}
			return r.many(e, v, emit)
		}), nil
	case gojq.OpAlt:
		l, r, err := b.both(q, s)
		if err != nil {
			return nil, err
		}
		return alternative(l, r), nil
	case gojq.OpAnd, gojq.OpOr:
		l, r, err := b.both(q, s)
		if err != nil {
			return nil, err
		}
		yes, no := truth(r), mkValue(false)
		if q.Op == gojq.OpOr {
			yes, no = mkValue(true), yes
		}
		return choose(l, yes, no), nil
	case gojq.OpAssign, gojq.OpModify, gojq.OpUpdateAdd, gojq.OpUpdateAlt:
		return b.update(q, s)
	}
	l, r, err := b.both(q, s)
	if err != nil {
		return nil, err
	}
	f, err := b.operator(q.Op)
	if err != nil {
		return nil, err
	}
	return combine(l, r, f), nil
}

func (b *builder) both(q *gojq.Query, s sight) (*node, *node, error) {
	l, err := b.query(q.Left, s)
	if err != nil {
		return nil, nil, err
	}
	r, err := b.query(q.Right, s)
	return l, r, err
}

// foreign leaves q to gojq, with the variables and functions that it sees.
func (b *builder) foreign(q *gojq.Query, s sight) (*node, error) {
	used := names(q)
	var defs []*gojq.FuncDef
	var visible []string
	var vars []*node
	seen := map[string]bool{}
	for x := s.binds; x != nil; x = x.next {
		if seen[x.name] {
			continue
		}
		seen[x.name] = true
		switch {
		case x.name[0] == '*':
		case x.name[0] == '$':
			visible, vars = append(visible, x.name), append(vars, b.variable(x))
		case x.def != nil:
			if used[x.def.Name] && !slices.Contains(b.top, x.def) {
				return nil, errUnknown // a local function
			}
		default:
			if used[x.name[:len(x.name)-2]] {
				return nil, errUnknown // a parameter
			}
		}
	}
	defs = append(defs, b.top...)
	defs = append(defs, q.FuncDefs...)
	if len(b.top) > 0 && len(q.FuncDefs) >= len(b.top) && &q.FuncDefs[0] == &b.top[0] {
		return nil, errUnknown // the whole program
	}
	sub := *q
	sub.FuncDefs = defs
	code, err := gojq.Compile(&sub, append(slices.Clone(b.options), gojq.WithVariables(append([]string{"$__state"}, visible...)))...)
	if err != nil {
		return nil, errUnknown
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		values := make([]any, 1, len(vars)+1)
		values[0] = e.tables
		for _, n := range vars {
			x, err := n.one(e, nil)
			if err != nil {
				return err
			}
			values = append(values, x)
		}
		it := code.RunWithContext(e.clock, v, values...)
		for {
			x, ok := it.Next()
			if !ok {
				return nil
			}
			if _, bad := x.(error); bad {
				if e.clock.Err() != nil {
					return errFallback
				}
				return errValue
			}
			if err := emit(x); err != nil {
				return err
			}
		}
	}), nil
}

// run gives the outputs of c on one input.
func (c *compiled) run(e *eval, v any, keys []any, limit int) (out []any, err error) {
	defer func() {
		if recover() != nil {
			err = errFallback
		}
	}()
	e.depth, e.args, e.stack = 0, e.args[:0], e.stack[:0]
	if keys == nil {
		keys = []any{}
	}
	e.slots[c.keys] = keys
	err = c.root.many(e, v, func(x any) error {
		if len(out) > limit {
			return errFallback
		}
		out = append(out, x)
		return nil
	})
	return out, err
}
