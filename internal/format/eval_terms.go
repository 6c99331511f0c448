package format

import (
	"fmt"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// Programs as closures: terms, from paths to strings, objects and arrays (see eval.go).

func (b *builder) term(t *gojq.Term, s sight) (*node, error) {
	if len(t.SuffixList) > 0 {
		return b.suffix(t, s)
	}
	switch t.Type { //nolint:exhaustive // foreach is gojq's
	case gojq.TermTypeIdentity:
		return mkOne(func(_ *eval, v any) (any, error) { return v, nil }), nil
	case gojq.TermTypeRecurse:
		return b.call(&gojq.Func{Name: "recurse"}, s)
	case gojq.TermTypeNull:
		return mkValue(nil), nil
	case gojq.TermTypeTrue:
		return mkValue(true), nil
	case gojq.TermTypeFalse:
		return mkValue(false), nil
	case gojq.TermTypeNumber:
		return b.number(t.Number)
	case gojq.TermTypeString:
		return b.text(t.Str, s)
	case gojq.TermTypeIndex:
		return b.index(&gojq.Term{Type: gojq.TermTypeIdentity}, t.Index, s)
	case gojq.TermTypeFunc:
		return b.call(t.Func, s)
	case gojq.TermTypeObject:
		return b.object(t.Object, s)
	case gojq.TermTypeArray:
		return b.array(t.Array, s)
	case gojq.TermTypeIf:
		return b.condition(t.If, s)
	case gojq.TermTypeTry:
		return b.try(t.Try, s)
	case gojq.TermTypeReduce:
		return b.reduce(t.Reduce, s)
	case gojq.TermTypeLabel:
		m := &mark{}
		body, err := b.query(t.Label.Body, s.with(&bind{name: "*" + t.Label.Ident, mark: m}))
		if err != nil {
			return nil, err
		}
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			err := body.many(e, v, emit)
			if err == error(m) { //nolint:errorlint // never wrapped
				return nil
			}
			return err
		}), nil
	case gojq.TermTypeBreak:
		l := s.find("*" + t.Break)
		if l == nil {
			return nil, errUnknown
		}
		return mkMany(func(*eval, any, func(any) error) error { return l.mark }), nil
	case gojq.TermTypeQuery:
		return b.query(t.Query, s)
	case gojq.TermTypeUnary:
		if t.Unary.Op == gojq.OpSub && t.Unary.Term.Type == gojq.TermTypeNumber && len(t.Unary.Term.SuffixList) == 0 {
			return b.number("-" + t.Unary.Term.Number)
		}
		if t.Unary.Op == gojq.OpSub {
			n, err := b.term(t.Unary.Term, s)
			if err != nil {
				return nil, err
			}
			return pipe(n, mkOne(func(_ *eval, v any) (any, error) {
				if i, ok := v.(int); ok && -i != i {
					return -i, nil
				}
				return nil, errFallback
			})), nil
		}
	case gojq.TermTypeFormat:
		if t.Str == nil {
			return b.native("format", []*node{mkValue(t.Format[1:])})
		}
	}
	return nil, errUnknown
}

func (b *builder) number(text string) (*node, error) {
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || fmt.Sprint(n) != text {
		return nil, errUnknown
	}
	return mkValue(n), nil
}

