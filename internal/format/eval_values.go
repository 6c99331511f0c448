package format

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// Programs as closures: operators and updates (see eval.go).

// update is an assignment to one plain path: .a.b = x, |=, +=, //=.
func (b *builder) update(q *gojq.Query, s sight) (*node, error) {
	path, ok := plainPath(q.Left)
	if !ok {
		return nil, errUnknown
	}
	r, err := b.query(q.Right, s)
	if err != nil {
		return nil, err
	}
	op := q.Op
	if r.gives == many || r.gives == maybe && op == gojq.OpModify {
		return nil, errUnknown
	}
	set := func(e *eval, v any) (any, bool, error) {
		var x any
		if op != gojq.OpModify {
			var ok bool
			var err error
			if x, ok, err = r.maybe(e, v); err != nil || !ok {
				return nil, false, err
			}
		}
		out, err := change(v, path, func(old any) (any, error) {
			switch op { //nolint:exhaustive // the updates among them
			case gojq.OpModify:
				return r.one(e, old)
			case gojq.OpUpdateAdd:
				return add(old, x)
			case gojq.OpUpdateAlt:
				if isTrue(old) {
					return old, nil
				}
			}
			return x, nil
		})
		return out, err == nil, err
	}
	if r.gives == maybe {
		return mkMaybe(set), nil
	}
	return mkOne(func(e *eval, v any) (any, error) { x, _, err := set(e, v); return x, err }), nil
}

func plainPath(q *gojq.Query) ([]string, bool) {
	t := q.Term
	if t == nil || len(q.FuncDefs) > 0 || t.Type != gojq.TermTypeIndex || t.Index.Name == "" {
		return nil, false
	}
	path := []string{t.Index.Name}
	for _, x := range t.SuffixList {
		if x.Index == nil || x.Index.Name == "" {
			return nil, false
		}
		path = append(path, x.Index.Name)
	}
	return path, true
}

func change(v any, path []string, f func(any) (any, error)) (any, error) {
	if len(path) == 0 {
		return f(v)
	}
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, errValue
	}
	x, err := change(m[path[0]], path[1:], f)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(m)+1)
	maps.Copy(out, m)
	out[path[0]] = x
	return out, nil
}

func (b *builder) operator(op gojq.Operator) (func(l, r any) (any, error), error) {
	compare := func(f func(int) bool) func(l, r any) (any, error) {
		return func(l, r any) (any, error) {
			switch l := l.(type) {
			case int:
				if r, ok := r.(int); ok {
					return f(cmp.Compare(l, r)), nil
				}
			case string:
				if r, ok := r.(string); ok {
					return f(strings.Compare(l, r)), nil
				}
			}
			return f(gojq.Compare(l, r)), nil
		}
	}
	switch op { //nolint:exhaustive // those on two values
	case gojq.OpEq:
		return func(l, r any) (any, error) { return same(l, r), nil }, nil
	case gojq.OpNe:
		return func(l, r any) (any, error) { return !same(l, r), nil }, nil
	case gojq.OpGt:
		return compare(func(c int) bool { return c > 0 }), nil
	case gojq.OpLt:
		return compare(func(c int) bool { return c < 0 }), nil
	case gojq.OpGe:
		return compare(func(c int) bool { return c >= 0 }), nil
	case gojq.OpLe:
		return compare(func(c int) bool { return c <= 0 }), nil
	case gojq.OpAdd:
		return add, nil
	case gojq.OpSub:
		return func(l, r any) (any, error) {
			if a, ok := l.([]any); ok {
				if w, ok := r.([]any); ok {
					return slices.DeleteFunc(slices.Clone(a), func(x any) bool {
						return slices.ContainsFunc(w, func(y any) bool { return same(x, y) })
					}), nil
				}
			}
			x, ok1 := l.(int)
			y, ok2 := r.(int)
			if z := x - y; ok1 && ok2 && (z <= x) == (y >= 0) {
				return z, nil
			}
			return nil, errFallback
		}, nil
	}
	return nil, errUnknown
}

func same(l, r any) bool {
	switch l := l.(type) {
	case string:
		if r, ok := r.(string); ok {
			return l == r
		}
	case nil:
		return r == nil
	case bool:
		if r, ok := r.(bool); ok {
			return l == r
		}
	case int:
		if r, ok := r.(int); ok {
			return l == r
		}
	}
	return gojq.Compare(l, r) == 0
}

func add(l, r any) (any, error) {
	if l == nil {
		return r, nil
	}
	if r == nil {
		return l, nil
	}
	switch l := l.(type) {
	case string:
		if r, ok := r.(string); ok {
			return l + r, nil
		}
		return nil, errValue
	case []any:
		if r, ok := r.([]any); ok {
			switch {
			case len(l) == 0:
				return r, nil
			case len(r) == 0:
				return l, nil
			}
			return slices.Concat(l, r), nil
		}
		return nil, errValue
	case map[string]any:
		if r, ok := r.(map[string]any); ok {
			switch {
			case len(l) == 0:
				return r, nil
			case len(r) == 0:
				return l, nil
			}
			m := make(map[string]any, len(l)+len(r))
			maps.Copy(m, l)
			maps.Copy(m, r)
			return m, nil
		}
		return nil, errValue
	case int:
		if r, ok := r.(int); ok {
			if z := l + r; (z >= l) == (r >= 0) {
				return z, nil
			}
		}
	}
	return nil, errFallback
}
