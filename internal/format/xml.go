package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/itchyny/gojq"
)

// xmlDocument reads an XML document of any size, the way jsonDocument reads
// JSON. An element becomes
//
//   - text, if it has neither attributes nor children: <a>x</a> is "x", <a/> is "";
//   - else an object: attributes as "@name", children by name, its text as "#text";
//     a child that occurs more than once is an array (the function list makes one
//     of either).
//
// Prefixes of names are dropped. The root of a path is the document's root
// element; in .head and .parents the elements that lead to rows are there, up to
// a number, without the rows.
type xmlDocument struct {
	env   *env
	in    io.ReaderAt
	tree  *pathNode
	root  map[string]any
	slots []int64
	outer spill
	x     *xmlScanner
	d     *decoder
	found int
	slot  int
	spent int // memory of the head so far, estimated
}

func openXML(e *env, in Input, tree *pathNode) (document, error) {
	j := &xmlDocument{env: e, in: in.R, tree: tree, outer: spill{dir: e.dir}, root: map[string]any{}}
	j.d = &decoder{limits: e.limits, notes: e.notes}
	if err := j.first(); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func (j *xmlDocument) head() any    { return j.root }
func (j *xmlDocument) close() error { return j.outer.close() }

func (j *xmlDocument) start() (xmlKind, []byte, error) {
	j.x = &xmlScanner{w: newWindow(j.in), limit: min(j.env.limits.Row, 4<<20)}
	var text []byte
	k, t, err := j.x.next(&text, 100)
	if err != nil {
		return 0, nil, err
	}
	if s := strings.TrimSpace(string(text)); s != "" {
		return 0, nil, j.x.fail("text before the first element")
	}
	if k == xmlEOF {
		return 0, nil, j.x.cut("an element")
	}
	if k == xmlEnd {
		return 0, nil, j.x.fail("an end tag without a start")
	}
	return k, t, nil
}

func (j *xmlDocument) first() error {
	k, t, err := j.start()
	if err != nil {
		return err
	}
	name, rest := localName(t)
	key := string(name)
	if c := j.tree.keys[key]; c != nil && !c.ends() {
		v, err := j.scan(c, key, rest, k, nil)
		if err != nil {
			return err
		}
		j.root[key] = v
	} else if c != nil {
		if err := j.scanRow(c, k, t, nil); err != nil {
			return err
		}
	} else {
		// Not what the mapping reads; detection has a say in that.
		if err := j.skip(k); err != nil {
			return err
		}
	}
	var text []byte
	if k, _, err = j.x.next(&text, 100); err != nil {
		return err
	}
	if k != xmlEOF || len(bytes.Trim(text, " \t\r\n\x00")) > 0 {
		return j.x.fail("something follows the root element")
	}
	return nil
}

func (j *xmlDocument) skip(k xmlKind) error {
	if k == xmlEmpty {
		return nil
	}
	return j.x.skipElement(j.env.limits.Depth, nil)
}

// scan takes an element that leads to rows, in the first pass: the result is
// what is in it besides the rows.
func (j *xmlDocument) scan(n *pathNode, name string, rest []byte, k xmlKind, keys []any) (map[string]any, error) {
	out := map[string]any{}
	j.d.budget, j.d.where = j.env.limits.Tree, func() string { return n.at(keys) }
	if err := j.attributes(out, rest); err != nil {
		return nil, err
	}
	slot := len(j.slots)
	if slot >= maxEnclosing {
		return nil, tooLarge("", "more than %d elements enclose rows", maxEnclosing).Hint("split the report")
	}
	j.slots = append(j.slots, -1)
	found := j.found
	if k == xmlEmpty {
		return out, nil
	}
	count := map[string]int{}
	kept := map[string]int{}
	var text []byte
	for {
		k, t, err := j.x.next(&text, j.env.limits.String)
		if err != nil {
			return nil, err
		}
		if k == xmlEOF {
			return nil, j.x.cut("</" + name + ">")
		}
		if k == xmlEnd {
			if end, _ := localName(t); string(end) != name {
				return nil, j.x.fail("found </%s>, expected </%s>", cutText(string(end), 60), name)
			}
			break
		}
		local, rest := localName(t)
		child := j.d.share(local)
		c := n.keys[child]
		inner := keys
		if c != nil {
			inner = withKey(keys, count[child])
			count[child]++
		}
		switch {
		case c != nil && c.ends():
			if err := j.scanRow(c, k, t, inner); err != nil {
				return nil, err
			}
		case c != nil:
			before := j.spent
			v, err := j.scan(c, child, rest, k, inner)
			if err != nil {
				return nil, err
			}
			if kept[child] < headElements && j.spent < headElementBytes*4 {
				kept[child]++
				addChild(out, child, v)
			} else {
				j.spent = before
			}
		default:
			v, err := j.element(k, t, 1, func() string { return n.at(keys) + "/" + child })
			if err != nil {
				return nil, err
			}
			if err := j.spend(); err != nil {
				return nil, err
			}
			addChild(out, child, v)
		}
	}
	if s := bytes.TrimSpace(text); len(s) > 0 {
		j.d.budget, j.d.where = j.env.limits.Tree, func() string { return n.at(keys) }
		v, err := j.d.border(s)
		if err != nil {
			return nil, j.decodeError(err)
		}
		out["#text"] = v
	}
	if n != j.tree && j.found > found {
		text, err := gojq.Marshal(out)
		if err != nil {
			return nil, fmt.Errorf("keep an enclosing element: %w", err)
		}
		at, err := j.outer.add(text)
		if err != nil {
			return nil, err
		}
		j.slots[slot] = at
	}
	return out, nil
}

// spend adds what the decoder used last to the head's memory.
func (j *xmlDocument) spend() error {
	j.spent += j.env.limits.Tree - j.d.budget
	if j.spent > j.env.limits.Tree {
		return tooLarge(strconv.Itoa(lineOf(j.in, j.x.w.offset())), "what is outside the rows is too large to be kept in memory").
			Hint("name large parts that the mapping does not need under skip")
	}
	return nil
}

// addChild adds a child; the second of a name makes an array.
func addChild(m map[string]any, name string, v any) {
	old, ok := m[name]
	if !ok {
		m[name] = v
		return
	}
	if l, ok := old.([]any); ok {
		m[name] = append(l, v)
		return
	}
	m[name] = []any{old, v}
}

func (j *xmlDocument) attributes(out map[string]any, rest []byte) error {
	if len(rest) == 0 {
		return nil
	}
	var failed error
	err := j.x.attributes(rest, func(name, value []byte) {
		if i := bytes.IndexByte(name, ':'); i >= 0 && string(name[:i]) != "xmlns" {
			name = name[i+1:]
		}
		key := "@" + j.d.share(name)
		if _, taken := out[key]; taken {
			return
		}
		v, err := j.text(value)
		if err != nil {
			failed = err
		}
		out[key] = v
		if err := j.d.spend(64); err != nil {
			failed = err
		}
	})
	return errors.Join(err, j.decodeError(failed))
}

// text resolves references in b and makes it fit.
func (j *xmlDocument) text(b []byte) (string, error) {
	if bytes.ContainsAny(b, "&\r") {
		b = appendXMLText(nil, b)
	} else if len(b) <= 40 && isASCII(b) {
		return j.d.share(b), nil
	}
	return j.d.border(b)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 || c == 0 {
			return false
		}
	}
	return true
}

