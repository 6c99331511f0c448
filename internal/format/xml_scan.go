package format

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// xmlScanner cuts XML into tags and text. It knows no entities but the
// predefined ones and character references, and refuses a document that declares
// some: nothing is expanded and nothing is fetched.
type xmlScanner struct {
	w     *window
	limit int // bytes of one tag, comment or declaration
}

type xmlKind int

const (
	xmlEOF xmlKind = iota
	xmlStart
	xmlEmpty // <a/>
	xmlEnd
)

func (x *xmlScanner) fail(msg string, args ...any) error {
	return invalid(strconv.Itoa(lineOf(x.w.r, x.w.offset())), "not valid XML at byte %d: %s", x.w.offset(), fmt.Sprintf(msg, args...)).
		Hint("the report is damaged or is not XML")
}

func (x *xmlScanner) cut(want string) error {
	return invalid(strconv.Itoa(lineOf(x.w.r, x.w.offset())), "the file ends at byte %d, in the middle of the XML: expected %s", x.w.offset(), want).
		Hint("the report is cut off; run the scanner again, or look for a full disk or a broken upload")
}

// next runs to the next tag and takes it. Text and CDATA before it are appended
// to text, if that is not nil, with references resolved, up to max bytes. The
// tag, without < and >, is valid until the next call.
func (x *xmlScanner) next(text *[]byte, max int) (xmlKind, []byte, error) {
	w := x.w
	for {
		i := bytes.IndexByte(w.buf[w.pos:w.end], '<')
		if i < 0 {
			if text != nil && len(*text) <= max {
				// Keep a reference that may go on in the next bytes together.
				n := w.end - w.pos
				if amp := bytes.LastIndexByte(w.buf[w.pos:w.end], '&'); amp >= 0 && n-amp < 16 && !w.eof {
					n = amp
				}
				*text = appendXMLText(*text, w.buf[w.pos:w.pos+n])
				w.pos += n
			} else {
				w.pos = w.end
			}
			more, err := w.fill()
			if err != nil {
				return 0, nil, err
			}
			if !more {
				if text != nil {
					*text = appendXMLText(*text, w.buf[w.pos:w.end])
				}
				w.pos = w.end
				return xmlEOF, nil, nil
			}
			continue
		}
		if text != nil && len(*text) <= max {
			*text = appendXMLText(*text, w.buf[w.pos:w.pos+i])
		}
		w.pos += i
		head, err := w.peek(9)
		if err != nil {
			return 0, nil, err
		}
		switch {
		case bytes.HasPrefix(head, []byte("<!--")):
			if err := x.until(4, "-->", nil, 0); err != nil {
				return 0, nil, err
			}
		case bytes.HasPrefix(head, []byte("<![CDATA[")):
			if err := x.until(9, "]]>", text, max); err != nil {
				return 0, nil, err
			}
		case bytes.HasPrefix(head, []byte("<?")):
			if err := x.until(2, "?>", nil, 0); err != nil {
				return 0, nil, err
			}
		case bytes.HasPrefix(head, []byte("<!")):
			if err := x.doctype(); err != nil {
				return 0, nil, err
			}
		default:
			return x.tag()
		}
	}
}

// until runs over a section that begins at pos and ends with end, copying its
// content to out.
func (x *xmlScanner) until(skip int, end string, out *[]byte, max int) error {
	w := x.w
	w.pos = min(w.pos+skip, w.end)
	for {
		i := bytes.Index(w.buf[w.pos:w.end], []byte(end))
		n := i
		if i < 0 {
			n = w.end - w.pos - len(end) + 1
		}
		if n > 0 {
			if out != nil && len(*out) <= max {
				*out = append(*out, w.buf[w.pos:w.pos+n]...)
			}
			w.pos += n
		}
		if i >= 0 {
			w.pos += len(end)
			return nil
		}
		more, err := w.fill()
		if err != nil {
			return err
		}
		if !more {
			w.pos = w.end
			return x.cut(strconv.Quote(end))
		}
	}
}

// doctype runs over <!DOCTYPE ...>, and refuses one that declares entities.
func (x *xmlScanner) doctype() error {
	w := x.w
	depth, quote := 0, byte(0)
	seen := make([]byte, 0, 16)
	for taken := 0; ; {
		for w.pos < w.end {
			c := w.buf[w.pos]
			w.pos++
			taken++
			seen = append(seen, c)
			if len(seen) > 8 {
				seen = seen[1:]
			}
			if string(seen) == "<!ENTITY" {
				return invalid(strconv.Itoa(lineOf(w.r, w.offset())), "the XML declares entities at byte %d", w.offset()).
					Hint("entities can make a small file huge or read other files; the report is refused")
			}
			switch {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case (c == '"' || c == '\'') && depth != 1:
				quote = c
			case c == '<':
				depth++
			case c == '>':
				if depth--; depth == 0 {
					return nil
				}
			}
		}
		if taken > 1<<20 {
			return tooLarge("", "the XML's DOCTYPE is larger than 1 MiB").Hint("the report is refused")
		}
		more, err := w.fill()
		if err != nil {
			return err
		}
		if !more {
			return x.cut("the end of <!DOCTYPE")
		}
	}
}

