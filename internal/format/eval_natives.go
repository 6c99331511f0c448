package format

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// Programs as closures: the functions that are Go from the start (see eval.go).

func mustQuery(text string) *gojq.Query {
	q, err := gojq.Parse(text)
	if err != nil {
		panic(err) //nolint:forbidigo // a text of ours, parsed by every test
	}
	return q
}

func gather(n *node) *node {
	return mkOne(func(e *eval, v any) (any, error) {
		height := len(e.stack)
		return e.gathered(height, n.many(e, v, e.push))
	})
}

func recurseAll(e *eval, v any, emit func(any) error) error {
	if err := e.step(); err != nil {
		return err
	}
	if err := emit(v); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any, map[string]any:
		if e.depth++; e.depth > maxEvalDepth {
			return errFallback
		}
		err := iterate(e, v, func(x any) error { return recurseAll(e, x, emit) })
		e.depth--
		return err
	}
	return nil
}

// paths gives the paths of what meets the condition, below the top.
func paths(e *eval, cond *node, at []any, v any, emit func(any) error) error {
	if err := e.step(); err != nil {
		return err
	}
	if len(at) > maxEvalDepth {
		return errFallback
	}
	if len(at) > 0 {
		x, ok, err := cond.maybe(e, v)
		if err == nil && ok && isTrue(x) {
			err = emit(slices.Clone(at))
		}
		if err != nil {
			return err
		}
	}
	switch v := v.(type) {
	case []any:
		for i, x := range v {
			if err := paths(e, cond, append(at, i), x, emit); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := paths(e, cond, append(at, k), v[k], emit); err != nil {
				return err
			}
		}
	}
	return nil
}

func recurseBy(e *eval, f *node, v any, emit func(any) error) error {
	if err := e.step(); err != nil {
		return err
	}
	if e.depth++; e.depth > maxEvalDepth {
		return errFallback
	}
	err := emit(v)
	if err == nil {
		err = f.many(e, v, func(x any) error { return recurseBy(e, f, x, emit) })
	}
	e.depth--
	return err
}

func toEntries(_ *eval, v any) (any, error) {
	m, ok := v.(map[string]any)
	if !ok {
		a, ok := v.([]any)
		if !ok {
			return nil, errValue
		}
		out := make([]any, len(a))
		for i, x := range a {
			out[i] = map[string]any{"key": i, "value": x}
		}
		return out, nil
	}
	out := make([]any, 0, len(m))
	for _, k := range sortedKeys(m) {
		out = append(out, map[string]any{"key": k, "value": m[k]})
	}
	return out, nil
}

func mapValues(f *node) (*node, error) {
	if f.gives != one {
		return nil, errUnknown
	}
	return mkOne(func(e *eval, v any) (any, error) {
		switch v := v.(type) {
		case map[string]any:
			out := make(map[string]any, len(v))
			for _, k := range sortedKeys(v) {
				x, err := f.one(e, v[k])
				if err != nil {
					return nil, err
				}
				out[k] = x
			}
			return out, nil
		case []any:
			out := make([]any, len(v))
			for i, x := range v {
				y, err := f.one(e, x)
				if err != nil {
					return nil, err
				}
				out[i] = y
			}
			return out, nil
		}
		return nil, errValue
	}), nil
}

func addAll(v any) (any, error) {
	var sum any
	var text strings.Builder
	a, ok := v.([]any)
	if !ok {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, errFallback
		}
		for _, k := range sortedKeys(m) {
			a = append(a, m[k])
		}
	}
	for i, x := range a {
		t, ok := x.(string)
		if !ok {
			break
		}
		text.WriteString(t)
		if i == len(a)-1 {
			return text.String(), nil
		}
	}
	for _, x := range a {
		var err error
		if sum, err = add(sum, x); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

func limited(count, g *node) (*node, error) {
	n, ok := count.value.(int)
	if !count.fixed || !ok || n < 1 {
		return nil, errUnknown
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		i := 0
		var after error
		err := g.many(e, v, func(x any) error {
			i++
			if after = emit(x); after != nil {
				return after
			}
			if i >= n {
				return errStop
			}
			return nil
		})
		if after != nil {
			return after
		}
		if i >= n {
			return nil
		}
		return err
	}), nil
}

