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
	off     []int32 // off[i] is where b[i] begins in the source; the last entry is the end of what was decoded; nil: as it is
	outside []bool  // whether b[i] is outside the texts of JSON; nil: it is not JSON
}

func (d *decoded) place(i int) int {
	if d.off == nil {
		return i
	}
	return int(d.off[i])
}

func (d *decoded) isOutside(i int) bool { return d.outside != nil && d.outside[i] }

// quoting is where a decoder is: inside a text of JSON, a quoted field of CSV or
// a CDATA section; and whether something of a field of CSV came already.
type quoting struct{ inside, field bool }

// decode resolves the escapes of src. What may go on beyond src is left when
// more is to come. A quote that begins or ends a text of JSON becomes NUL, which
// no value has in it. q is where src begins, and after it where it ends.
func (s spelling) decode(src []byte, final bool, q *quoting, r *reuse) decoded {
	raw := decoded{b: src}
	switch s {
	case spellMixed:
		return unescape(raw, final, false, mixedEscape, &r[1])
	case spellJSON:
		return q.json(raw, final, &r[0])
	case spellXML:
		return unescape(raw, final, true, q.xml, &r[0])
	case spellCSV:
		return unescape(raw, final, true, q.csv, &r[0])
	case spellJSONMixed:
		return unescape(q.json(raw, final, &r[0]), final, false, mixedEscape, &r[1])
	case spellXMLMixed:
		return unescape(unescape(raw, final, true, q.xml, &r[0]), final, false, mixedEscape, &r[1])
	case spellCSVMixed:
		return unescape(unescape(raw, final, true, q.csv, &r[0]), final, false, mixedEscape, &r[1])
	case spellRaw:
	}
	return raw
}

// reuse holds the memory of two decodings, for the next.
type reuse [2]decoded

// empty is d without content, with room for n bytes.
func (d *decoded) empty(n int, outside bool) decoded {
	if cap(d.b) < n {
		d.b, d.off = make([]byte, 0, n), make([]int32, 0, n+1)
	}
	if outside && cap(d.outside) < n {
		d.outside = make([]bool, 0, n)
	}
	out := decoded{b: d.b[:0], off: d.off[:0]}
	if outside {
		out.outside = d.outside[:0]
	}
	return out
}

// keep remembers the memory of a decoding.
func (d *decoded) keep(from decoded) {
	d.b, d.off = from.b, from.off
	if from.outside != nil {
		d.outside = from.outside
	}
}

const longestEscape = 40

// escapeFunc appends what the escape at the beginning of b stands for, and tells
// how long it is.
type escapeFunc func(out, b []byte) ([]byte, int)

// unescape runs an escape function over what was decoded before: at every byte,
// or only where one may begin.
func unescape(src decoded, final, every bool, escape escapeFunc, mem *decoded) decoded {
	d := mem.empty(len(src.b), src.outside != nil)
	defer func() { mem.keep(d) }()
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
			d.off = append(d.off, int32(src.place(i))) //nolint:gosec // within a chunk
			if src.outside != nil {
				d.outside = append(d.outside, src.outside[i])
			}
		}
		i += n
	}
	d.off = append(d.off, int32(src.place(i))) //nolint:gosec // within a chunk
	return d
}

// json resolves the escapes of JSON's texts and marks what is outside them.
func (q *quoting) json(src decoded, final bool, mem *decoded) decoded {
	d := mem.empty(len(src.b), true)
	defer func() { mem.keep(d) }()
	i := 0
	for i < len(src.b) {
		c, before, n, outside := src.b[i], len(d.b), 1, !q.inside
		switch {
		case c == '"':
			d.b = append(d.b, 0)
			q.inside, outside = !q.inside, true
		case c == '\\' && q.inside:
			if !final && len(src.b)-i < longestEscape {
				d.off = append(d.off, int32(i))
				return d
			}
			d.b, n = jsonEscape(d.b, src.b[i:])
		default:
			d.b = append(d.b, c)
		}
		for range len(d.b) - before {
			d.off, d.outside = append(d.off, int32(i)), append(d.outside, outside)
		}
		i += n
	}
	d.off = append(d.off, int32(i))
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
