package filter

import (
	"strings"
	"unicode"
)

// Suggestion is one way to go on at the cursor: the bytes [Start, End) of the
// query, the term there, become Text.
type Suggestion struct {
	Text  string `json:"text"` // the whole term
	Start int    `json:"start"`
	End   int    `json:"end"`
	Doc   string `json:"doc,omitempty"`
}

// Spot is where in a query the cursor is.
type Spot struct {
	Field      string // the field whose value is being written; empty while it is a field or word
	Prefix     string // what is written so far of the field's name or of the value
	Start, End int    // the bytes of the name or value under the cursor
}

// At tells where the cursor, a position in bytes, is. It never fails: half
// written queries are what it is for.
func At(s string, cursor int) Spot {
	cursor = max(0, min(cursor, len(s)))
	start, quoted := termStart(s, cursor)
	end := cursor
	for end < len(s) && !unicode.IsSpace(rune(s[end])) && s[end] != ',' {
		end++
	}
	body := strings.TrimPrefix(s[start:cursor], "-")
	start = cursor - len(body)
	name, value, isField := strings.Cut(body, ":")
	f, known := Lookup(name)
	switch {
	case !isField && !quoted:
		return Spot{Prefix: body, Start: start, End: end}
	case !known:
		return Spot{Prefix: "", Start: cursor, End: cursor, Field: fieldText}
	}
	if i := strings.LastIndexByte(value, ','); i >= 0 {
		value = value[i+1:]
	} else {
		value = strings.TrimLeft(value, "<>=~")
	}
	return Spot{Field: f.Name, Prefix: strings.TrimPrefix(value, `"`), Start: cursor - len(value), End: end}
}

// termStart finds where the term around the cursor begins, and whether the
// cursor is inside quotes.
func termStart(s string, cursor int) (start int, quoted bool) {
	for i := 0; i < cursor; i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && c < 0x80 && unicode.IsSpace(rune(c)):
			start = i + 1
		}
	}
	return start, quoted
}

// Complete suggests names of fields, or values where the field has a known list
// of them. The values of other fields are known to the store only: ask [At]
// what is wanted and look there.
func Complete(s string, cursor int) []Suggestion {
	at := At(s, cursor)
	list := completeValue(s, at)
	if at.Field == "" {
		list = completeField(at)
	}
	start, _ := termStart(s, max(0, min(cursor, len(s))))
	for i := range list {
		list[i].Text, list[i].Start = s[start:list[i].Start]+list[i].Text, start
	}
	return list
}

func completeValue(s string, at Spot) []Suggestion {
	f, _ := Lookup(at.Field)
	var out []Suggestion
	add := func(text, doc string) {
		if strings.HasPrefix(text, strings.ToLower(at.Prefix)) {
			out = append(out, Suggestion{Text: text, Start: at.Start, End: at.End, Doc: doc})
		}
	}
	for _, v := range f.Values {
		add(v.Name, v.Doc)
	}
	if f.Kind == KindTime && at.Prefix == "" {
		at.Start -= trailingOp(s[:at.Start])
		add("<24h", "within the last day")
		add("<7d", "within the last week")
		add(">30d", "longer ago than 30 days")
		add(">90d", "longer ago than 90 days")
	}
	if f.None {
		add(none, "has no "+f.Name)
	}
	return out
}

func completeField(at Spot) []Suggestion {
	var out []Suggestion
	for _, f := range fields {
		if f.Name != fieldText && strings.HasPrefix(f.Name, strings.ToLower(at.Prefix)) {
			out = append(out, Suggestion{Text: f.Name + ":", Start: at.Start, End: at.End, Doc: f.Doc})
		}
	}
	return out
}

// trailingOp is the length of the comparison that s ends in.
func trailingOp(s string) int { return len(s) - len(strings.TrimRight(s, "<>=~")) }

// Suggest makes a suggestion of a value that somebody else knows for the field
// at the spot in s.
func (at Spot) Suggest(s, value string) Suggestion {
	var b strings.Builder
	writeValue(&b, value, at.Field == fieldText)
	start, _ := termStart(s, at.Start)
	return Suggestion{Text: s[start:at.Start] + b.String(), Start: start, End: at.End}
}