func counted(from, to *node) (*node, error) {
	if from.gives != one || to.gives != one {
		return nil, errUnknown
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		x, err := from.one(e, v)
		if err != nil {
			return err
		}
		y, err := to.one(e, v)
		if err != nil {
			return err
		}
		i, ok1 := x.(int)
		n, ok2 := y.(int)
		if !ok1 || !ok2 {
			return errFallback
		}
		for ; i < n; i++ {
			if err := e.step(); err != nil {
				return err
			}
			if err := emit(i); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

// plain are jq's functions that take values only. Those not written here are
// run by gojq, one call at a time.
var plain = map[string]func(v any, a []any) any{
	"length/0": func(v any, _ []any) any {
		switch v := v.(type) {
		case nil:
			return 0
		case string:
			return utf8.RuneCountInString(v)
		case []any:
			return len(v)
		case map[string]any:
			return len(v)
		}
		return errFallback
	},
	"utf8bytelength/0": text0(func(s string) any { return len(s) }),
	"type/0":           func(v any, _ []any) any { return gojq.TypeOf(v) },
	"tostring/0": func(v any, _ []any) any {
		t, err := toText(v)
		if err != nil {
			return err
		}
		return t
	},
	"tonumber/0": func(v any, _ []any) any {
		s, ok := v.(string)
		if !ok || !plainDecimal(s) {
			return errFallback
		}
		if n, err := strconv.Atoi(s); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return errFallback
		}
		return f
	},
	"trim/0":           text0(func(s string) any { return strings.TrimSpace(s) }),
	"ascii_downcase/0": text0(func(s string) any { return asciiLower(s) }),
	"startswith/1":     text1(func(s, t string) any { return strings.HasPrefix(s, t) }),
	"endswith/1":       text1(func(s, t string) any { return strings.HasSuffix(s, t) }),
	"ltrimstr/1":       text1(func(s, t string) any { return strings.TrimPrefix(s, t) }),
	"rtrimstr/1":       text1(func(s, t string) any { return strings.TrimSuffix(s, t) }),
	"contains/1":       text1(func(s, t string) any { return strings.Contains(s, t) }),
	"split/1": text1(func(s, t string) any {
		if s == "" || t == "" {
			return errFallback
		}
		parts := strings.Split(s, t)
		out := make([]any, len(parts))
		for i, p := range parts {
			out[i] = p
		}
		return out
	}),
	"join/1": func(v any, a []any) any {
		vs, ok := v.([]any)
		sep, isText := a[0].(string)
		if !ok {
			return errFallback
		}
		if len(vs) == 0 {
			return ""
		}
		var buf [16]string
		texts := buf[:0]
		for _, x := range vs {
			t, ok := x.(string)
			if !ok || !isText {
				return errFallback
			}
			texts = append(texts, t)
		}
		return strings.Join(texts, sep)
	},
	"keys/0": func(v any, _ []any) any {
		m, ok := v.(map[string]any)
		if !ok {
			return errFallback
		}
		out := make([]any, 0, len(m))
		for _, k := range sortedKeys(m) {
			out = append(out, k)
		}
		return out
	},
	"getpath/1": func(v any, a []any) any {
		path, ok := a[0].([]any)
		if !ok {
			return errFallback
		}
		for _, k := range path {
			x, err := indexValue(v, k)
			if err != nil {
				return errFallback
			}
			v = x
		}
		return v
	},
	"has/1": func(v any, a []any) any {
		m, ok := v.(map[string]any)
		k, isText := a[0].(string)
		if !ok || !isText {
			return errFallback
		}
		_, ok = m[k]
		return ok
	},
	"from_entries/0": func(v any, _ []any) any {
		a, ok := v.([]any)
		if !ok {
			return errFallback
		}
		out := make(map[string]any, len(a))
		for _, x := range a {
			m, _ := x.(map[string]any)
			k, ok := m["key"].(string)
			y, has := m["value"]
			if !ok || !has {
				return errFallback
			}
			out[k] = y
		}
		return out
	},
	"reverse/0": func(v any, _ []any) any {
		a, ok := v.([]any)
		if !ok {
			return errFallback
		}
		a = slices.Clone(a)
		slices.Reverse(a)
		return a
	},
}

// plainDecimal reports whether s is a number of a few digits, such as 7 and 7.5.
func plainDecimal(s string) bool {
	point := false
	for i := range len(s) {
		switch {
		case '0' <= s[i] && s[i] <= '9':
		case s[i] == '.' && !point && i > 0 && i < len(s)-1:
			point = true
		default:
			return false
		}
	}
	return s != "" && len(s) <= 15
}

func text0(f func(string) any) func(any, []any) any {
	return func(v any, _ []any) any {
		if s, ok := v.(string); ok {
			return f(s)
		}
		return errFallback
	}
}

func text1(f func(s, t string) any) func(any, []any) any {
	return func(v any, a []any) any {
		s, ok1 := v.(string)
		t, ok2 := a[0].(string)
		if ok1 && ok2 {
			return f(s, t)
		}
		return errFallback
	}
}

func asciiLower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					return r + ('a' - 'A')
				}
				return r
			}, s)
		}
	}
	return s
}

