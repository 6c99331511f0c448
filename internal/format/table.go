package format

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tableDocument is a report that is a sequence of small values: JSON lines, CSV
// records, lines of text, rows of a sheet. Its paths begin with .[] (one value
// each) and may go on inside the value.
type tableDocument struct {
	env  *env
	tree *pathNode
	top  map[string]any
	each func(f func(v any, r row, keys []any) error) error
	shut func() error
}

func newTable(e *env, tree *pathNode, top map[string]any, each func(f func(any, row, []any) error) error) (*tableDocument, error) {
	t := &tableDocument{env: e, tree: tree, top: top, each: each}
	if tree.indexed {
		err := t.each(func(v any, r row, keys []any) error {
			n := t.node(keys)
			if n == nil {
				return nil
			}
			w := treeWalker{base: r, emit: e.fill}
			return w.walk(n, v, "", keys, nil, "")
		})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tableDocument) head() any { return t.top }

func (t *tableDocument) close() error {
	if t.shut != nil {
		return t.shut()
	}
	return nil
}

// node is where the path of a value with these keys has got to: .[] or .[][].
func (t *tableDocument) node(keys []any) *pathNode {
	n := t.tree
	for _, k := range keys {
		if n == nil {
			return nil
		}
		if s, ok := k.(string); ok {
			n = n.child(s)
		} else {
			n = n.each
		}
	}
	return n
}

func (t *tableDocument) rows(emit func(*row) error) error {
	return t.each(func(v any, r row, keys []any) error {
		n := t.node(keys)
		if n == nil {
			return nil
		}
		w := treeWalker{base: r, emit: func(n *pathNode, r *row) error {
			if len(n.rows) == 0 {
				return nil
			}
			return emit(r)
		}}
		return w.walk(n, v, "", keys, nil, "")
	})
}

// openLines reads JSON values one after the other.
func openLines(e *env, in io.ReaderAt, tree *pathNode) (document, error) {
	j := &jsonDocument{env: e, in: in, tree: &pathNode{}, d: &decoder{limits: e.limits, notes: e.notes}}
	each := func(f func(any, row, []any) error) error {
		j.sc = &jsonScanner{w: newWindow(in), depth: e.limits.Depth}
		for i := 0; ; i++ {
			c, err := j.sc.token()
			if err != nil {
				return err
			}
			if c == 0 && j.sc.w.pos >= j.sc.w.end {
				return nil
			}
			n := &pathNode{pattern: "[]"}
			keys := []any{i}
			v, r, err := j.frame(n, keys)
			if err != nil {
				return err
			}
			if err := f(v, r, keys); err != nil {
				return err
			}
		}
	}
	// The head of lines is the first one.
	top := map[string]any{}
	stop := errors.New("enough")
	err := each(func(v any, _ row, _ []any) error {
		top["first"] = v
		return stop
	})
	if err != nil && !errors.Is(err, stop) {
		return nil, err
	}
	return newTable(e, tree, top, each)
}

// openText reads any text: the path . is the whole text, .[] is each line.
func openText(e *env, in Input, tree *pathNode) (document, error) {
	limit := min(int64(e.limits.Document), 16<<20)
	if in.Size > limit {
		return nil, tooLarge("", "the text has %s; this format is read whole, up to %s", size(in.Size), size(limit)).Hint("split the report")
	}
	b := make([]byte, in.Size)
	if _, err := io.ReadFull(io.NewSectionReader(in.R, 0, in.Size), b); err != nil {
		return nil, fmt.Errorf("read text: %w", err)
	}
	text := cleanText(b, int(limit), func(kind string) { e.notes.add(kind, kind) })
	each := func(f func(any, row, []any) error) error {
		if len(tree.rows) > 0 {
			r := row{start: 0, end: in.Size, member: e.member, place: func() string { return "." }}
			if err := f(text, r, nil); err != nil {
				return err
			}
		}
		if tree.each == nil {
			return nil
		}
		i, at := 0, int64(0)
		for l := range strings.Lines(text) {
			n := i + 1
			r := row{start: at, end: at + int64(len(l)), member: e.member, place: func() string { return "line " + strconv.Itoa(n) }}
			if err := f(cutText(strings.TrimRight(l, "\r\n"), e.limits.String), r, []any{i}); err != nil {
				return err
			}
			at += int64(len(l))
			i++
		}
		return nil
	}
	return newTable(e, tree, map[string]any{"text": cutText(text, e.limits.String)}, each)
}
