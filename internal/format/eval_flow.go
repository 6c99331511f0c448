package format

import (
	"github.com/itchyny/gojq"
)

// Programs as closures: how parts follow each other (see eval.go).

func pipe(l, r *node) *node {
	switch {
	case l.fixed && r.fixed:
		return r
	case l.gives == one && r.gives == one:
		lf, rf := l.one, r.one
		return mkOne(func(e *eval, v any) (any, error) {
			x, err := lf(e, v)
			if err != nil {
				return nil, err
			}
			return rf(e, x)
		})
	case l.gives < many && r.gives < many:
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			x, ok, err := l.maybe(e, v)
			if err != nil || !ok {
				return nil, false, err
			}
			return r.maybe(e, x)
		})
	case l.gives < many:
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			x, ok, err := l.maybe(e, v)
			if err != nil || !ok {
				return err
			}
			return r.many(e, x, emit)
		})
	case r.gives == one:
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			return l.many(e, v, func(x any) error {
				y, err := r.one(e, x)
				if err != nil {
					return err
				}
				return emit(y)
			})
		})
	case r.gives == maybe:
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			return l.many(e, v, func(x any) error {
				y, ok, err := r.maybe(e, x)
				if err != nil || !ok {
					return err
				}
				return emit(y)
			})
		})
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		return l.many(e, v, func(x any) error { return r.many(e, x, emit) })
	})
}

func isTrue(v any) bool { return v != nil && v != false }

func truth(n *node) *node { return choose(n, mkValue(true), mkValue(false)) }

func alternative(l, r *node) *node {
	switch {
	case l.gives == one && r.gives == one:
		return mkOne(func(e *eval, v any) (any, error) {
			x, err := l.one(e, v)
			if err != nil || isTrue(x) {
				return x, err
			}
			return r.one(e, v)
		})
	case l.gives == maybe && r.gives == one:
		return mkOne(func(e *eval, v any) (any, error) {
			x, ok, err := l.maybe(e, v)
			if err != nil || ok && isTrue(x) {
				return x, err
			}
			return r.one(e, v)
		})
	case l.gives < many && r.gives < many:
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			x, ok, err := l.maybe(e, v)
			if err != nil || ok && isTrue(x) {
				return x, err == nil, err
			}
			return r.maybe(e, v)
		})
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		found := false
		err := l.many(e, v, func(x any) error {
			if !isTrue(x) {
				return nil
			}
			found = true
			return emit(x)
		})
		if err != nil || found {
			return err
		}
		return r.many(e, v, emit)
	})
}

// choose is if. Several conditions give several results.
func choose(cond, yes, no *node) *node {
	pick := func(x any) *node {
		if isTrue(x) {
			return yes
		}
		return no
	}
	switch gives := max(cond.gives, yes.gives, no.gives); {
	case gives == one:
		return mkOne(func(e *eval, v any) (any, error) {
			x, err := cond.one(e, v)
			if err != nil {
				return nil, err
			}
			return pick(x).one(e, v)
		})
	case gives == maybe:
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			x, ok, err := cond.maybe(e, v)
			if err != nil || !ok {
				return nil, false, err
			}
			return pick(x).maybe(e, v)
		})
	case cond.gives == one:
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			x, err := cond.one(e, v)
			if err != nil {
				return err
			}
			return pick(x).many(e, v, emit)
		})
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		return cond.many(e, v, func(x any) error { return pick(x).many(e, v, emit) })
	})
}