func (b *builder) suffix(t *gojq.Term, s sight) (*node, error) {
	before := *t
	last := t.SuffixList[len(t.SuffixList)-1]
	before.SuffixList = t.SuffixList[:len(t.SuffixList)-1]
	switch {
	case last.Index != nil:
		return b.index(&before, last.Index, s)
	case last.Iter:
		n, err := b.term(&before, s)
		if err != nil {
			return nil, err
		}
		return pipe(n, mkMany(iterate)), nil
	case last.Optional:
		if k := len(before.SuffixList); k > 0 && !before.SuffixList[k-1].Optional {
			step := before.SuffixList[k-1]
			inner := before
			inner.SuffixList = before.SuffixList[:k-1]
			n, err := b.term(&inner, s)
			if err != nil {
				return nil, err
			}
			self := &gojq.Term{Type: gojq.TermTypeIdentity, SuffixList: []*gojq.Suffix{step}}
			// A key is worked out on the step's own input, as gojq does.
			if step.Index != nil && step.Index.Name == "" {
				if step.Index.IsSlice || step.Index.Str != nil && step.Index.Str.Queries != nil || step.Index.Start != nil && !plainKey(step.Index.Start) {
					return nil, errUnknown
				}
			}
			if step.Iter {
				return pipe(n, mkMany(iterateIfAny)), nil
			}
			x, err := b.term(self, s)
			if err != nil {
				return nil, err
			}
			return pipe(n, suppress(x)), nil
		}
		n, err := b.term(&before, s)
		if err != nil {
			return nil, err
		}
		return suppress(n), nil
	}
	return nil, errUnknown
}

func plainKey(q *gojq.Query) bool {
	t := q.Term
	if t != nil && t.Type == gojq.TermTypeFunc && t.Func.Name[0] == '$' {
		return !slices.ContainsFunc(t.SuffixList, func(x *gojq.Suffix) bool { return x.Index == nil || x.Index.Name == "" })
	}
	return t != nil && len(t.SuffixList) == 0 && (t.Type == gojq.TermTypeString && t.Str.Queries == nil || t.Type == gojq.TermTypeNumber)
}

func iterate(e *eval, v any, emit func(any) error) error {
	if err := e.step(); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if err := emit(x); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if err := emit(v[k]); err != nil {
				return err
			}
		}
		return nil
	}
	return errValue
}

// iterateIfAny is .[]?: of what has no elements it gives none.
func iterateIfAny(e *eval, v any, emit func(any) error) error {
	switch v.(type) {
	case []any, map[string]any:
		return iterate(e, v, emit)
	}
	return e.step()
}

func indexValue(v, k any) (any, error) {
	switch k := k.(type) {
	case string:
		switch v := v.(type) {
		case nil:
			return nil, nil
		case map[string]any:
			return v[k], nil
		}
	case int:
		switch v := v.(type) {
		case nil:
			return nil, nil
		case []any:
			if k < 0 {
				k += len(v)
			}
			if k < 0 || k >= len(v) {
				return nil, nil
			}
			return v[k], nil
		case string:
			return nil, errFallback
		}
	case nil, bool:
	default:
		return nil, errFallback
	}
	return nil, errValue
}

func (b *builder) index(t *gojq.Term, x *gojq.Index, s sight) (*node, error) {
	n, err := b.term(t, s)
	if err != nil {
		return nil, err
	}
	key := x.Name
	if x.Str != nil && x.Str.Queries == nil {
		key = x.Str.Str
	}
	if key != "" || x.Str != nil && x.Str.Queries == nil {
		return pipe(n, mkOne(func(_ *eval, v any) (any, error) {
			switch v := v.(type) {
			case map[string]any:
				return v[key], nil
			case nil:
				return nil, nil
			}
			return nil, errValue
		})), nil
	}
	var k *node
	switch {
	case x.Str != nil:
		k, err = b.text(x.Str, s)
	case !x.IsSlice:
		k, err = b.query(x.Start, s)
	default:
		return b.slice(n, x, s)
	}
	if err != nil {
		return nil, err
	}
	return combine(n, k, indexValue), nil
}

