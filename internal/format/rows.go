package format

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// row is one row of a report, with what encloses it.
type row struct {
	specs     []int // indices into variant.rows
	value     any
	raw       []byte  // JSON in the place of the value, to be decoded by a worker
	keys      []any   // for each [] of the path, outermost first: the index, or the key in an object
	ancestors []scope // enclosing objects, outermost (the root) first
	start     int64   // byte range in the input, when the reader knows it
	end       int64
	member    string // file inside an archive
	place     func() string
	fault     func(error, *row) error // explains an error of decoding raw
}

// scope is an object that encloses a row, without the arrays that lead to rows.
type scope struct {
	name  string // key or element name; empty for the root
	value any
}

// document is an opened report.
type document interface {
	// head is everything outside the rows.
	head() any
	// rows gives each row to emit, in file order; the row and its raw text are
	// valid until emit returns. It may be called several times.
	rows(emit func(*row) error) error
	close() error
}

// input is what a program sees of the row:
//
//	row        the row itself
//	parent     the nearest enclosing object
//	parents    the enclosing objects by name: .parents.Results is the element of Results that the row is in
//	ancestors  the enclosing objects, nearest first; the last is the root
//	head       the root without rows
//	key, keys  index or key of the row in its container; of every [] of the path, outermost first
//	n          number of the row in the file, from 0
//	member     name of the file in the archive, if it is one
//
// Enclosing objects and the head lack the arrays that lead to rows and tables:
// these are empty there.
func (r *row) input(s *surroundings, head any, n int) map[string]any {
	in := map[string]any{
		"row": r.value, "parent": s.parent, "parents": s.parents, "ancestors": s.ancestors, "head": head,
		"keys": r.keys, "n": n,
	}
	if len(r.keys) > 0 {
		in["key"] = r.keys[len(r.keys)-1]
	}
	if r.member != "" {
		in["member"] = r.member
	}
	return in
}

// surroundings are the enclosing objects of a row as programs see them.
type surroundings struct {
	scopes    []scope
	parent    any
	parents   map[string]any
	ancestors []any
}

func (r *row) surroundings() surroundings {
	s := surroundings{scopes: r.ancestors, parents: make(map[string]any, len(r.ancestors)), ancestors: make([]any, 0, len(r.ancestors))}
	for i, a := range slices.Backward(r.ancestors) {
		s.ancestors = append(s.ancestors, a.value)
		if i == len(r.ancestors)-1 {
			s.parent = a.value
		}
		if _, taken := s.parents[a.name]; !taken && a.name != "" {
			s.parents[a.name] = a.value
		}
	}
	return s
}

// of reports whether s is what surrounds r: readers give the rows of one object
// the same slice.
func (s *surroundings) of(r *row) bool {
	return s.parents != nil && len(s.scopes) == len(r.ancestors) && (len(s.scopes) == 0 || &s.scopes[0] == &r.ancestors[0])
}

// treeWalker finds rows in a decoded tree: below a framed row that has rows of
// its own, in documents that are read whole, and in lines of tables.
type treeWalker struct {
	emit func(n *pathNode, r *row) error
	base row // start, end, member, place of the framed value
}

// walk visits v, whose path ended in n. The keys and ancestors are those of v.
func (t *treeWalker) walk(n *pathNode, v any, name string, keys []any, ancestors []scope, path string) error {
	if n.ends() && !n.skip && v != nil {
		r := t.base
		r.specs, r.value, r.keys, r.ancestors = n.rows, v, keys, ancestors
		outer := t.base.place
		r.place = func() string { return outer() + path }
		if err := t.emit(n, &r); err != nil {
			return err
		}
	}
	if !n.deeper() {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		inner := append(slices.Clip(ancestors), scope{name: name, value: v})
		for _, k := range sortedKeys(v) {
			if c := n.keys[k]; c != nil {
				if err := t.walk(c, v[k], k, keys, inner, path+stepText(k)); err != nil {
					return err
				}
			} else if n.each != nil {
				if err := t.walk(n.each, v[k], name, withKey(keys, k), inner, path+stepText(k)); err != nil {
					return err
				}
			}
		}
	case []any:
		if n.each == nil {
			return nil
		}
		for i, e := range v {
			if err := t.walk(n.each, e, name, withKey(keys, i), ancestors, path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
	}
	return nil
}

func withKey(keys []any, k any) []any { return append(slices.Clip(keys), k) }

// stepText writes a key the way a path does.
func stepText(k string) string {
	if k == "" || strings.ContainsAny(k, " .[]\"'\n\t") {
		return fmt.Sprintf("[%q]", cutText(k, 60))
	}
	return "." + cutText(k, 60)
}
