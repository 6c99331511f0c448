package format

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// selector is a small part of CSS: tag, .class, #id, [attr], [attr=value],
// descendants, children (>) and alternatives (,).
type selector []chain

type chain []compound // outermost first

type compound struct {
	tag     string
	id      string
	classes []string
	attrs   [][2]string // name, value; the value "\x00" means any
	child   bool        // must be a child of the one before
}

const anyValue = "\x00"

func parseSelector(s string) (selector, error) {
	var sel selector
	for alt := range strings.SplitSeq(s, ",") {
		var ch chain
		child := false
		for part := range strings.FieldsSeq(strings.ReplaceAll(alt, ">", " > ")) {
			if part == ">" {
				child = true
				continue
			}
			c, err := parseCompound(part)
			if err != nil {
				return nil, err
			}
			c.child = child
			child = false
			ch = append(ch, c)
		}
		if len(ch) == 0 || child {
			return nil, errors.New("a selector is missing: for example table.findings > tbody tr")
		}
		sel = append(sel, ch)
	}
	return sel, nil
}

func parseCompound(s string) (compound, error) {
	var c compound
	for i := 0; i < len(s); {
		kind := s[i]
		if strings.IndexByte(".#[", kind) >= 0 {
			i++
		}
		n := strings.IndexAny(s[i:], ".#[")
		if kind == '[' {
			n = strings.IndexByte(s[i:], ']')
			if n < 0 {
				return c, errors.New("a [ does not end")
			}
		}
		if n < 0 {
			n = len(s) - i
		}
		word := s[i : i+n]
		i += n
		if word == "" || strings.ContainsAny(word, ":+~()") {
			return c, fmt.Errorf("%q is not a selector of the kinds tag, .class, #id, [attr], [attr=value]", s)
		}
		switch kind {
		case '.':
			c.classes = append(c.classes, word)
		case '#':
			c.id = word
		case '[':
			i++
			name, value, has := strings.Cut(word, "=")
			if !has {
				value = anyValue
			}
			c.attrs = append(c.attrs, [2]string{strings.ToLower(name), strings.Trim(value, `"'`)})
		default:
			if word != "*" {
				c.tag = strings.ToLower(word)
			}
		}
	}
	return c, nil
}

// element is what a compound looks at.
type element interface {
	name() string
	attr(name string) (string, bool)
}

func (c *compound) matches(e element) bool {
	if c.tag != "" && e.name() != c.tag {
		return false
	}
	if c.id != "" {
		if v, _ := e.attr("id"); v != c.id {
			return false
		}
	}
	if len(c.classes) > 0 {
		v, _ := e.attr("class")
		have := strings.Fields(v)
		for _, want := range c.classes {
			if !slices.Contains(have, want) {
				return false
			}
		}
	}
	for _, a := range c.attrs {
		v, ok := e.attr(a[0])
		if !ok || a[1] != anyValue && v != a[1] {
			return false
		}
	}
	return true
}

// matches reports whether the last of path is selected; path is from the root.
func (s selector) matches(path []element) bool {
	for _, ch := range s {
		if ch.matches(path) {
			return true
		}
	}
	return false
}

func (ch chain) matches(path []element) bool {
	last := len(ch) - 1
	if len(path) == 0 || !ch[last].matches(path[len(path)-1]) {
		return false
	}
	if last == 0 {
		return true
	}
	outer := path[:len(path)-1]
	if ch[last].child {
		return ch[:last].matches(outer)
	}
	for n := len(outer); n > 0; n-- {
		if ch[:last].matches(outer[:n]) {
			return true
		}
	}
	return false
}

type htmlElement struct{ *html.Node }

func (e htmlElement) name() string { return e.Data }

func (e htmlElement) attr(name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

const maxSelected = 200_000

// find lists the elements of a parsed document that are selected, in order.
func (s selector) find(root *html.Node) []*html.Node {
	var out []*html.Node
	var path []element
	var visit func(n *html.Node)
	visit = func(n *html.Node) {
		if n.Type == html.ElementNode {
			path = append(path, htmlElement{n})
			if len(out) < maxSelected && s.matches(path) {
				out = append(out, n)
			}
			defer func() { path = path[:len(path)-1] }()
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			visit(c)
		}
	}
	visit(root)
	return out
}

type treeElement map[string]any

func (e treeElement) name() string { s, _ := e["tag"].(string); return s }

func (e treeElement) attr(name string) (string, bool) {
	s, ok := e["@"+name].(string)
	return s, ok
}

// cssFunc is the function css of programs, on the tree of an HTML row.
func cssFunc(v any, a []any) any {
	root, ok := v.(map[string]any)
	if !ok {
		return []any{}
	}
	sel, err := parseSelector(textOf(a[0]))
	if err != nil {
		return fmt.Errorf("css: %w", err)
	}
	out := []any{}
	var path []element
	var visit func(m map[string]any)
	visit = func(m map[string]any) {
		path = append(path, treeElement(m))
		if len(path) > 1 && len(out) < maxSelected && sel.matches(path) {
			out = append(out, m)
		}
		children, _ := m["children"].([]any)
		for _, c := range children {
			if cm, ok := c.(map[string]any); ok {
				visit(cm)
			}
		}
		path = path[:len(path)-1]
	}
	visit(root)
	return out
}