func (b *builder) slice(n *node, x *gojq.Index, s sight) (*node, error) {
	ends := [2]*node{mkValue(nil), mkValue(nil)}
	for i, q := range []*gojq.Query{x.Start, x.End} {
		if q != nil {
			k, err := b.query(q, s)
			if err != nil {
				return nil, err
			}
			if k.gives != one {
				return nil, errUnknown
			}
			ends[i] = k
		}
	}
	pair := mkOne(func(e *eval, v any) (any, error) {
		to, err := ends[1].one(e, v)
		if err != nil {
			return nil, err
		}
		from, err := ends[0].one(e, v)
		return [2]any{from, to}, err
	})
	if ends[0].fixed && ends[1].fixed {
		pair = mkValue([2]any{ends[0].value, ends[1].value})
	}
	return combine(n, pair, func(v, p any) (any, error) {
		ft := p.([2]any) //nolint:forcetypeassert // made above
		from, ok1 := ft[0].(int)
		to, ok2 := ft[1].(int)
		if !ok1 && ft[0] != nil || !ok2 && ft[1] != nil {
			return nil, errFallback
		}
		bounds := func(l int) (int, int) {
			i, j := 0, l
			if ok1 {
				if i = from; i < 0 {
					i += l
				}
				i = min(max(i, 0), l)
			}
			if ok2 {
				if j = to; j < 0 {
					j += l
				}
				j = min(max(j, i), l)
			}
			return i, max(i, j)
		}
		switch v := v.(type) {
		case nil:
			return nil, nil
		case []any:
			i, j := bounds(len(v))
			return v[i:j], nil
		case string:
			if from == 0 && ok2 && to >= len(v) {
				return v, nil
			}
			for i := range len(v) {
				if v[i] >= 0x80 {
					r := []rune(v)
					if !slices.Equal([]byte(string(r)), []byte(v)) {
						return nil, errFallback
					}
					i, j := bounds(len(r))
					return string(r[i:j]), nil
				}
			}
			i, j := bounds(len(v))
			return v[i:j], nil
		}
		return nil, errValue
	}), nil
}

func (b *builder) text(t *gojq.String, s sight) (*node, error) {
	if t.Queries == nil {
		return mkValue(t.Str), nil
	}
	parts := make([]*node, len(t.Queries))
	gives := one
	for i, q := range t.Queries {
		n, err := b.query(q, s)
		if err != nil {
			return nil, err
		}
		parts[i] = n
		gives = max(gives, n.gives)
	}
	if gives == many { // rare: as a chain of additions, like gojq
		sum := pipe(parts[0], mkOne(func(_ *eval, v any) (any, error) { return toText(v) }))
		for _, p := range parts[1:] {
			sum = combine(sum, pipe(p, mkOne(func(_ *eval, v any) (any, error) { return toText(v) })), add)
		}
		return sum, nil
	}
	join := func(e *eval, v any) (any, bool, error) {
		var buf [12]string
		texts := buf[:0]
		for _, p := range parts {
			x, ok, err := p.maybe(e, v)
			if err != nil || !ok {
				return nil, false, err
			}
			t, ok := x.(string)
			if !ok {
				y, err := toText(x)
				if err != nil {
					return nil, false, err
				}
				t, _ = y.(string)
			}
			texts = append(texts, t)
		}
		return strings.Join(texts, ""), true, nil
	}
	if gives == one {
		return mkOne(func(e *eval, v any) (any, error) { x, _, err := join(e, v); return x, err }), nil
	}
	return mkMaybe(join), nil
}

func toText(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int:
		return textOf(v), nil
	case nil:
		return "null", nil
	}
	t, err := gojq.Marshal(v)
	return string(t), err
}

