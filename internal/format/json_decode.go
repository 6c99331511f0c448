package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder turns JSON text into the values of gojq: map[string]any, []any,
// string, int, json.Number, bool and nil. Numbers keep their digits. What it had
// to decide - duplicate keys, bytes that are not UTF-8, NUL characters, texts
// that were cut - goes to notes.
type decoder struct {
	src    []byte
	pos    int
	limits Limits
	budget int // bytes of memory left for this tree, estimated
	path   []string
	where  func() string // where the value is in the report
	notes  *notes
	seen   [1024]string // recent short strings, so that equal ones share memory
}

// decodeError is a fault at a position of the decoder's source.
type decodeError struct {
	pos int
	msg string
	big bool
}

func (e *decodeError) Error() string { return e.msg }

// decode reads exactly one value.
func (d *decoder) decode(src []byte) (any, error) {
	d.src, d.pos, d.budget, d.path = src, 0, d.limits.Tree, d.path[:0]
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.pos < len(d.src) {
		return nil, d.fail("expected the end of the value")
	}
	return v, nil
}

func (d *decoder) fail(want string) error {
	if d.pos >= len(d.src) {
		return &decodeError{pos: d.pos, msg: "it ends too early: " + want}
	}
	return &decodeError{pos: d.pos, msg: fmt.Sprintf("found %s, %s", show(d.src[d.pos]), want)}
}

func (d *decoder) spend(n int) error {
	d.budget -= n
	if d.budget < 0 {
		return &decodeError{pos: d.pos, big: true, msg: "it holds too many values to be read at once"}
	}
	return nil
}

func (d *decoder) space() {
	for d.pos < len(d.src) && jsonClass[d.src[d.pos]] == clSpace {
		d.pos++
	}
}

func (d *decoder) value(depth int) (any, error) {
	d.space()
	if d.pos >= len(d.src) {
		return nil, d.fail("expected a value")
	}
	switch c := d.src[d.pos]; {
	case c == '"':
		return d.text()
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	case bytes.HasPrefix(d.src[d.pos:], []byte("true")):
		d.pos += 4
		return true, d.boundary()
	case bytes.HasPrefix(d.src[d.pos:], []byte("false")):
		d.pos += 5
		return false, d.boundary()
	case bytes.HasPrefix(d.src[d.pos:], []byte("null")):
		d.pos += 4
		return nil, d.boundary()
	case bytes.HasPrefix(d.src[d.pos:], []byte("NaN")):
		// Python's json module writes it, and no number was meant.
		d.pos += 3
		d.note("NaN", "NaN read as null at "+d.place(""))
		return nil, d.boundary()
	}
	return nil, d.fail("expected a value")
}

// boundary fails if a literal runs on.
func (d *decoder) boundary() error {
	if d.pos < len(d.src) && jsonClass[d.src[d.pos]] == clNone {
		return d.fail("expected a comma or the end of the value")
	}
	return nil
}

func (d *decoder) deeper(depth int) error {
	if depth >= d.limits.Depth {
		return &decodeError{pos: d.pos, big: true, msg: fmt.Sprintf("values are nested more than %d deep", d.limits.Depth)}
	}
	return d.spend(48)
}

func (d *decoder) object(depth int) (any, error) {
	if err := d.deeper(depth); err != nil {
		return nil, err
	}
	d.pos++
	m := make(map[string]any, 8)
	d.space()
	if d.pos < len(d.src) && d.src[d.pos] == '}' {
		d.pos++
		return m, nil
	}
	for {
		d.space()
		if d.pos >= len(d.src) || d.src[d.pos] != '"' {
			return nil, d.fail(`expected a key in quotes`)
		}
		k, err := d.text()
		if err != nil {
			return nil, err
		}
		d.space()
		if d.pos >= len(d.src) || d.src[d.pos] != ':' {
			return nil, d.fail("expected ':'")
		}
		d.pos++
		d.path = append(d.path, k)
		v, err := d.value(depth + 1)
		d.path = d.path[:len(d.path)-1]
		if err != nil {
			return nil, err
		}
		before := len(m)
		m[k] = v
		if len(m) == before {
			d.note("duplicate keys", "the key "+d.place(k)+" occurs more than once; the last one counts")
		}
		if err := d.spend(48); err != nil {
			return nil, err
		}
		d.space()
		if d.pos >= len(d.src) {
			return nil, d.fail("expected ',' or '}'")
		}
		switch d.src[d.pos] {
		case ',':
			d.pos++
		case '}':
			d.pos++
			return m, nil
		default:
			return nil, d.fail("expected ',' or '}'")
		}
	}
}

