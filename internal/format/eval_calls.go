package format

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

func (b *builder) variable(x *bind) *node {
	if x.node != nil {
		return x.node
	}
	slot := x.slot
	return mkOne(func(e *eval, _ any) (any, error) { return e.slots[slot], nil })
}

// call compiles a variable or the call of a function.
func (b *builder) call(f *gojq.Func, s sight) (*node, error) {
	if f.Name[0] == '$' {
		if f.Name == "$__state" {
			return mkOne(func(e *eval, _ any) (any, error) { return e.tables, nil }), nil
		}
		x := s.find(f.Name)
		if x == nil {
			return nil, errUnknown
		}
		return b.variable(x), nil
	}
	x := s.find(funcName(f.Name, len(f.Args)))
	switch {
	case x == nil:
		if n, err := b.builtin(f, s); err == nil {
			return n, nil
		}
		return b.plainCall(f, s)
	case x.arg != nil:
		return b.query(x.arg, x.at)
	case inPrelude(x.def):
		if n, err := b.short(f, s); err == nil {
			return n, nil
		}
	}
	for a := s.active; a != nil; a = a.next {
		if a.def == x.def {
			return b.again(a.self, f, s)
		}
	}
	return b.inline(x, f, s)
}

// inline writes out the body of a function.
func (b *builder) inline(x *bind, f *gojq.Func, s sight) (*node, error) {
	self := &recursive{lo: b.slots}
	in := sight{x.at.binds, &active{s.active, x.def, self}}
	args := make([]*node, len(f.Args))
	sets := make([]func(*eval, any) error, len(f.Args))
	plain := true
	for i, p := range x.def.Args {
		if p[0] != '$' {
			plain = false
			in = in.with(&bind{name: funcName(p, 0), arg: f.Args[i], at: s})
			continue
		}
		n, err := b.query(f.Args[i], s)
		if err != nil {
			return nil, err
		}
		slot := b.slot()
		v := &bind{name: p, slot: slot}
		if n.fixed && !recurses(x.def) {
			v.node, self.folded = n, true
		} else {
			args[i], sets[i] = n, func(e *eval, v any) error { e.slots[slot] = v; return nil }
		}
		self.params = append(self.params, slot)
		in = in.with(&bind{name: funcName(p[1:], 0), arg: f.Args[i], at: s}).with(v)
	}
	if !plain {
		self.params = nil
	}
	self.used = false
	body, err := b.query(x.def.Body, in)
	if err != nil {
		return nil, err
	}
	self.body, self.hi = body, b.slots
	if self.used && (body.gives != one || !plain) {
		return nil, errUnknown
	}
	for i, a := range slices.Backward(args) {
		if a != nil {
			body = bound(a, sets[i], body)
		}
	}
	return body, nil
}

// recurses reports whether a function names itself, or one that it could share with others.
func recurses(d *gojq.FuncDef) bool {
	return strings.Contains(d.Body.String(), d.Name+"(")
}

// again calls a function from within itself.
func (b *builder) again(self *recursive, f *gojq.Func, s sight) (*node, error) {
	if self.folded || len(self.params) != len(f.Args) {
		return nil, errUnknown
	}
	self.used = true
	args := make([]*node, len(f.Args))
	for i, q := range f.Args {
		n, err := b.query(q, s)
		if err != nil {
			return nil, err
		}
		if n.gives != one {
			return nil, errUnknown
		}
		args[i] = n
	}
	return mkOne(func(e *eval, v any) (any, error) {
		if e.depth++; e.depth > maxEvalDepth {
			return nil, errFallback
		}
		if err := e.step(); err != nil {
			return nil, err
		}
		given := make([]any, len(args))
		for i, a := range args {
			x, err := a.one(e, v)
			if err != nil {
				return nil, err
			}
			given[i] = x
		}
		saved := slices.Clone(e.slots[self.lo:self.hi])
		for i, p := range self.params {
			e.slots[p] = given[i]
		}
		x, err := self.body.one(e, v)
		copy(e.slots[self.lo:self.hi], saved)
		e.depth--
		return x, err
	}), nil
}

var preludeDefs = sync.OnceValue(func() map[*gojq.FuncDef]bool {
	defs, _ := prelude.parse()
	m := make(map[*gojq.FuncDef]bool, len(defs))
	for _, d := range defs {
		m[d.FuncDef] = true
	}
	return m
})

func inPrelude(d *gojq.FuncDef) bool { return preludeDefs()[d] }

var nativesByName = sync.OnceValue(func() map[string]native {
	m := map[string]native{}
	for _, n := range natives() {
		m[funcName(n.name, n.args)] = n
	}
	return m
})

