package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// HTML is read whole, up to the document limit. An element is
//
//	{"tag": "td", "@class": "x", "text": "all the text inside", "children": [elements]}
//
// where text has its white space folded, except in <pre>. The path of a row is a
// selector (table.findings tr); .parent is the element around it.

func htmlTree(limits Limits, root *html.Node, budget *int) (any, error) {
	return htmlNode(root, limits, budget, 0)
}

func htmlNode(n *html.Node, limits Limits, budget *int, depth int) (map[string]any, error) {
	if depth > limits.Depth {
		return nil, tooLarge("", "elements are nested more than %d deep", limits.Depth).Hint("no scanner writes such a report; it is refused")
	}
	if *budget -= 200; *budget < 0 {
		return nil, tooLarge("", "the HTML holds too many elements to be read at once").Hint("let the scanner write JSON or XML")
	}
	out := map[string]any{"tag": n.Data}
	for _, a := range n.Attr {
		*budget -= 48 + len(a.Val)
		out["@"+a.Key] = cutText(strings.ReplaceAll(a.Val, "\x00", ""), limits.String)
	}
	children := []any{}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		e, err := htmlNode(c, limits, budget, depth+1)
		if err != nil {
			return nil, err
		}
		children = append(children, e)
	}
	out["children"] = children
	if depth == 0 || n.Data != "body" && n.Data != "html" {
		var b strings.Builder
		htmlText(n, &b, n.Data == "pre", limits.String)
		s := strings.TrimSpace(b.String())
		*budget -= len(s)
		out["text"] = s
	}
	return out, nil
}

// htmlText appends the text of n and below, up to limit.
func htmlText(n *html.Node, b *strings.Builder, pre bool, limit int) {
	if b.Len() > limit {
		return
	}
	switch n.Type {
	case html.TextNode:
		s := strings.ReplaceAll(n.Data, "\x00", "")
		if !pre {
			lead := s != "" && strings.TrimLeft(s, " \t\r\n\u00a0") != s
			trail := s != "" && strings.TrimRight(s, " \t\r\n\u00a0") != s
			s = strings.Join(strings.Fields(s), " ")
			if cur := b.String(); lead && cur != "" && !strings.HasSuffix(cur, " ") && !strings.HasSuffix(cur, "\n") {
				b.WriteByte(' ')
			}
			if trail && s != "" {
				s += " "
			}
		}
		b.WriteString(s[:min(len(s), max(0, limit-b.Len()))])
		return
	case html.ElementNode:
		switch n.Data {
		case "script", "style", "template":
			return
		case "br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "pre":
			if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
				b.WriteByte('\n')
			}
		}
		pre = pre || n.Data == "pre"
	default: // documents and comments have no text of their own
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		htmlText(c, b, pre, limit)
	}
}

// htmlDocument is a parsed HTML file.
type htmlDocument struct {
	env  *env
	root *html.Node
	top  map[string]any
	size int64
}

func openHTML(e *env, in Input) (document, error) {
	limit := min(int64(e.limits.Document), 16<<20)
	if in.Size > limit {
		return nil, tooLarge("", "the HTML has %s; such reports are read whole, up to %s", size(in.Size), size(limit)).
			Hint("let the scanner write JSON or XML")
	}
	root, err := parseHTML(io.NewSectionReader(in.R, 0, in.Size), e.limits)
	if err != nil {
		return nil, err
	}
	d := &htmlDocument{env: e, root: root, size: in.Size}
	d.top = htmlHead(root)
	for i, ix := range e.variant.index {
		sel, err := parseSelector(ix.path.text)
		if err != nil {
			return nil, err
		}
		err = d.each(sel, func(r *row) error { return e.fill(&pathNode{index: []int{i}}, r) })
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// parseHTML refuses nesting that would make the parser slow or deep: it is
// quadratic in the depth of what is left open.
func parseHTML(r io.Reader, limits Limits) (*html.Node, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read HTML: %w", err)
	}
	z := html.NewTokenizer(bytes.NewReader(b))
	depth, tags := 0, 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return nil, invalid("", "not valid HTML: %v", err)
			}
			root, err := html.ParseWithOptions(bytes.NewReader(b), html.ParseOptionEnableScripting(false))
			if err != nil {
				return nil, invalid("", "not valid HTML: %v", err)
			}
			return root, nil
		case html.StartTagToken:
			name, _ := z.TagName()
			if !voidElement(string(name)) {
				depth++
			}
			if tags++; tags > 300_000 {
				return nil, tooLarge("", "the HTML has more than 300,000 elements").Hint("let the scanner write JSON or XML")
			}
		case html.EndTagToken:
			depth = max(depth-1, 0)
		default: // opens nothing
		}
		if depth > 20*limits.Depth {
			return nil, tooLarge("", "the HTML has more than %d elements open at once", 20*limits.Depth).Hint("no scanner writes such a report; it is refused")
		}
	}
}