func (d *decoder) array(depth int) (any, error) {
	if err := d.deeper(depth); err != nil {
		return nil, err
	}
	d.pos++
	a := []any{}
	d.space()
	if d.pos < len(d.src) && d.src[d.pos] == ']' {
		d.pos++
		return a, nil
	}
	d.path = append(d.path, "[]")
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		if err := d.spend(24); err != nil {
			return nil, err
		}
		d.space()
		if d.pos >= len(d.src) {
			return nil, d.fail("expected ',' or ']'")
		}
		switch d.src[d.pos] {
		case ',':
			d.pos++
		case ']':
			d.pos++
			d.path = d.path[:len(d.path)-1]
			return a, nil
		default:
			return nil, d.fail("expected ',' or ']'")
		}
	}
}

// number keeps every digit: an int if it is a plain integer of up to 18 digits,
// else json.Number. Numbers that nobody could use (over 400 characters) become
// text.
func (d *decoder) number() (any, error) {
	s := d.src[d.pos:]
	i := 0
	if s[0] == '-' {
		i++
	}
	digits := i
	n := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		if i < 19 {
			n = n*10 + int(s[i]-'0')
		}
		i++
	}
	if i == digits || s[digits] == '0' && i > digits+1 {
		d.pos += digits
		return nil, d.fail("expected a number")
	}
	plain := i-digits <= 18
	if i < len(s) && s[i] == '.' {
		plain = false
		i++
		f := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		if i == f {
			d.pos += i
			return nil, d.fail("expected a digit")
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		plain = false
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		f := i
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		if i == f {
			d.pos += i
			return nil, d.fail("expected a digit")
		}
	}
	if err := d.spend(8); err != nil {
		return nil, err
	}
	lit := s[:i]
	d.pos += i
	if err := d.boundary(); err != nil {
		return nil, err
	}
	switch {
	case plain && lit[0] == '-':
		return -n, nil
	case plain:
		return n, nil
	case len(lit) > 400:
		d.note("numbers", "a number of "+strconv.Itoa(len(lit))+" characters at "+d.place("")+" is read as text")
		return string(lit), nil
	}
	return json.Number(d.share(lit)), nil
}

// share returns b as a string, the same one for recent equal short ones.
func (d *decoder) share(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > 40 {
		return string(b)
	}
	h := uint32(len(b)) * 0x9e3779b1 //nolint:gosec // at most 40
	for _, c := range b {
		h = (h ^ uint32(c)) * 0x01000193
	}
	slot := &d.seen[(h^h>>15)%uint32(len(d.seen))]
	if *slot != string(b) {
		*slot = string(b)
	}
	return *slot
}

