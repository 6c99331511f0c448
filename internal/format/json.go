package format

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/sinewsec/sinew/internal/sinew"
)

// jsonDocument reads one JSON value of any size in two passes. Keys come in any
// order, so the first pass collects the head and, for each object that encloses
// rows, what is in it besides the rows; it also fills the tables. Later passes
// frame the rows, one at a time.
type jsonDocument struct {
	env   *env
	in    io.ReaderAt
	tree  *pathNode
	root  any
	slots []int64 // per enclosing object in file order: its record in outer, -1 without rows
	outer spill
	dups  map[int]map[string]int // slot -> key on a path that occurs more than once -> how often

	sc       *jsonScanner
	skeleton []byte
	found    int // rows seen in the first pass
	slot     int // next slot of a later pass
	d        *decoder
}

// How much of an array that leads to rows is kept in the head: enough to tell
// what was scanned, not enough to fill the memory.
const (
	headElements     = 2000
	headElementBytes = 4 << 20
	maxEnclosing     = 4_000_000
)

// env is what all readers of one parse share.
type env struct {
	variant *variant
	machine *machine
	limits  Limits
	notes   *notes
	dir     string
	tables  *tables
	member  string
}

func openJSON(e *env, in io.ReaderAt, tree *pathNode) (document, error) {
	j := &jsonDocument{env: e, in: in, tree: tree, outer: spill{dir: e.dir}, dups: map[int]map[string]int{}}
	j.d = &decoder{limits: e.limits, notes: e.notes}
	j.sc = &jsonScanner{w: newWindow(in), depth: e.limits.Depth}
	if err := j.first(); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func (j *jsonDocument) head() any    { return j.root }
func (j *jsonDocument) close() error { return j.outer.close() }

// first is the first pass.
func (j *jsonDocument) first() error {
	if c, err := j.sc.token(); err != nil || c == 0 {
		return errors.Join(err, invalid("1", "the file is empty"))
	}
	if err := j.scan(j.tree, nil); err != nil {
		return j.scanError(err)
	}
	if err := j.end(); err != nil {
		return err
	}
	if len(j.skeleton) == 0 {
		return nil
	}
	j.d.where = nil
	v, err := j.d.decode(j.skeleton)
	if err != nil {
		return j.headError(err)
	}
	j.root, j.skeleton = v, nil
	return nil
}

func (j *jsonDocument) end() error {
	c, err := j.sc.token()
	if err != nil {
		return err
	}
	if c != 0 || j.sc.w.pos < j.sc.w.end {
		return j.sc.unexpected(c, "expected the end of the file")
	}
	return nil
}

// scan takes one value in the first pass and writes what belongs to the head.
func (j *jsonDocument) scan(n *pathNode, keys []any) error {
	if n == nil {
		return j.sc.copyTo(&j.skeleton, j.env.limits.Head)
	}
	if n.ends() {
		return j.scanRow(n, keys)
	}
	c, err := j.sc.token()
	if err != nil {
		return err
	}
	switch {
	case c == '{' && n.deeper():
		return j.scanObject(n, keys)
	case c == '[' && n.each != nil:
		return j.scanArray(n, keys)
	}
	return j.sc.copyTo(&j.skeleton, j.env.limits.Head)
}

func (j *jsonDocument) scanObject(n *pathNode, keys []any) error {
	slot := len(j.slots)
	if slot >= maxEnclosing {
		return tooLarge("", "more than %d objects enclose rows", maxEnclosing).Hint("split the report")
	}
	j.slots = append(j.slots, -1)
	found, start := j.found, len(j.skeleton)
	j.skeleton = append(j.skeleton, '{')
	seen := map[string]int{}
	err := j.members(func(key string, raw []byte) error {
		c := n.child(key)
		inner := keys
		if c != nil && c.step.each {
			inner = withKey(keys, key)
		} else if c != nil {
			if seen[key]++; seen[key] > 1 {
				if j.dups[slot] == nil {
					j.dups[slot] = map[string]int{}
				}
				j.dups[slot][key] = seen[key]
				j.env.notes.add("duplicate keys", fmt.Sprintf("the key %s occurs more than once; the last one counts", c.at(keys)))
			}
		}
		if c != nil && c.ends() {
			return j.scanRow(c, inner)
		}
		if len(j.skeleton) > start+1 {
			j.skeleton = append(j.skeleton, ',')
		}
		j.skeleton = append(append(j.skeleton, raw...), ':')
		return j.scan(c, inner)
	})
	if err != nil {
		return err
	}
	j.skeleton = append(j.skeleton, '}')
	if n != j.tree && j.found > found {
		at, err := j.outer.add(j.skeleton[start:])
		if err != nil {
			return err
		}
		j.slots[slot] = at
	}
	return nil
}

func (j *jsonDocument) scanArray(n *pathNode, keys []any) error {
	start := len(j.skeleton)
	j.skeleton = append(j.skeleton, '[')
	kept := 0
	err := j.elements(func(i int) error {
		before := len(j.skeleton)
		if kept > 0 {
			j.skeleton = append(j.skeleton, ',')
		}
		from := len(j.skeleton)
		if err := j.scan(n.each, withKey(keys, i)); err != nil {
			return err
		}
		if len(j.skeleton) == from || kept >= headElements || len(j.skeleton)-start > headElementBytes {
			j.skeleton = j.skeleton[:before]
			return nil
		}
		kept++
		return nil
	})
	j.skeleton = append(j.skeleton, ']')
	return err
}

// scanRow takes a row or a table's element in the first pass.
func (j *jsonDocument) scanRow(n *pathNode, keys []any) error {
	j.found++
	if !n.indexed {
		_, err := j.sc.value(-1)
		return err
	}
	v, r, err := j.frame(n, keys)
	if err != nil {
		return err
	}
	t := treeWalker{base: r, emit: func(n *pathNode, r *row) error { return j.env.fill(n, r) }}
	return t.walk(n, v, "", keys, nil, "")
}

// frame takes one value whole and decodes it.
func (j *jsonDocument) frame(n *pathNode, keys []any) (any, row, error) {
	b, r, err := j.take(n, keys)
	if err != nil {
		return nil, r, err
	}
	j.d.where = r.place
	v, err := j.d.decode(b)
	if err != nil {
		return nil, r, j.decodeError(err, r.start, r.place())
	}
	return v, r, nil
}

// fault explains an error of decoding a row later.
func (j *jsonDocument) fault(err error, r *row) error {
	return j.decodeError(err, r.start, r.place())
}

// take takes one value whole: its text, which is valid until the next is taken.
func (j *jsonDocument) take(n *pathNode, keys []any) ([]byte, row, error) {
	var r row
	if _, err := j.sc.token(); err != nil {
		return nil, r, err
	}
	limit := j.env.limits.Row
	if n == j.tree {
		limit = j.env.limits.Document // the whole file is the row
	}
	r.start = j.sc.w.offset()
	b, err := j.sc.value(limit)
	if le := (*limitError)(nil); errors.As(err, &le) {
		return nil, r, j.sc.tooLarge(le, "the row "+n.at(keys), "no finding is that large; the report is refused")
	}
	if err != nil {
		return nil, r, err
	}
	r.end, r.member = j.sc.w.offset(), j.env.member
	r.place = func() string { return n.at(keys) }
	return b, r, nil
}

// members takes an object and calls f for each member, which must take the value.
func (j *jsonDocument) members(f func(key string, raw []byte) error) error {
	if err := j.sc.expect('{'); err != nil {
		return err
	}
	var keyBuf []byte
	for first := true; ; first = false {
		c, err := j.sc.token()
		if err != nil {
			return err
		}
		if c == '}' && first {
			j.sc.w.pos++
			return nil
		}
		if !first {
			if c == '}' {
				j.sc.w.pos++
				return nil
			}
			if c != ',' {
				return j.sc.unexpected(c, "expected ',' or '}'")
			}
			j.sc.w.pos++
			if c, err = j.sc.token(); err != nil {
				return err
			}
		}
		if c != '"' {
			return j.sc.unexpected(c, "expected a key in quotes")
		}
		at := j.sc.w.offset()
		raw, err := j.sc.value(64 << 10)
		if le := (*limitError)(nil); errors.As(err, &le) {
			return j.sc.tooLarge(le, "a key", "the report is refused")
		}
		if err != nil {
			return err
		}
		keyBuf = append(keyBuf[:0], raw...)
		j.d.src, j.d.pos, j.d.budget = keyBuf, 0, len(keyBuf)*4+1024
		key, err := j.d.text()
		if err != nil {
			return j.decodeError(err, at, "a key")
		}
		if err := j.sc.expect(':'); err != nil {
			return err
		}
		own := slices.Clone(keyBuf)
		if err := f(key, own); err != nil {
			return err
		}
	}
}

// elements takes an array and calls f for each element, which must take it.
func (j *jsonDocument) elements(f func(i int) error) error {
	if err := j.sc.expect('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		c, err := j.sc.token()
		if err != nil {
			return err
		}
		if c == ']' && i == 0 {
			j.sc.w.pos++
			return nil
		}
		if i > 0 {
			if c == ']' {
				j.sc.w.pos++
				return nil
			}
			if c != ',' {
				return j.sc.unexpected(c, "expected ',' or ']'")
			}
			j.sc.w.pos++
		}
		if err := f(i); err != nil {
			return err
		}
	}
}

func (j *jsonDocument) rows(emit func(*row) error) error {
	j.sc = &jsonScanner{w: newWindow(j.in), depth: j.env.limits.Depth}
	j.slot = 0
	return j.scanError(j.visit(j.tree, "", nil, nil, emit))
}

// visit takes one value in a later pass.
func (j *jsonDocument) visit(n *pathNode, name string, keys []any, outer []scope, emit func(*row) error) error {
	if n == nil || n.ends() && !n.hasRows() {
		_, err := j.sc.value(-1)
		return err
	}
	if n.ends() && !n.deeper() { // its text is one row: a worker decodes it
		raw, r, err := j.take(n, keys)
		if err != nil || n.skip || string(raw) == "null" || string(raw) == "NaN" {
			return err
		}
		r.specs, r.raw, r.keys, r.ancestors = n.rows, raw, keys, outer
		r.fault = j.fault
		return emit(&r)
	}
	if n.ends() {
		v, r, err := j.frame(n, keys)
		if err != nil {
			return err
		}
		t := treeWalker{base: r, emit: func(n *pathNode, r *row) error {
			if len(n.rows) == 0 {
				return nil
			}
			return emit(r)
		}}
		return t.walk(n, v, name, keys, outer, "")
	}
	c, err := j.sc.token()
	if err != nil {
		return err
	}
	switch {
	case c == '{' && n.deeper():
		return j.visitObject(n, name, keys, outer, emit)
	case c == '[' && n.each != nil:
		return j.elements(func(i int) error { return j.visit(n.each, name, withKey(keys, i), outer, emit) })
	}
	_, err = j.sc.value(-1)
	return err
}

func (j *jsonDocument) visitObject(n *pathNode, name string, keys []any, outer []scope, emit func(*row) error) error {
	slot := j.slot
	j.slot++
	s := scope{name: name}
	if n == j.tree {
		s.value = j.root
	} else if at := j.slots[slot]; at >= 0 {
		text, err := j.outer.get(at)
		if err != nil {
			return err
		}
		d := decoder{limits: j.env.limits} // its notes were taken with the head's
		if s.value, err = d.decode(text); err != nil {
			return j.headError(err)
		}
	}
	inner := append(slices.Clip(outer), s)
	dups := j.dups[slot]
	seen := map[string]int{}
	return j.members(func(key string, _ []byte) error {
		c := n.child(key)
		k := keys
		if c != nil && c.step.each {
			k = withKey(keys, key)
		} else if dups[key] > 0 {
			if seen[key]++; seen[key] < dups[key] {
				return j.discard(c)
			}
		}
		next := key
		if c != nil && c.step.each {
			next = name
		}
		return j.visit(c, next, k, inner, emit)
	})
}

// discard takes a value that a later duplicate replaces, and its slots.
func (j *jsonDocument) discard(n *pathNode) error {
	return j.visit(n, "", nil, nil, func(*row) error { return nil })
}

// hasRows reports whether a row ends at n or below.
func (n *pathNode) hasRows() bool {
	if len(n.rows) > 0 || n.each != nil && n.each.hasRows() {
		return true
	}
	for _, c := range n.keys {
		if c.hasRows() {
			return true
		}
	}
	return false
}

func (j *jsonDocument) scanError(err error) error {
	if le := (*limitError)(nil); errors.As(err, &le) {
		return j.sc.tooLarge(le, "what is outside the rows", "name large parts that the mapping does not need under skip")
	}
	return err
}

func (j *jsonDocument) headError(err error) error {
	if de := (*decodeError)(nil); errors.As(err, &de) {
		code := sinew.CodeInvalid
		if de.big {
			code = sinew.CodeTooLarge
		}
		if de.big {
			return sinew.Errorf(code, "the part outside the rows: %s", de.msg).Hint("name large parts that the mapping does not need under skip")
		}
		return sinew.Errorf(code, "not valid JSON in %s, outside the rows: %s", j.d.place(""), de.msg).Hint("the report is damaged or is not JSON")
	}
	return err
}

func (j *jsonDocument) decodeError(err error, start int64, place string) error {
	de := (*decodeError)(nil)
	if !errors.As(err, &de) {
		return err
	}
	at := start + int64(de.pos)
	line := strconv.Itoa(lineOf(j.in, at))
	if de.big {
		return tooLarge(line, "%s: %s", place, de.msg).Hint("no scanner writes such a report; it is refused")
	}
	return invalid(line, "not valid JSON at byte %d, in %s: %s", at, place, de.msg).Hint("the report is damaged or is not JSON")
}