// combine applies f; for several values the right side is the outer loop.
func combine(l, r *node, f func(l, r any) (any, error)) *node {
	switch {
	case l.gives == one && r.fixed:
		x := r.value
		return mkOne(func(e *eval, v any) (any, error) {
			y, err := l.one(e, v)
			if err != nil {
				return nil, err
			}
			return f(y, x)
		})
	case l.gives == one && r.gives == one:
		return mkOne(func(e *eval, v any) (any, error) {
			y, err := r.one(e, v)
			if err != nil {
				return nil, err
			}
			x, err := l.one(e, v)
			if err != nil {
				return nil, err
			}
			return f(x, y)
		})
	case l.gives < many && r.gives < many:
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			y, ok, err := r.maybe(e, v)
			if err != nil || !ok {
				return nil, false, err
			}
			x, ok, err := l.maybe(e, v)
			if err != nil || !ok {
				return nil, false, err
			}
			x, err = f(x, y)
			return x, err == nil, err
		})
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		return r.many(e, v, func(y any) error {
			return l.many(e, v, func(x any) error {
				z, err := f(x, y)
				if err != nil {
					return err
				}
				return emit(z)
			})
		})
	})
}

func (b *builder) bind(q *gojq.Query, s sight) (*node, error) {
	if len(q.Patterns) != 1 {
		return nil, errUnknown
	}
	src, err := b.query(q.Left, s)
	if err != nil {
		return nil, err
	}
	set, in, err := b.pattern(q.Patterns[0], s)
	if err != nil {
		return nil, err
	}
	body, err := b.query(q.Right, in)
	if err != nil {
		return nil, err
	}
	return bound(src, set, body), nil
}

func bound(src *node, set func(*eval, any) error, body *node) *node {
	switch {
	case src.gives == one && body.gives == one:
		return mkOne(func(e *eval, v any) (any, error) {
			x, err := src.one(e, v)
			if err == nil {
				err = set(e, x)
			}
			if err != nil {
				return nil, err
			}
			return body.one(e, v)
		})
	case src.gives < many && body.gives < many:
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			x, ok, err := src.maybe(e, v)
			if err == nil && ok {
				err = set(e, x)
			}
			if err != nil || !ok {
				return nil, false, err
			}
			return body.maybe(e, v)
		})
	}
	if src.gives < many {
		return mkMany(func(e *eval, v any, emit func(any) error) error {
			x, ok, err := src.maybe(e, v)
			if err == nil && ok {
				err = set(e, x)
			}
			if err != nil || !ok {
				return err
			}
			return body.many(e, v, emit)
		})
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		return src.many(e, v, func(x any) error {
			if err := set(e, x); err != nil {
				return err
			}
			return body.many(e, v, emit)
		})
	})
}

// pattern gives what sets the variables of p, and the scope with them.
func (b *builder) pattern(p *gojq.Pattern, s sight) (func(*eval, any) error, sight, error) {
	if p.Name != "" {
		slot := b.slot()
		return func(e *eval, v any) error { e.slots[slot] = v; return nil }, s.with(&bind{name: p.Name, slot: slot}), nil
	}
	if len(p.Array) == 0 {
		return nil, s, errUnknown
	}
	sets := make([]func(*eval, any) error, len(p.Array))
	for i, c := range p.Array {
		var err error
		if sets[i], s, err = b.pattern(c, s); err != nil {
			return nil, s, err
		}
	}
	return func(e *eval, v any) error {
		a, ok := v.([]any)
		if !ok && v != nil {
			return errValue
		}
		for i, set := range sets {
			var x any
			if i < len(a) {
				x = a[i]
			}
			if err := set(e, x); err != nil {
				return err
			}
		}
		return nil
	}, s, nil
}

// suppress is try without catch.
func suppress(n *node) *node {
	if n.gives < many {
		return mkMaybe(func(e *eval, v any) (any, bool, error) {
			x, ok, err := n.maybe(e, v)
			if err != nil && caught(err) {
				return nil, false, nil
			}
			return x, ok, err
		})
	}
	return mkMany(func(e *eval, v any, emit func(any) error) error {
		var after error // of what follows, which is not tried
		err := n.many(e, v, func(x any) error { after = emit(x); return after })
		if after != nil {
			return after
		}
		if err != nil && caught(err) {
			return nil
		}
		return err
	})
}

