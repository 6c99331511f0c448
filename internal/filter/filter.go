// Package filter is the language in which findings are asked for, the same in
// the command line, the API and the pages:
//
//	severity:critical is:open tool:trivy app:shop ref:main -owner:none first:>7d
//
// It parses, completes and writes back queries and decides what their values
// mean; [Fields] is the reference, printed in docs/filter.md. It refuses to
// know where findings are kept: the store turns a [Query] into its own terms.
package filter

import (
	"errors"
	"strings"
	"unicode"
)

// Schema is the version of the language.
const Schema = "filter/v1"

// The bounds of a query; what is longer is no question of a person.
const (
	maxLength = 8 << 10
	maxTerms  = 64
	maxValues = 256
)

// Query asks for the findings that fulfil every term. The zero Query asks for
// all of them.
type Query struct {
	Terms []Term `json:"terms"`
}

// Term is one condition: the field compares so with any of the values.
type Term struct {
	Field   string   `json:"field"` // name of one of [Fields], never an alias; "text" for free words
	Op      string   `json:"op"`    // "=", "==" (the very name), "~" (contains), ">", "<", ">=", "<="
	Values  []string `json:"values"`
	Negated bool     `json:"negated,omitempty"`
	Pos     int      `json:"pos"` // bytes [Pos, End) of the text that it was read from
	End     int      `json:"end"`
}

// String writes q so that [Parse] reads the same terms again. Equal questions
// written with other spaces, quotes, aliases or case give the same text; the
// order of the terms is kept.
func (q *Query) String() string {
	if q == nil {
		return ""
	}
	var b strings.Builder
	for i, t := range q.Terms {
		if i > 0 {
			b.WriteByte(' ')
		}
		t.write(&b)
	}
	return b.String()
}

// String writes the term as [Query.String] does.
func (t Term) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t Term) write(b *strings.Builder) {
	if t.Negated {
		b.WriteByte('-')
	}
	if t.Field != fieldText {
		b.WriteString(t.Field)
		b.WriteByte(':')
		if t.Op != "=" {
			b.WriteString(t.Op)
		}
	}
	for i, v := range t.Values {
		if i > 0 {
			b.WriteByte(',')
		}
		writeValue(b, v, t.Field == fieldText)
	}
}

// writeValue quotes v where reading it bare would give something else.
func writeValue(b *strings.Builder, v string, word bool) {
	bare := v != "" && !strings.ContainsAny(v[:1], `-<>=~`) && !strings.ContainsFunc(v, func(r rune) bool {
		return unicode.IsSpace(r) || r == ',' || r == '"' || (word && r == ':')
	})
	if bare {
		b.WriteString(v)
		return
	}
	b.WriteByte('"')
	for _, r := range v {
		if r == '"' || r == '\\' {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte('"')
}

// And asks for what fulfils both.
func (q *Query) And(other *Query) *Query {
	both := &Query{}
	for _, one := range []*Query{q, other} {
		if one != nil {
			both.Terms = append(both.Terms, one.Terms...)
		}
	}
	return both
}

// Empty reports whether q asks for everything.
func (q *Query) Empty() bool { return q == nil || len(q.Terms) == 0 }

// Notes says what a reader of the answer must know to understand it: terms that
// can match nothing because nobody knows the facts yet.
func (q *Query) Notes() []string {
	if q == nil {
		return nil
	}
	for _, t := range q.Terms {
		if t.Field == fieldKEV {
			return []string{t.String() + " matches nothing: no intelligence is loaded, so whether a finding is known to be exploited is unknown"}
		}
	}
	return nil
}

// IsGlob reports whether v, a value of a field of kind [KindName], stands for
// more than itself: * is any run of characters.
func IsGlob(v string) bool { return strings.Contains(v, "*") }

// IsNone reports whether the value v of field f asks for findings that have no
// such value.
func IsNone(f Field, v string) bool { return f.None && v == none }

const none = "none"

// Position tells which bytes [pos, end) of the query the error of [Parse] is
// about.
func Position(err error) (pos, end int, ok bool) {
	if p, is := errors.AsType[*position](err); is {
		return p.pos, p.end, true
	}
	return 0, 0, false
}

// position is the cause that [Parse]'s errors carry.
type position struct{ pos, end int }

func (*position) Error() string { return "in the filter" }