// element decodes the element whose start tag was just taken, with its own
// budget.
func (j *xmlDocument) element(k xmlKind, t []byte, depth int, where func() string) (any, error) {
	j.d.budget = j.env.limits.Tree
	j.d.where = where
	v, err := j.subtree(k, t, depth)
	return v, j.decodeError(err)
}

func (j *xmlDocument) subtree(k xmlKind, t []byte, depth int) (any, error) {
	if depth > j.env.limits.Depth {
		return nil, tooLarge(strconv.Itoa(lineOf(j.x.w.r, j.x.w.offset())), "elements are nested more than %d deep", j.env.limits.Depth).
			Hint("no scanner writes such a report; it is refused")
	}
	local, rest := localName(t)
	name := j.d.share(local)
	var out map[string]any
	if len(bytes.TrimSpace(rest)) > 0 {
		out = map[string]any{}
		if err := j.attributes(out, rest); err != nil {
			return nil, err
		}
	}
	if err := j.d.spend(64); err != nil {
		return nil, err
	}
	if k == xmlEmpty {
		if out == nil {
			return "", nil
		}
		return out, nil
	}
	var text []byte
	for {
		k, t, err := j.x.next(&text, j.env.limits.String)
		if err != nil {
			return nil, err
		}
		if k == xmlEOF {
			return nil, j.x.cut("</" + cutText(name, 60) + ">")
		}
		if k == xmlEnd {
			end, _ := localName(t)
			if string(end) != name {
				return nil, j.x.fail("found </%s>, expected </%s>", cutText(string(end), 60), cutText(name, 60))
			}
			break
		}
		childName, _ := localName(t)
		child := j.d.share(childName)
		v, err := j.subtree(k, t, depth+1)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = map[string]any{}
		}
		addChild(out, child, v)
		if err := j.d.spend(48); err != nil {
			return nil, err
		}
	}
	if out == nil {
		if len(text) <= 40 && isASCII(text) {
			return j.d.share(text), nil
		}
		return j.d.border(text)
	}
	if s := bytes.TrimSpace(text); len(s) > 0 {
		v, err := j.d.border(s)
		if err != nil {
			return nil, err
		}
		out["#text"] = v
	}
	return out, nil
}

