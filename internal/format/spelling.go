package format

import "bytes"

// spelling is how text is written inside a file.
type spelling int

const (
	spellRaw   spelling = iota
	spellMixed          // escapes of JSON and references of XML inside a text
	spellJSON
	spellJSONMixed // what is inside the texts of JSON
	spellXML
	spellXMLMixed
	spellCSV
	spellCSVMixed
)

// decoded is text without its escapes, and where it came from.
type decoded struct {
	b       []byte
	off     []int  // off[i] is where b[i] begins in the source; the last entry is the end of what was decoded; nil: as it is
	outside []bool // whether b[i] is outside the texts of JSON; nil: it is not JSON
}

func (d *decoded) place(i int) int {
	if d.off == nil {
		return i
	}
	return d.off[i]
}

func (d *decoded) isOutside(i int) bool { return d.outside != nil && d.outside[i] }

// quoting is where a decoder is: inside a text of JSON, a quoted field of CSV or
// a CDATA section; and whether something of a field of CSV came already.
type quoting struct{ inside, field bool }

// decode resolves the escapes of src. What may go on beyond src is left when
// more is to come. A quote that begins or ends a text of JSON becomes NUL, which
// no value has in it. q is where src begins, and after it where it ends.
func (s spelling) decode(src []byte, final bool, q *quoting) decoded {
	raw := decoded{b: src}
	switch s {
	case spellMixed:
		return unescape(raw, final, false, mixedEscape)
	case spellJSON:
		return q.json(raw, final)
	case spellXML:
		return unescape(raw, final, true, q.xml)
	case spellCSV:
		return unescape(raw, final, true, q.csv)
	case spellJSONMixed:
		return unescape(q.json(raw, final), final, false, mixedEscape)
	case spellXMLMixed:
		return unescape(unescape(raw, final, true, q.xml), final, false, mixedEscape)
	case spellCSVMixed:
		return unescape(unescape(raw, final, true, q.csv), final, false, mixedEscape)
	case spellRaw:
	}
	return raw
}

const longestEscape = 40

// escapeFunc appends what the escape at the beginning of b stands for, and tells
// how long it is.
type escapeFunc func(out, b []byte) ([]byte, int)

// unescape runs an escape function over what was decoded before: at every byte,
// or only where one may begin.
func unescape(src decoded, final, every bool, escape escapeFunc) decoded {
	d := decoded{b: make([]byte, 0, len(src.b)), off: make([]int, 0, len(src.b)+1)}
	if src.outside != nil {
		d.outside = make([]bool, 0, len(src.b))
	}
	i := 0
	for i < len(src.b) {
		before, n := len(d.b), 1
		if c := src.b[i]; !every && c != '\\' && c != '&' && c != '\r' {
			d.b = append(d.b, c)
		} else {
			if !final && len(src.b)-i < longestEscape {
				break
			}
			d.b, n = escape(d.b, src.b[i:])
		}
		for range len(d.b) - before {
			d.off = append(d.off, src.place(i))
			if src.outside != nil {
				d.outside = append(d.outside, src.outside[i])
			}
		}
		i += n
	}
	d.off = append(d.off, src.place(i))
	return d
}

// json resolves the escapes of JSON's texts and marks what is outside them.
func (q *quoting) json(src decoded, final bool) decoded {
	d := decoded{b: make([]byte, 0, len(src.b)), off: make([]int, 0, len(src.b)+1), outside: make([]bool, 0, len(src.b))}
	i := 0
	for i < len(src.b) {
		c, before, n, outside := src.b[i], len(d.b), 1, !q.inside
		switch {
		case c == '"':
			d.b = append(d.b, 0)
			q.inside, outside = !q.inside, true
		case c == '\\' && q.inside:
			if !final && len(src.b)-i < longestEscape {
				d.off = append(d.off, i)
				return d
			}
			d.b, n = jsonEscape(d.b, src.b[i:])
		default:
			d.b = append(d.b, c)
		}
		for range len(d.b) - before {
			d.off, d.outside = append(d.off, i), append(d.outside, outside)
		}
		i += n
	}
	d.off = append(d.off, i)
	return d
}

func jsonEscape(out, b []byte) ([]byte, int) {
	dec, n, _ := appendEscape(out, b, 0)
	if n == 0 {
		return append(out, b[0]), 1
	}
	return dec, n
}

var (
	cdataStart = []byte("<![CDATA[")
	cdataEnd   = []byte("]]>")
)

func (q *quoting) xml(out, b []byte) ([]byte, int) {
	switch {
	case b[0] == '\r' && len(b) > 1 && b[1] == '\n':
		return append(out, '\n'), 2
	case b[0] == '<' && bytes.HasPrefix(b, cdataStart):
		q.inside = true
	case b[0] == ']' && bytes.HasPrefix(b, cdataEnd):
		q.inside = false
	case b[0] == '&' && !q.inside:
		return reference(out, b)
	}
	return append(out, b[0]), 1
}

func reference(out, b []byte) ([]byte, int) {
	s, n := xmlReference(b)
	return append(out, s...), n
}

// csv resolves doubled quotes. Whether two quotes are one, or begin and end a
// field, depends on what is before.
func (q *quoting) csv(out, b []byte) ([]byte, int) {
	switch {
	case b[0] == '"' && !q.inside && !q.field:
		q.inside, q.field = true, true
	case b[0] == '"' && q.inside && len(b) > 1 && b[1] == '"':
		return append(out, '"'), 2
	case b[0] == '"':
		q.inside = false
	case b[0] == '\r' && len(b) > 1 && b[1] == '\n':
		q.field = q.inside
		return append(out, '\n'), 2
	case bytes.IndexByte([]byte(",;\t|\n"), b[0]) >= 0:
		q.field = q.inside
	default:
		q.field = true
	}
	return append(out, b[0]), 1
}

func mixedEscape(out, b []byte) ([]byte, int) {
	switch b[0] {
	case '\\':
		return jsonEscape(out, b)
	case '&':
		return reference(out, b)
	case '\r':
		if len(b) > 1 && b[1] == '\n' {
			return append(out, '\n'), 2
		}
	}
	return append(out, b[0]), 1
}