func voidElement(name string) bool {
	switch name {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "p", "li", "td", "tr", "th", "option", "dt", "dd":
		return true
	}
	return false
}

// htmlHead is {title, meta: {name: content}, headings: [text]}.
func htmlHead(root *html.Node) map[string]any {
	meta := map[string]any{}
	headings := []any{}
	out := map[string]any{"title": "", "meta": meta}
	var visit func(n *html.Node, depth int)
	visit = func(n *html.Node, depth int) {
		if depth > 200 {
			return
		}
		if n.Type == html.ElementNode {
			switch n.Data {
			case "title":
				var b strings.Builder
				htmlText(n, &b, false, 1000)
				if out["title"] == "" {
					out["title"] = strings.TrimSpace(b.String())
				}
			case "meta":
				name, content := "", ""
				for _, a := range n.Attr {
					switch a.Key {
					case "name", "property":
						name = a.Val
					case "content":
						content = a.Val
					}
				}
				if name != "" && len(meta) < 100 {
					meta[cutText(name, 100)] = cutText(content, 1000)
				}
			case "h1", "h2", "h3":
				if len(headings) < 50 {
					var b strings.Builder
					htmlText(n, &b, false, 500)
					headings = append(headings, strings.TrimSpace(b.String()))
				}
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			visit(c, depth+1)
		}
	}
	visit(root, 0)
	out["headings"] = headings
	return out
}

// htmlSample is what detect expressions see: the head, and the text of the first
// part of the file.
func htmlSample(head []byte) (map[string]any, error) {
	root, err := parseHTML(bytes.NewReader(head), Limits{}.WithDefaults())
	if err != nil {
		return nil, err
	}
	out := htmlHead(root)
	var b strings.Builder
	htmlText(root, &b, false, 16<<10)
	out["text"] = strings.ToValidUTF8(b.String(), "\uFFFD")
	return out, nil
}

func (d *htmlDocument) head() any    { return d.top }
func (d *htmlDocument) close() error { return nil }

func (d *htmlDocument) each(sel selector, f func(*row) error) error {
	var around *html.Node
	var aroundValue any
	for i, n := range sel.find(d.root) {
		budget := d.env.limits.Tree
		v, err := htmlTree(d.env.limits, n, &budget)
		if err != nil {
			return err
		}
		r := &row{value: v, keys: []any{i}, member: d.env.member, start: 0, end: d.size, place: func() string { return "element " + strconv.Itoa(i+1) }}
		if p := n.Parent; p != nil && p.Type == html.ElementNode && p.Data != "body" {
			if p != around {
				if aroundValue, err = htmlTree(d.env.limits, p, &budget); err != nil {
					return err
				}
				around = p
			}
			r.ancestors = []scope{{name: p.Data, value: aroundValue}}
		}
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

func (d *htmlDocument) rows(emit func(*row) error) error {
	for i, spec := range d.env.variant.rows {
		sel, err := parseSelector(spec.path.text)
		if err != nil {
			return err
		}
		err = d.each(sel, func(r *row) error {
			r.specs = []int{i}
			return emit(r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