func (b *builder) try(t *gojq.Try, s sight) (*node, error) {
	n, err := b.query(t.Body, s)
	if err != nil {
		return nil, err
	}
	if t.Catch == nil {
		return suppress(n), nil
	}
	// The handler sees the message, which is gojq's to write.
	if n.gives == one {
		return mkOne(func(e *eval, v any) (any, error) {
			x, err := n.one(e, v)
			if err != nil && caught(err) {
				err = errFallback
			}
			return x, err
		}), nil
	}
	return nil, errUnknown
}

func (b *builder) condition(c *gojq.If, s sight) (*node, error) {
	cond, err := b.query(c.Cond, s)
	if err != nil {
		return nil, err
	}
	yes, err := b.query(c.Then, s)
	if err != nil {
		return nil, err
	}
	var no *node
	switch {
	case len(c.Elif) > 0:
		no, err = b.condition(&gojq.If{Cond: c.Elif[0].Cond, Then: c.Elif[0].Then, Elif: c.Elif[1:], Else: c.Else}, s)
	case c.Else != nil:
		no, err = b.query(c.Else, s)
	default:
		no = mkOne(func(_ *eval, v any) (any, error) { return v, nil })
	}
	if err != nil {
		return nil, err
	}
	return choose(cond, yes, no), nil
}

func (b *builder) reduce(r *gojq.Reduce, s sight) (*node, error) {
	if len(r.Patterns) != 1 {
		return nil, errUnknown
	}
	start, err := b.query(r.Start, s)
	if err != nil {
		return nil, err
	}
	src, err := b.query(r.Query, s)
	if err != nil {
		return nil, err
	}
	set, in, err := b.pattern(r.Patterns[0], s)
	if err != nil {
		return nil, err
	}
	update, err := b.query(r.Update, in)
	if err != nil {
		return nil, err
	}
	if start.gives != one || update.gives != one {
		return nil, errUnknown
	}
	return mkOne(func(e *eval, v any) (any, error) {
		state, err := start.one(e, v)
		if err != nil {
			return nil, err
		}
		err = src.many(e, v, func(x any) error {
			if err := e.step(); err != nil {
				return err
			}
			if err := set(e, x); err != nil {
				return err
			}
			y, err := update.one(e, state)
			state = y
			return err
		})
		return state, err
	}), nil
}

// anyOf looks for an element that meets the condition, or with all, one that does not.
func anyOf(src, cond *node, all bool) *node {
	return mkOne(func(e *eval, v any) (any, error) {
		found := false
		err := src.many(e, v, func(x any) error {
			return cond.many(e, x, func(c any) error {
				if isTrue(c) != all {
					found = true
					return errStop
				}
				return nil
			})
		})
		if found {
			return !all, nil
		}
		return all, err
	})
}

// anyElement is anyOf the elements of an array.
func anyElement(cond *node, all bool) *node {
	general := anyOf(mkMany(iterate), cond, all)
	if cond.gives != one {
		return general
	}
	return mkOne(func(e *eval, v any) (any, error) {
		list, ok := v.([]any)
		if !ok {
			return general.one(e, v)
		}
		for _, x := range list {
			if err := e.step(); err != nil {
				return nil, err
			}
			c, err := cond.one(e, x)
			if err != nil {
				return nil, err
			}
			if isTrue(c) != all {
				return !all, nil
			}
		}
		return all, nil
	})
}

// in is IN(a, b, c).
func (b *builder) in(q *gojq.Query, s sight) (*node, error) {
	parts, err := b.commas(q, s)
	if err != nil {
		return nil, err
	}
	return mkOne(func(e *eval, v any) (any, error) {
		for _, p := range parts {
			if p.fixed {
				if same(p.value, v) {
					return true, nil
				}
				continue
			}
			found := false
			err := p.many(e, v, func(x any) error {
				if same(x, v) {
					found = true
					return errStop
				}
				return nil
			})
			if found {
				return true, nil
			}
			if err != nil {
				return nil, err
			}
		}
		return false, nil
	}), nil
}