func (b *builder) object(o *gojq.Object, s sight) (*node, error) {
	type entry struct {
		name string
		key  *node
		val  *node
	}
	entries := make([]entry, len(o.KeyVals))
	gives, fixed := one, true
	for i, kv := range o.KeyVals {
		x := &entries[i]
		var err error
		switch {
		case kv.Key != "" && kv.Key[0] == '$' && kv.Val == nil:
			x.name = kv.Key[1:]
			x.val, err = b.call(&gojq.Func{Name: kv.Key}, s)
		case kv.Key != "" && kv.Key[0] == '$':
			x.key, err = b.call(&gojq.Func{Name: kv.Key}, s)
		case kv.Key != "":
			x.name = kv.Key
		case kv.KeyString != nil && kv.KeyString.Queries == nil:
			x.name = kv.KeyString.Str
		case kv.KeyString != nil:
			if kv.Val == nil {
				return nil, errUnknown
			}
			x.key, err = b.text(kv.KeyString, s)
		default:
			x.key, err = b.query(kv.KeyQuery, s)
		}
		if err != nil {
			return nil, err
		}
		if kv.Val != nil {
			if x.val, err = b.query(kv.Val, s); err != nil {
				return nil, err
			}
		} else if x.val == nil {
			name := x.name
			x.val = mkOne(func(_ *eval, v any) (any, error) { return indexValue(v, name) })
		}
		gives = max(gives, x.val.gives)
		if x.key != nil {
			gives = max(gives, x.key.gives)
		}
		fixed = fixed && x.key == nil && x.val.fixed
	}
	if fixed {
		m := make(map[string]any, len(entries))
		for _, x := range entries {
			m[x.name] = x.val.value
		}
		return mkValue(m), nil
	}
	make1 := func(e *eval, v any) (any, bool, error) {
		m := make(map[string]any, len(entries))
		for i := range entries {
			x := &entries[i]
			k := x.name
			if x.key != nil {
				t, ok, err := x.key.maybe(e, v)
				if err != nil || !ok {
					return nil, false, err
				}
				if k, ok = t.(string); !ok {
					return nil, false, errFallback // an error, but only once all is worked out
				}
			}
			y, ok, err := x.val.maybe(e, v)
			if err != nil || !ok {
				return nil, false, err
			}
			m[k] = y
		}
		return m, true, nil
	}
	switch gives {
	case one:
		return mkOne(func(e *eval, v any) (any, error) { x, _, err := make1(e, v); return x, err }), nil
	case maybe:
		return mkMaybe(make1), nil
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		keys, vals := make([]string, len(entries)), make([]any, len(entries))
		var at func(i int) error
		at = func(i int) error {
			if i == len(entries) {
				m := make(map[string]any, len(entries))
				for i, k := range keys {
					m[k] = vals[i]
				}
				return emit(m)
			}
			x := &entries[i]
			value := func() error {
				return x.val.many(e, v, func(y any) error { vals[i] = y; return at(i + 1) })
			}
			if x.key == nil {
				keys[i] = x.name
				return value()
			}
			return x.key.many(e, v, func(k any) error {
				t, ok := k.(string)
				if !ok {
					return errFallback
				}
				keys[i] = t
				return value()
			})
		}
		return at(0)
	}), nil
}

func (b *builder) array(a *gojq.Array, s sight) (*node, error) {
	if a.Query == nil {
		return mkValue([]any{}), nil
	}
	// What is written with commas is an array of that many elements.
	var parts []*node
	var split func(q *gojq.Query) error
	plain := true
	split = func(q *gojq.Query) error {
		if q.Op == gojq.OpComma && len(q.FuncDefs) == 0 {
			if err := split(q.Left); err != nil {
				return err
			}
			return split(q.Right)
		}
		n, err := b.query(q, s)
		parts = append(parts, n)
		plain = plain && err == nil && n.fixed
		return err
	}
	if err := split(a.Query); err != nil {
		return nil, err
	}
	if plain {
		out := make([]any, len(parts))
		for i, p := range parts {
			out[i] = p.value
		}
		return mkValue(out), nil
	}
	return mkOne(func(e *eval, v any) (any, error) {
		height := len(e.stack)
		for _, p := range parts {
			if p.gives < many {
				x, ok, err := p.maybe(e, v)
				if err != nil {
					return e.gathered(height, err)
				}
				if ok {
					e.stack = append(e.stack, x)
				}
				continue
			}
			if err := p.many(e, v, e.push); err != nil {
				return e.gathered(height, err)
			}
		}
		return e.gathered(height, nil)
	}), nil
}
