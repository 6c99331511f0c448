package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

var xmlEncoding = regexp.MustCompile(`^<\?xml[^>]*\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// plainText gives the input as UTF-8 without a byte order mark, transcoding it
// into a spool if it is anything else.
func (p *parse) plainText(in Input) (Input, error) {
	enc, bom, name, err := textEncoding(in)
	if err != nil || enc == nil && bom == 0 {
		return in, err
	}
	if enc == nil {
		return Input{Name: in.Name, R: io.NewSectionReader(in.R, bom, in.Size-bom), Size: in.Size - bom}, nil
	}
	s, err := p.storage()
	if err != nil {
		return in, err
	}
	start := s.Size()
	r := transform.NewReader(io.NewSectionReader(in.R, bom, in.Size-bom), enc.NewDecoder())
	if n, err := io.CopyBuffer(s, io.LimitReader(r, p.limits.Total+1), make([]byte, 64<<10)); err != nil {
		return in, fmt.Errorf("read as %s: %w", name, err)
	} else if n > p.limits.Total {
		return in, tooLarge("", "as UTF-8 the report has more than %s", size(p.limits.Total)).Hint("split it, or raise the limit in the configuration")
	}
	p.notes.add("encoding", "the file was read as "+name)
	length := s.Size() - start
	return Input{Name: in.Name, R: io.NewSectionReader(s, start, length), Size: length}, nil
}

// textEncoding tells how text is encoded: nil for UTF-8 and for what is no text.
func textEncoding(in Input) (enc encoding.Encoding, bom int64, name string, err error) {
	head := make([]byte, min(in.Size, 64<<10))
	n, err := in.R.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, "", fmt.Errorf("read the beginning: %w", err)
	}
	head = head[:n]
	le := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	be := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	switch {
	case archiveKind(head) != "" || refuseBinary(head) != nil:
		return nil, 0, "", nil
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return nil, 3, "", nil
	case bytes.HasPrefix(head, []byte("\xff\xfe\x00\x00")):
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), 4, "UTF-32", nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		return le, 2, "UTF-16", nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		return be, 2, "UTF-16", nil
	case len(head) >= 4 && head[0] != 0 && head[1] == 0 && head[2] != 0 && head[3] == 0:
		return le, 0, "UTF-16", nil
	case len(head) >= 4 && head[0] == 0 && head[1] != 0 && head[2] == 0 && head[3] != 0:
		return be, 0, "UTF-16", nil
	}
	text := bytes.TrimLeft(head, " \t\r\n")
	if m := xmlEncoding.FindSubmatch(text); m != nil {
		label := strings.ToLower(string(m[1]))
		if label == "utf-8" || label == "utf8" || label == "us-ascii" || strings.HasPrefix(label, "utf-16") || strings.HasPrefix(label, "utf16") {
			return nil, 0, "", nil // a wide encoding would not have let us read this far
		}
		if e, canonical := charset.Lookup(label); e != nil && canonical != "utf-8" {
			return e, 0, canonical, nil
		}
		return nil, 0, "", nil
	}
	if len(text) > 0 && strings.IndexByte("{[<", text[0]) < 0 && !validPrefix(head) && bytes.IndexByte(head, 0) < 0 {
		return charmap.Windows1252, 0, "Windows-1252", nil
	}
	return nil, 0, "", nil
}

// validPrefix reports whether b is UTF-8, but for a character cut off at its end.
func validPrefix(b []byte) bool {
	for i := 0; i < utf8.UTFMax && len(b) > 0 && !utf8.Valid(b); i++ {
		b = b[:len(b)-1]
	}
	return utf8.Valid(b)
}
