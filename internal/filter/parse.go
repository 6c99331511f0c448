package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Parse reads a query. Its error is a [*sinew.Error] that names the place and,
// where a word is nearly right, the word that was probably meant; [Position]
// gives the place in bytes.
func Parse(s string) (*Query, error) {
	p := &parser{s: s}
	q := &Query{}
	if len(s) > maxLength {
		return nil, p.errorf(maxLength, len(s), "the filter is longer than %d bytes", maxLength)
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return nil, p.errorf(0, len(s), "the filter is not UTF-8 text")
	}
	for p.skipSpace(); p.i < len(s); p.skipSpace() {
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		if len(q.Terms) == maxTerms {
			return nil, p.errorf(t.Pos, t.End, "the filter has more than %d terms", maxTerms)
		}
		q.Terms = append(q.Terms, t)
	}
	return q, nil
}

type parser struct {
	s string
	i int
}

// term reads one; p.i is at its first character, which is no space.
func (p *parser) term() (Term, error) {
	t := Term{Op: "=", Pos: p.i}
	if p.s[p.i] == '-' {
		t.Negated = true
		p.i++
		if p.i == len(p.s) || p.space() > 0 || p.s[p.i] == '-' {
			return t, p.errorf(t.Pos, p.i, "a single - must stand right before what it excludes").Hint(`for example -tool:trivy, or "-" in quotes to find a dash`)
		}
	}
	name, found := p.fieldName()
	if !found {
		t.Field, t.Op = fieldText, "~"
		return t, p.values(&t, Field{Name: fieldText, Kind: KindText})
	}
	f, ok := Lookup(name)
	if !ok {
		return t, p.unknownField(name)
	}
	t.Field = f.Name
	p.i += len(name) + 1
	if err := p.op(&t, f); err != nil {
		return t, err
	}
	return t, p.values(&t, f)
}

// fieldName looks at what is before the first colon of the term.
func (p *parser) fieldName() (string, bool) {
	for j, r := range p.s[p.i:] {
		switch {
		case r == ':':
			return p.s[p.i : p.i+j], true
		case r == ',' || r == '"' || unicode.IsSpace(r):
			return "", false
		}
	}
	return "", false
}

func (p *parser) unknownField(name string) error {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
		names = append(names, f.Aliases...)
	}
	err := p.errorf(p.i, p.i+len(name), "there is no field %q", shorten(name))
	if near, ok := nearest(name, names); ok {
		return err.Hint("did you mean %s: ?", near)
	}
	return err.Hint("to search for text with a colon in it, put it in quotes")
}

// op reads the comparison after the colon.
func (p *parser) op(t *Term, f Field) error {
	start := p.i
	for _, op := range []string{">=", "<=", ">", "<", "~", opExact, "="} {
		if !strings.HasPrefix(p.s[p.i:], op) {
			continue
		}
		p.i += len(op)
		t.Op = op
		break
	}
	switch {
	case f.Kind == KindText:
		if t.Op != "=" && t.Op != "~" {
			return p.errorf(start, p.i, "text does not compare")
		}
		t.Op = "~"
	case t.Op == opExact && (f.Kind != KindName || f.Name == fieldID):
		return p.errorf(start, p.i, "%s takes no ==", f.Name).Hint("for example %s", f.Example)
	case t.Op == "~" && f.Kind != KindName:
		return p.errorf(start, p.i, "%s takes no ~", f.Name).Hint("for example %s", f.Example)
	case t.Op != "=" && t.Op != "~" && t.Op != opExact && (!f.Compares() || f.Name == fieldCWE):
		return p.errorf(start, p.i, "%s does not compare with %s", f.Name, t.Op).Hint("for example %s", f.Example)
	}
	return nil
}

// values reads value{,value} up to the end of the term.
func (p *parser) values(t *Term, f Field) error {
	for {
		start := p.i
		v, err := p.value(f, t.Op)
		if err != nil {
			return err
		}
		if v, err = p.check(t, f, v, start); err != nil {
			return err
		}
		if len(t.Values) == maxValues {
			return p.errorf(start, p.i, "%s has more than %d values", f.Name, maxValues)
		}
		if !slices.Contains(t.Values, v) {
			t.Values = append(t.Values, v)
		}
		t.End = p.i
		if p.i == len(p.s) || p.s[p.i] != ',' {
			return nil
		}
		if t.Op != "=" && t.Op != "~" && t.Op != opExact {
			return p.errorf(t.Pos, p.i+1, "%s with %s takes one value", f.Name, t.Op)
		}
		p.i++
	}
}

// value reads one, quoted or bare.
func (p *parser) value(f Field, op string) (string, error) {
	start := p.i
	if p.i < len(p.s) && p.s[p.i] == '"' {
		return p.quoted(f, op)
	}
	for p.i < len(p.s) && p.s[p.i] != ',' && p.space() == 0 {
		if p.s[p.i] == '"' {
			return "", p.errorf(p.i, p.i+1, "there is a quote in the middle of a value").Hint(`quote the whole value: %s"..."`, prefix(f))
		}
		_, n := utf8.DecodeRuneInString(p.s[p.i:])
		p.i += n
	}
	if p.i == start {
		err := p.errorf(start, start, "a value is missing")
		if f.Name == fieldText {
			return "", err
		}
		return "", err.Hint("for example %s", f.Example)
	}
	return p.s[start:p.i], nil
}

func (p *parser) quoted(f Field, op string) (string, error) {
	start := p.i
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; c {
		case '\\':
			if p.i+1 < len(p.s) && (p.s[p.i+1] == '"' || p.s[p.i+1] == '\\') {
				p.i++
			}
			b.WriteByte(p.s[p.i])
		case '"':
			p.i++
			if p.i < len(p.s) && p.s[p.i] != ',' && p.space() == 0 {
				return "", p.errorf(p.i, p.i+1, "after the closing quote comes a space, a comma or the end")
			}
			if strings.TrimSpace(b.String()) == "" && op != opExact {
				return "", p.errorf(start, p.i, "the quotes are empty").Hint("%s", emptyHint(f))
			}
			return b.String(), nil
		default:
			b.WriteByte(c)
		}
	}
	return "", p.errorf(start, len(p.s), "the quote is never closed")
}

func emptyHint(f Field) string {
	if f.None {
		return f.Name + ":none finds what has no " + f.Name
	}
	return "leave the term out to find everything"
}

func prefix(f Field) string {
	if f.Name == fieldText {
		return ""
	}
	return f.Name + ":"
}

// space gives the length of the white space character at p.i, or 0.
func (p *parser) space() int {
	r, n := utf8.DecodeRuneInString(p.s[p.i:])
	if unicode.IsSpace(r) {
		return n
	}
	return 0
}

func (p *parser) skipSpace() {
	for p.i < len(p.s) {
		n := p.space()
		if n == 0 {
			return
		}
		p.i += n
	}
}

func (p *parser) errorf(pos, end int, format string, args ...any) *sinew.Error {
	e := sinew.Errorf(sinew.CodeInvalid, "%s", fmt.Sprintf(format, args...))
	e.Err = &position{pos: pos, end: max(pos, end)}
	return e.At(fmt.Sprintf("filter, character %d", utf8.RuneCountInString(p.s[:min(pos, len(p.s))])+1))
}

// shorten keeps a message to one line.
func shorten(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "..."
	}
	return s
}