// short are functions of the prelude that are worth more than being written out.
func (b *builder) short(f *gojq.Func, s sight) (*node, error) {
	switch funcName(f.Name, len(f.Args)) {
	case "nonblank/0":
		return mkMaybe(func(_ *eval, v any) (any, bool, error) { return v, !isBlank(v), nil }), nil
	case "first_of/1":
		return b.firstOf(f.Args[0], s)
	case "test/1", "test/2":
		pattern, flags := constText(f.Args[0]), ""
		if len(f.Args) == 2 {
			if flags = constText(f.Args[1]); flags == "" {
				return nil, errUnknown
			}
		}
		re, err := regexes.get(pattern, flags)
		if err != nil || pattern == "" || strings.Contains(flags, "g") {
			return nil, errUnknown
		}
		at := b.tests
		b.tests++
		return mkOne(func(e *eval, v any) (any, error) {
			t, ok := v.(string)
			switch {
			case v == nil:
				return false, nil
			case !ok || len(t) > maxRegexText:
				return nil, errValue
			case len(t) > maxTested:
				return re.MatchString(t), nil
			}
			last := &e.tests[at]
			if !last.known || last.text != t {
				*last = tested{t, true, re.MatchString(t)}
			}
			return last.yes, nil
		}), nil
	case "sub/2", "gsub/2", "capture/1":
		// Mostly there is nothing to do.
		pattern := constText(f.Args[0])
		re, err := regexes.get(pattern, "")
		if err != nil || pattern == "" {
			return nil, errUnknown
		}
		if f.Name != "capture" && !re.MatchString("") {
			if to, err := b.query(f.Args[1], s); err == nil && to.fixed {
				if t, ok := to.value.(string); ok {
					return substitute(f.Name == "gsub", re, t), nil
				}
			}
		}
		full, err := b.inline(s.find(funcName(f.Name, len(f.Args))), f, s)
		if err != nil {
			return nil, err
		}
		return unlessNone(f.Name, re, full), nil
	}
	return nil, errUnknown
}

// maxTested bounds the texts that are remembered.
const maxTested = 1 << 10

// substitute is sub or gsub with a text that is always the same.
func substitute(all bool, re *regexp.Regexp, to string) *node {
	return mkOne(func(_ *eval, v any) (any, error) {
		t, ok := v.(string)
		switch {
		case !ok, len(t) > maxRegexText, all && len(t) > maxGlobalText, len(to) > 256:
			return nil, errFallback
		case all:
			return re.ReplaceAllLiteralString(t, to), nil
		}
		at := re.FindStringIndex(t)
		if at == nil {
			return t, nil
		}
		return t[:at[0]] + to + t[at[1]:], nil
	})
}

func unlessNone(name string, re *regexp.Regexp, full *node) *node {
	limit := maxRegexText
	if name == "gsub" {
		limit = maxGlobalText
	}
	none := func(v any) bool {
		t, ok := v.(string)
		return ok && len(t) <= limit && !re.MatchString(t)
	}
	if full.gives < many {
		g := func(e *eval, v any) (any, bool, error) {
			if none(v) {
				return v, name != "capture", nil
			}
			return full.maybe(e, v)
		}
		if full.gives == one {
			return mkOne(func(e *eval, v any) (any, error) { x, _, err := g(e, v); return x, err })
		}
		return mkMaybe(g)
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		if none(v) {
			if name == "capture" {
				return nil
			}
			return emit(v)
		}
		return full.many(e, v, emit)
	})
}

func constText(q *gojq.Query) string {
	if t := q.Term; t != nil && t.Type == gojq.TermTypeString && len(t.SuffixList) == 0 && t.Str.Queries == nil && len(q.FuncDefs) == 0 {
		return t.Str.Str
	}
	return ""
}

// commas compiles the parts of a, b, c one by one.
func (b *builder) commas(q *gojq.Query, s sight) ([]*node, error) {
	if t := q.Term; t != nil && t.Type == gojq.TermTypeQuery && len(t.SuffixList) == 0 && len(q.FuncDefs) == 0 {
		return b.commas(t.Query, s)
	}
	if q.Op == gojq.OpComma && len(q.FuncDefs) == 0 {
		l, err := b.commas(q.Left, s)
		if err != nil {
			return nil, err
		}
		r, err := b.commas(q.Right, s)
		return append(l, r...), err
	}
	n, err := b.query(q, s)
	return []*node{n}, err
}

// firstOf is: first(f | nonblank) // null.
func (b *builder) firstOf(q *gojq.Query, s sight) (*node, error) {
	parts, err := b.commas(q, s)
	if err != nil {
		return nil, err
	}
	result := func(x any) any {
		if x == false {
			return nil
		}
		return x
	}
	return mkOne(func(e *eval, v any) (any, error) {
		for _, p := range parts {
			if p.gives < many {
				x, ok, err := p.maybe(e, v)
				if err != nil {
					return nil, err
				}
				if ok && !isBlank(x) {
					return result(x), nil
				}
				continue
			}
			var out any
			found := false
			err := p.many(e, v, func(x any) error {
				if isBlank(x) {
					return nil
				}
				out, found = x, true
				return errStop
			})
			if found {
				return result(out), nil
			}
			if err != nil {
				return nil, err
			}
		}
		return nil, nil
	}), nil
}

func isType(name string) func(any) bool { return func(v any) bool { return gojq.TypeOf(v) == name } }