func (j *xmlDocument) decodeError(err error) error {
	if de := (*decodeError)(nil); errors.As(err, &de) {
		return tooLarge(strconv.Itoa(lineOf(j.x.w.r, j.x.w.offset())), "an element is too large: %s", de.msg).Hint("no scanner writes such a report; it is refused")
	}
	return err
}

// scanRow takes a row or a table's element in the first pass.
func (j *xmlDocument) scanRow(n *pathNode, k xmlKind, t []byte, keys []any) error {
	j.found++
	if !n.indexed {
		return j.skip(k)
	}
	v, r, err := j.frame(n, k, t, keys)
	if err != nil {
		return err
	}
	w := treeWalker{base: r, emit: j.env.fill}
	return w.walk(n, v, "", keys, nil, "")
}

// frame decodes a row whose start tag was just taken. A row is read while its
// bytes pass by; only its size is limited.
func (j *xmlDocument) frame(n *pathNode, k xmlKind, t []byte, keys []any) (any, row, error) {
	w := j.x.w
	r := row{member: j.env.member, place: func() string { return n.at(keys) }}
	r.start = w.offset() - int64(len(t)) - 2
	if k == xmlEmpty {
		r.start--
	}
	v, err := j.element(k, t, 1, r.place)
	if err != nil {
		return nil, r, err
	}
	r.end = w.offset()
	if r.end-r.start > int64(j.env.limits.Row) && n != j.tree {
		return nil, r, tooLarge(strconv.Itoa(lineOf(j.in, r.start)), "the row %s at byte %d is larger than %s", r.place(), r.start, size(int64(j.env.limits.Row))).
			Hint("no finding is that large; the report is refused")
	}
	return v, r, nil
}

func (j *xmlDocument) rows(emit func(*row) error) error {
	k, t, err := j.start()
	if err != nil {
		return err
	}
	j.slot = 0
	name, _ := localName(t)
	return j.visit(j.tree.keys[string(name)], string(name), k, t, nil, nil, emit)
}

func (j *xmlDocument) visit(n *pathNode, name string, k xmlKind, t []byte, keys []any, outer []scope, emit func(*row) error) error {
	if n == nil || n.ends() && !n.hasRows() {
		return j.skip(k)
	}
	if n.ends() {
		v, r, err := j.frame(n, k, t, keys)
		if err != nil {
			return err
		}
		w := treeWalker{base: r, emit: func(n *pathNode, r *row) error {
			if len(n.rows) == 0 {
				return nil
			}
			return emit(r)
		}}
		return w.walk(n, v, name, keys, outer, "")
	}
	s := scope{name: name}
	if at := j.slots[j.slot]; at >= 0 {
		text, err := j.outer.get(at)
		if err != nil {
			return err
		}
		d := decoder{limits: j.env.limits}
		if s.value, err = d.decode(text); err != nil {
			return fmt.Errorf("read back an enclosing element: %w", err)
		}
	}
	j.slot++
	if k == xmlEmpty {
		return nil
	}
	inner := append(slices.Clip(outer), s)
	count := map[string]int{}
	for {
		k, t, err := j.x.next(nil, 0)
		if err != nil {
			return err
		}
		if k == xmlEnd {
			return nil
		}
		if k == xmlEOF {
			return j.x.cut("</" + name + ">")
		}
		local, _ := localName(t)
		c := n.keys[string(local)]
		if c == nil {
			if err := j.skip(k); err != nil {
				return err
			}
			continue
		}
		next := c.step.name
		err = j.visit(c, next, k, t, withKey(keys, count[next]), inner, emit)
		count[next]++
		if err != nil {
			return err
		}
	}
}