// text reads a string: valid UTF-8, without NUL, cut to the limit.
func (d *decoder) text() (string, error) {
	start := d.pos + 1
	i := start
	high := false
	for i < len(d.src) {
		c := d.src[i]
		if c == '"' {
			d.pos = i + 1
			if high {
				return d.border(d.src[start:i])
			}
			if i-start > d.limits.String {
				return d.border(d.src[start:i])
			}
			return d.share(d.src[start:i]), d.spend(16 + i - start)
		}
		if c == '\\' {
			break
		}
		if c >= utf8.RuneSelf {
			high = true
		} else if c < 0x20 {
			if c == 0 {
				high = true // border removes it
			}
			// Raw control characters are not JSON, but scanners write them, and
			// what was meant is plain.
		}
		i++
	}
	if i >= len(d.src) {
		d.pos = i
		return "", d.fail(`expected '"'`)
	}
	out := append(make([]byte, 0, i-start+64), d.src[start:i]...)
	for i < len(d.src) {
		c := d.src[i]
		switch c {
		case '"':
			d.pos = i + 1
			return d.border(out)
		case '\\':
			n, err := d.escape(i, &out)
			if err != nil {
				return "", err
			}
			i += n
		default:
			out = append(out, c)
			i++
		}
	}
	d.pos = i
	return "", d.fail(`expected '"'`)
}

func (d *decoder) escape(i int, out *[]byte) (int, error) {
	b, n, want := appendEscape(*out, d.src, i)
	if n == 0 {
		d.pos = i
		return 0, d.fail(want)
	}
	*out = b
	return n, nil
}

// appendEscape resolves the escape that begins at src[i]. It returns how long it
// is, or 0 and what was expected.
func appendEscape(out, src []byte, i int) (_ []byte, n int, want string) {
	if i+1 >= len(src) {
		return out, 0, "expected an escaped character"
	}
	switch c := src[i+1]; c {
	case '"', '\\', '/':
		return append(out, c), 2, ""
	case 'b':
		return append(out, '\b'), 2, ""
	case 'f':
		return append(out, '\f'), 2, ""
	case 'n':
		return append(out, '\n'), 2, ""
	case 'r':
		return append(out, '\r'), 2, ""
	case 't':
		return append(out, '\t'), 2, ""
	case 'u':
		r, ok := hex4(src, i+2)
		if !ok {
			return out, 0, "expected four hex digits after \\u"
		}
		n := 6
		if utf16.IsSurrogate(r) {
			r2, ok := rune(0), false
			if i+7 < len(src) && src[i+6] == '\\' && src[i+7] == 'u' {
				r2, ok = hex4(src, i+8)
			}
			if pair := utf16.DecodeRune(r, r2); ok && pair != utf8.RuneError {
				r, n = pair, 12
			} else {
				r = utf8.RuneError
			}
		}
		return utf8.AppendRune(out, r), n, ""
	}
	return out, 0, "expected a known escape, not \\" + string(rune(src[i+1]))
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// border makes text fit to leave the reader.
func (d *decoder) border(b []byte) (string, error) {
	s := cleanText(b, d.limits.String, func(kind string) { d.note(kind, kind+" in "+d.place("")) })
	return s, d.spend(16 + len(s))
}

const cutMark = "…[cut]"

// cleanText makes valid UTF-8 without NUL out of b and cuts it to limit bytes,
// saying what it did.
func cleanText(b []byte, limit int, said func(kind string)) string {
	var s string
	if utf8.Valid(b) {
		s = string(b)
	} else {
		s = strings.ToValidUTF8(string(b), "\uFFFD")
		said("bytes that are not UTF-8 were replaced")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
		said("NUL characters were removed")
	}
	if len(s) > limit {
		s = cutText(s, limit)
		said("text of more than " + size(int64(limit)) + " was cut")
	}
	return s
}

// cutText shortens s to at most limit bytes and marks it.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := max(limit-len(cutMark), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cutMark
}

func (d *decoder) note(kind, text string) {
	if d.notes != nil {
		d.notes.add(kind, text)
	}
}

// place names where the decoder is.
func (d *decoder) place(key string) string {
	var b strings.Builder
	if d.where != nil {
		b.WriteString(d.where())
	}
	for _, p := range d.path {
		if p != "[]" {
			b.WriteByte('.')
		}
		b.WriteString(p)
	}
	if key != "" {
		b.WriteByte('.')
		b.WriteString(key)
	}
	if b.Len() == 0 {
		return "the document"
	}
	return cutText(b.String(), 200)
}