// tag takes a start or end tag.
func (x *xmlScanner) tag() (xmlKind, []byte, error) {
	w := x.w
	outer := w.mark
	if outer < 0 {
		w.mark = w.pos
	}
	start := w.offset()
	i, quote := w.pos+1, byte(0)
	for {
		for i < w.end {
			c := w.buf[i]
			switch {
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '<':
				w.pos = i
				return 0, nil, x.fail("'<' inside a tag")
			case c == '>':
				from := int(start-w.base) + 1
				t := w.buf[from:i]
				w.pos = i + 1
				if outer < 0 {
					w.mark = -1
				}
				return x.kind(t)
			}
			i++
		}
		if i-w.pos > x.limit {
			return 0, nil, tooLarge(strconv.Itoa(lineOf(w.r, start)), "a tag at byte %d is larger than %s", start, size(int64(x.limit))).Hint("the report is refused")
		}
		// fill moves the buffer: keep i relative to pos.
		off := i - w.pos
		more, err := w.fill()
		if err != nil {
			return 0, nil, err
		}
		if !more {
			w.pos = w.end
			return 0, nil, x.cut("'>'")
		}
		i = w.pos + off
	}
}

func (x *xmlScanner) kind(t []byte) (xmlKind, []byte, error) {
	switch {
	case len(t) == 0:
		return 0, nil, x.fail("a tag without a name")
	case t[0] == '/':
		return xmlEnd, bytes.TrimRight(t[1:], " \t\r\n"), nil
	case t[len(t)-1] == '/':
		t = t[:len(t)-1]
		if len(t) == 0 {
			return 0, nil, x.fail("a tag without a name")
		}
		return xmlEmpty, t, x.nameOK(t)
	}
	return xmlStart, t, x.nameOK(t)
}

func (x *xmlScanner) nameOK(t []byte) error {
	c := t[0]
	if c|0x20 < 'a' || c|0x20 > 'z' {
		if c != '_' && c != ':' && c < utf8.RuneSelf {
			return x.fail("a tag name cannot begin with %s", show(c))
		}
	}
	return nil
}

// skipElement runs to the end of the element whose start tag was just taken.
func (x *xmlScanner) skipElement(maxDepth int, check func() error) error {
	for depth := 1; depth > 0; {
		k, _, err := x.next(nil, 0)
		if err != nil {
			return err
		}
		switch k {
		case xmlStart:
			if depth++; depth > maxDepth {
				return tooLarge(strconv.Itoa(lineOf(x.w.r, x.w.offset())), "elements are nested more than %d deep at byte %d", maxDepth, x.w.offset()).
					Hint("no scanner writes such a report; it is refused")
			}
		case xmlEnd:
			depth--
		case xmlEOF:
			return x.cut("an end tag")
		case xmlEmpty:
		}
		if check != nil {
			if err := check(); err != nil {
				return err
			}
		}
	}
	return nil
}

// localName is the element's name without prefix, and what follows it in the tag.
func localName(t []byte) (name, rest []byte) {
	end := bytes.IndexAny(t, " \t\r\n")
	if end < 0 {
		end = len(t)
	}
	name, rest = t[:end], t[end:]
	if i := bytes.IndexByte(name, ':'); i >= 0 && i+1 < len(name) {
		name = name[i+1:]
	}
	return name, rest
}

// attributes calls f for each attribute of a tag's rest.
func (x *xmlScanner) attributes(rest []byte, f func(name, value []byte)) error {
	for {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		if len(rest) == 0 {
			return nil
		}
		eq := bytes.IndexByte(rest, '=')
		if eq <= 0 {
			return x.fail("an attribute without a value")
		}
		name := bytes.TrimRight(rest[:eq], " \t\r\n")
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return x.fail("the value of the attribute %s has no quotes", cutText(string(name), 40))
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return x.fail("the value of the attribute %s does not end", cutText(string(name), 40))
		}
		f(name, rest[1:1+end])
		rest = rest[end+2:]
	}
}

// appendXMLText appends text with its references resolved. Unknown references
// stay as they are written.
func appendXMLText(dst, src []byte) []byte {
	for {
		i := bytes.IndexAny(src, "&\r")
		if i < 0 {
			return append(dst, src...)
		}
		dst = append(dst, src[:i]...)
		src = src[i:]
		if src[0] == '\r' {
			dst, src = append(dst, '\n'), src[1:]
			if len(src) > 0 && src[0] == '\n' {
				src = src[1:]
			}
			continue
		}
		r, n := xmlReference(src)
		dst, src = append(dst, r...), src[n:]
	}
}

// xmlReference resolves the reference that src begins with.
func xmlReference(src []byte) (string, int) {
	end := bytes.IndexByte(src[:min(len(src), 34)], ';')
	if end < 2 {
		return "&", 1
	}
	name := string(src[1:end])
	switch name {
	case "amp":
		return "&", end + 1
	case "lt":
		return "<", end + 1
	case "gt":
		return ">", end + 1
	case "quot":
		return `"`, end + 1
	case "apos":
		return "'", end + 1
	}
	if name[0] == '#' {
		base, digits := 10, name[1:]
		if strings.HasPrefix(digits, "x") || strings.HasPrefix(digits, "X") {
			base, digits = 16, digits[1:]
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err != nil {
			return "&", 1
		}
		r := rune(n) //nolint:gosec // checked next
		if !utf8.ValidRune(r) {
			r = utf8.RuneError
		}
		return string(r), end + 1
	}
	if s := html.UnescapeString(string(src[:end+1])); s != string(src[:end+1]) {
		return s, end + 1 // &nbsp; and other names of HTML, which tools leave in
	}
	return "&", 1
}