var filters = map[string]func(any) bool{
	"arrays": isType("array"), "booleans": isType("boolean"), "nulls": isType("null"),
	"numbers":   isType("number"),
	"objects":   func(v any) bool { _, ok := v.(map[string]any); return ok },
	"strings":   func(v any) bool { _, ok := v.(string); return ok },
	"values":    func(v any) bool { return v != nil },
	"scalars":   func(v any) bool { t := gojq.TypeOf(v); return t != "array" && t != "object" },
	"iterables": func(v any) bool { t := gojq.TypeOf(v); return t == "array" || t == "object" },
}

// builtin compiles jq's own functions that take functions, and the frequent ones.
func (b *builder) builtin(f *gojq.Func, s sight) (*node, error) {
	if len(f.Args) == 0 {
		if keep, ok := filters[f.Name]; ok {
			return mkMaybe(func(_ *eval, v any) (any, bool, error) { return v, keep(v), nil }), nil
		}
	}
	arg := func(i int) (*node, error) { return b.query(f.Args[i], s) }
	if f.Name == "del" && len(f.Args) == 1 {
		path, ok := plainPath(f.Args[0])
		if !ok || len(path) != 1 {
			return nil, errUnknown
		}
		return mkOne(func(_ *eval, v any) (any, error) {
			m, ok := v.(map[string]any)
			if !ok {
				return nil, errFallback
			}
			m = maps.Clone(m)
			delete(m, path[0])
			return m, nil
		}), nil
	}
	each := mkMany(iterate)
	self := mkOne(func(_ *eval, v any) (any, error) { return v, nil })
	switch funcName(f.Name, len(f.Args)) {
	case "empty/0":
		return mkMaybe(func(*eval, any) (any, bool, error) { return nil, false, nil }), nil
	case "not/0":
		return mkOne(func(_ *eval, v any) (any, error) { return !isTrue(v), nil }), nil
	case "error/0", "error/1":
		return mkOne(func(*eval, any) (any, error) { return nil, errFallback }), nil
	case "first/0":
		return mkOne(func(_ *eval, v any) (any, error) { return indexValue(v, 0) }), nil
	case "last/0":
		return mkOne(func(_ *eval, v any) (any, error) { return indexValue(v, -1) }), nil
	case "recurse/0":
		return mkMany(recurseAll), nil
	case "to_entries/0":
		return mkOne(toEntries), nil
	case "add/0":
		return mkOne(func(_ *eval, v any) (any, error) { return addAll(v) }), nil
	case "any/0", "all/0":
		return anyElement(self, f.Name == "all"), nil
	}
	if len(f.Args) == 0 {
		return nil, errUnknown
	}
	x, err := arg(0)
	if err != nil {
		return nil, err
	}
	switch funcName(f.Name, len(f.Args)) {
	case "select/1":
		if x.gives == one {
			return mkMaybe(func(e *eval, v any) (any, bool, error) {
				c, err := x.one(e, v)
				return v, err == nil && isTrue(c), err
			}), nil
		}
		return choose(x, self, mkMaybe(func(*eval, any) (any, bool, error) { return nil, false, nil })), nil
	case "map/1":
		return gather(pipe(each, x)), nil
	case "add/1":
		return pipe(gather(x), mkOne(func(_ *eval, v any) (any, error) { return addAll(v) })), nil
	case "map_values/1":
		return mapValues(x)
	case "with_entries/1":
		from, err := b.native("from_entries", nil)
		if err != nil {
			from, err = b.query(mustQuery("from_entries"), s)
		}
		if err != nil {
			return nil, err
		}
		return pipe(mkOne(toEntries), pipe(gather(pipe(each, x)), from)), nil
	case "first/1":
		return mkMaybe(x.first), nil
	case "last/1":
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			var out any
			found := false
			err := x.many(e, v, func(y any) error { out, found = y, true; return nil })
			return out, found && err == nil, err
		}), nil
	case "isempty/1":
		return mkOne(func(e *eval, v any) (any, error) {
			_, ok, err := x.first(e, v)
			return !ok, err
		}), nil
	case "any/1", "all/1":
		return anyElement(x, f.Name == "all"), nil
	case "any/2", "all/2":
		c, err := arg(1)
		if err != nil {
			return nil, err
		}
		return anyOf(x, c, f.Name == "all"), nil
	case "IN/1":
		return b.in(f.Args[0], s)
	case "paths/1":
		if x.gives == many {
			return nil, errUnknown
		}
		return mkMany(func(e *eval, v any, emit func(any) error) error { return paths(e, x, nil, v, emit) }), nil
	case "limit/2":
		g, err := arg(1)
		if err != nil {
			return nil, err
		}
		return limited(x, g)
	case "range/1", "range/2":
		from, to := mkValue(0), x
		if len(f.Args) == 2 {
			if to, err = arg(1); err != nil {
				return nil, err
			}
			from = x
		}
		return counted(from, to)
	case "recurse/1":
		return mkMany(func(e *eval, v any, emit func(any) error) error { return recurseBy(e, x, v, emit) }), nil
	case "sort_by/1", "group_by/1", "unique_by/1", "min_by/1", "max_by/1":
		return b.native("_"+f.Name, []*node{gather(pipe(each, gather(x)))})
	}
	return nil, errUnknown
}
