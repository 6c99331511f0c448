package format

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// rowPath leads from a document's root to its rows. JSON-like kinds write keys
// and [] only (.Results[].Vulnerabilities[]; [] also goes over the values of an
// object), XML writes element names (/Report/Host/Item), HTML a selector
// (table.findings tr).
type rowPath struct {
	text  string
	steps []step
}

// step goes to the member of that name, or to each element.
type step struct {
	name string
	each bool
}

func parsePath(s, kind string) (*rowPath, error) {
	p := &rowPath{text: s}
	switch kind {
	case kindHTML:
		_, err := parseSelector(s)
		return p, err
	case kindXML:
		if !strings.HasPrefix(s, "/") || strings.HasSuffix(s, "/") {
			return nil, errors.New("an XML path is element names after slashes: /Report/Item")
		}
		for name := range strings.SplitSeq(s[1:], "/") {
			if name == "" {
				return nil, errors.New("an element name is missing between two slashes")
			}
			p.steps = append(p.steps, step{name: name})
		}
		return p, nil
	}
	if !strings.HasPrefix(s, ".") {
		return nil, errors.New("a path begins with a dot: .results[]")
	}
	rest := s
	for rest != "" && rest != "." {
		switch {
		case strings.HasPrefix(rest, "[]"):
			p.steps, rest = append(p.steps, step{each: true}), rest[2:]
		case strings.HasPrefix(rest, ".[]"):
			p.steps, rest = append(p.steps, step{each: true}), rest[3:]
		case strings.HasPrefix(rest, `."`) || strings.HasPrefix(rest, `["`) || strings.HasPrefix(rest, `.["`):
			quoted, err := strconv.QuotedPrefix(rest[strings.IndexByte(rest, '"'):])
			if err != nil {
				return nil, errors.New("a quoted key does not end")
			}
			name, _ := strconv.Unquote(quoted)
			bracket := strings.Contains(rest[:strings.IndexByte(rest, '"')], "[")
			rest = rest[strings.IndexByte(rest, '"')+len(quoted):]
			if bracket {
				if !strings.HasPrefix(rest, "]") {
					return nil, errors.New("a bracket does not end")
				}
				rest = rest[1:]
			}
			p.steps = append(p.steps, step{name: name})
		case rest[0] == '.':
			n := strings.IndexAny(rest[1:], ".[")
			if n < 0 {
				n = len(rest) - 1
			}
			name := rest[1 : n+1]
			if name == "" || strings.ContainsAny(name, " |()\"'?*]") {
				return nil, errors.New("only keys and [] are allowed; quote keys with other characters: .[\"a b\"][]")
			}
			p.steps, rest = append(p.steps, step{name: name}), rest[n+1:]
		default:
			return nil, errors.New("only keys and [] are allowed, for example .results[].findings[]")
		}
	}
	return p, nil
}

// pathNode is a tree of all paths of a variant, walked together with the
// document.
type pathNode struct {
	step  step
	keys  map[string]*pathNode
	each  *pathNode
	rows  []int // the rows that end here, as indices into variant.rows
	index []int // likewise variant.index
	skip  bool

	pattern string // .Results[].Vulnerabilities[], for messages
	indexed bool   // a table's path ends here or below
}

// ends reports whether the value at n is taken whole and left out of the head.
func (n *pathNode) ends() bool { return n.skip || len(n.rows) > 0 || len(n.index) > 0 }

// deeper reports whether paths go on below n.
func (n *pathNode) deeper() bool { return len(n.keys) > 0 || n.each != nil }

func (n *pathNode) add(p *rowPath) *pathNode {
	for _, s := range p.steps {
		var next *pathNode
		if s.each {
			if n.each == nil {
				n.each = &pathNode{step: s}
			}
			next = n.each
		} else {
			if n.keys == nil {
				n.keys = map[string]*pathNode{}
			}
			next = n.keys[s.name]
			if next == nil {
				next = &pathNode{step: s}
				n.keys[s.name] = next
			}
		}
		n = next
	}
	return n
}

// finish computes what is derived from the whole tree.
func (n *pathNode) finish(pattern string, xml bool) {
	n.pattern = pattern
	n.indexed = len(n.index) > 0
	for k, c := range n.keys {
		switch {
		case xml && pattern == "":
			c.finish("/"+k, true)
		case xml:
			c.finish(pattern+"/"+k+"[]", true)
		default:
			c.finish(pattern+stepText(k), false)
		}
		n.indexed = n.indexed || c.indexed
	}
	if n.each != nil {
		n.each.finish(pattern+"[]", xml)
		n.indexed = n.indexed || n.each.indexed
	}
}

// at writes the pattern with the keys of one row.
func (n *pathNode) at(keys []any) string {
	out := n.pattern
	for _, k := range keys {
		i := strings.Index(out, "[]")
		if i < 0 {
			break
		}
		out = out[:i] + fmt.Sprintf("[%v]", k) + out[i+2:]
	}
	if out == "" {
		return "."
	}
	return out
}

// child is where the paths go on for the member or element with that key.
func (n *pathNode) child(key string) *pathNode {
	if c := n.keys[key]; c != nil {
		return c
	}
	return n.each
}

// newPathTree joins the paths of v whose member matches.
func newPathTree(v *variant, xml bool, member func(glob string) bool) *pathNode {
	root := &pathNode{}
	for i, r := range v.rows {
		if member(r.member) {
			n := root.add(r.path)
			n.rows = append(n.rows, i)
		}
	}
	for i, ix := range v.index {
		if member(ix.member) {
			n := root.add(ix.path)
			n.index = append(n.index, i)
		}
	}
	for _, s := range v.skip {
		root.add(s).skip = true
	}
	root.finish("", xml)
	return root
}