// known are the functions of gojq that take values only and give one.
var known = strings.Fields(`_sort_by/1 _group_by/1 _unique_by/1 _min_by/1 _max_by/1 ascii_upcase/0 ascii/0 tojson/0 fromjson/0
	flatten/0 flatten/1 sort/0 unique/0 min/0 max/0 floor/0 ceil/0 round/0 sqrt/0 fabs/0 abs/0 getpath/1 setpath/2 delpaths/1
	index/1 rindex/1 indices/1 explode/0 implode/0 tonumber/0 ltrim/0 rtrim/0 keys_unsorted/0 inside/1 from_entries/0
	transpose/0 toarray/0 trimstr/1 format/1 fromdateiso8601/0 todateiso8601/0 strptime/1 strftime/1 mktime/0 gmtime/0
	ltrimstr/1 rtrimstr/1 startswith/1 endswith/1 split/1 join/1 contains/1 has/1 keys/0 length/0 tostring/0 reverse/0`)

// plainCall compiles the call of a function whose arguments are values.
func (b *builder) plainCall(f *gojq.Func, s sight) (*node, error) {
	args := make([]*node, len(f.Args))
	for i, q := range f.Args {
		n, err := b.query(q, s)
		if err != nil {
			return nil, err
		}
		args[i] = n
	}
	return b.native(f.Name, args)
}

func (b *builder) native(name string, args []*node) (*node, error) {
	id := funcName(name, len(args))
	var f func(e *eval, v any, a []any) (any, error)
	if n, ok := b.natives[id]; ok {
		f = func(_ *eval, v any, a []any) (any, error) { return result(n.call(v, a)) }
	} else if slices.Contains(known, id) || plain[id] != nil {
		slow := byGojq(name, len(args))
		f = slow
		if quick := plain[id]; quick != nil {
			f = func(e *eval, v any, a []any) (any, error) {
				x := quick(v, a)
				if x == errFallback { //nolint:errorlint // never wrapped
					return slow(e, v, a)
				}
				return result(x)
			}
		}
	} else {
		return nil, errUnknown
	}
	gives := one
	for _, a := range args {
		gives = max(gives, a.gives)
	}
	switch {
	case len(args) == 0:
		return mkOne(func(e *eval, v any) (any, error) { return f(e, v, nil) }), nil
	case gives == one:
		fixed := make([]any, len(args))
		all := true
		for i, a := range args {
			fixed[i] = a.value
			all = all && a.fixed
		}
		if all {
			return mkOne(func(e *eval, v any) (any, error) { return f(e, v, fixed) }), nil
		}
		return mkOne(func(e *eval, v any) (any, error) {
			at := len(e.args)
			e.args = append(e.args, fixed...)
			for i, arg := range slices.Backward(args) {
				if arg.fixed {
					continue
				}
				x, err := arg.one(e, v)
				if err != nil {
					e.args = e.args[:at]
					return nil, err
				}
				e.args[at+i] = x
			}
			x, err := f(e, v, e.args[at:at+len(args):at+len(args)])
			e.args = e.args[:at]
			return x, err
		}), nil
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		given := make([]any, len(args))
		var at func(i int) error
		at = func(i int) error {
			if i < 0 {
				x, err := f(e, v, slices.Clone(given))
				if err != nil {
					return err
				}
				return emit(x)
			}
			return args[i].many(e, v, func(x any) error { given[i] = x; return at(i - 1) })
		}
		return at(len(args) - 1)
	}), nil
}

// result tells an error from a value.
func result(x any) (any, error) {
	if err, ok := x.(error); ok {
		if errors.Is(err, errFallback) {
			return nil, errFallback
		}
		return nil, errValue
	}
	return x, nil
}

// gojqCalls are programs that call one function each, made when first needed.
var gojqCalls sync.Map // name/args to func() (*gojq.Code, error)

func gojqCall(name string, args int) func() (*gojq.Code, error) {
	f, _ := gojqCalls.LoadOrStore(funcName(name, args), sync.OnceValues(func() (*gojq.Code, error) {
		names := []string{"$a", "$b"}[:args]
		call := name
		if args > 0 {
			call += "(" + strings.Join(names, "; ") + ")"
		}
		q, err := gojq.Parse(call)
		if err != nil {
			return nil, err
		}
		return gojq.Compile(q, gojq.WithVariables(names), gojq.WithEnvironLoader(func() []string { return nil }))
	}))
	return f.(func() (*gojq.Code, error)) //nolint:forcetypeassert // stored above
}

// byGojq calls a function of gojq.
func byGojq(name string, args int) func(e *eval, v any, a []any) (any, error) {
	get := gojqCall(name, args)
	return func(e *eval, v any, a []any) (any, error) {
		code, err := get()
		if err != nil {
			return nil, errFallback
		}
		x, ok := code.RunWithContext(e.clock, v, a...).Next()
		if !ok {
			return nil, errFallback
		}
		if _, bad := x.(error); bad {
			if e.clock.Err() != nil {
				return nil, errFallback
			}
			return nil, errValue
		}
		return x, nil
	}
}
