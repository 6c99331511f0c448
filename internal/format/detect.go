package format

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// look is what a first look at a file tells.
type look struct {
	in      Input
	kinds   map[string]any // reader kind -> what its detect expressions see
	archive string         // zip, gzip, tar
	empty   bool           // [], {}, null or nothing at all
	shape   string         // what it looks like, for messages
	err     error          // what was wrong with the file, if it ended the look
}

const lookBytes = 256 << 10

// sniff looks at a file: text encoding, container, reader kinds, and for each
// kind a sample of the content.
func (p *parse) sniff(in Input) (*look, error) {
	l := &look{in: in, kinds: map[string]any{}}
	in, err := p.plainText(in)
	if err != nil {
		return nil, err
	}
	l.in = in
	head := make([]byte, min(in.Size, lookBytes))
	n, err := in.R.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the beginning: %w", err)
	}
	head = head[:n]
	if name := archiveKind(head); name != "" {
		l.archive, l.shape = name, "a "+name+" archive"
		return l, nil
	}
	if err := refuseBinary(head); err != nil {
		return nil, err
	}
	text := bytes.TrimLeft(head, " \t\r\n\x00")
	if len(text) == 0 {
		w := newWindow(in.R)
		sc := jsonScanner{w: w}
		c, err := sc.token()
		if err != nil {
			return nil, err
		}
		if c == 0 && w.pos >= w.end {
			l.empty, l.shape = true, "an empty file"
			return l, nil
		}
		text = w.buf[w.pos:w.end]
	}
	switch text[0] {
	case '{', '[':
		p.lookJSON(l)
		if l.empty || len(l.kinds) > 0 || l.err != nil {
			return l, nil
		}
	case '<':
		p.lookMarkup(l, text)
		return l, nil
	case 'n':
		if string(bytes.TrimSpace(head)) == "null" {
			l.empty, l.shape = true, "the JSON value null"
			return l, nil
		}
	}
	p.lookTable(l, head)
	return l, nil
}

func refuseBinary(head []byte) error {
	for magic, what := range map[string]string{
		"BZh": "bzip2", "\xfd7zXZ\x00": "xz", "\x28\xb5\x2f\xfd": "zstd", "7z\xbc\xaf\x27\x1c": "7-Zip", "Rar!": "RAR",
		"%PDF-": "a PDF document", "\xd0\xcf\x11\xe0": "an old Excel or Word document", "\x89PNG": "a picture", "SQLite format 3": "a SQLite database",
		"\x7fELF": "a program",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return sinew.Errorf(sinew.CodeUnsupported, "this is %s, which is not read", what).
				Hint("unpack it, or let the scanner write JSON, XML or CSV")
		}
	}
	return nil
}

func archiveKind(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return "zip"
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "gzip"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "tar"
	}
	return ""
}

// lookJSON samples a JSON file: all keys, few elements of each array.
func (p *parse) lookJSON(l *look) {
	s := sampler{sc: &jsonScanner{w: newWindow(l.in.R), depth: p.limits.Depth}, d: &decoder{limits: p.limits}, left: 20_000}
	v, err := s.value(0)
	l.err = err
	first := s.sc.w.offset()
	switch v := v.(type) {
	case map[string]any:
		l.empty = len(v) == 0 && err == nil
		l.shape = "JSON with the keys " + someKeys(v)
	case []any:
		scalars := !slices.ContainsFunc(v, func(e any) bool { return isContainer(e) })
		if scalars && err != nil && sinew.CodeOf(err) == sinew.CodeInvalid {
			l.err = nil // a line of a log may begin with a bracket too
			return
		}
		l.empty = len(v) == 0 && err == nil
		l.shape = "a JSON array"
		if len(v) > 0 {
			if m, ok := v[0].(map[string]any); ok {
				l.shape = "a JSON array of objects with the keys " + someKeys(m)
			}
		}
	default:
		return
	}
	if err != nil {
		l.kinds[kindJSON] = v
		l.empty = false
		return
	}
	c, err := s.sc.token()
	if err != nil {
		l.err = err
		return
	}
	if c == 0 {
		l.kinds[kindJSON] = v
		if _, ok := v.(map[string]any); ok && !l.empty && first < lookBytes && oneLine(l.in.R, first) {
			l.kinds[kindJSONL] = v
		}
		return
	}
	l.empty = false
	if c == '{' || c == '[' {
		l.kinds[kindJSONL] = v
		l.shape = "JSON lines; the first is " + l.shape
		return
	}
	l.kinds[kindJSON] = v // the reader says what is wrong with the rest
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// oneLine reports whether the value that ends at offset end is on one line.
func oneLine(r io.ReaderAt, end int64) bool {
	b := make([]byte, end)
	n, _ := r.ReadAt(b, 0)
	return bytes.IndexByte(bytes.TrimSpace(b[:n]), '\n') < 0
}

func someKeys(m map[string]any) string {
	keys := sortedKeys(m)
	more := ""
	if len(keys) > 8 {
		keys, more = keys[:8], ", ..."
	}
	for i := range keys {
		keys[i] = cutText(keys[i], 40)
	}
	if len(keys) == 0 {
		return "(none)"
	}
	return strings.Join(keys, ", ") + more
}

// sampler copies a JSON document without its bulk.
type sampler struct {
	sc   *jsonScanner
	d    *decoder
	left int // values that may still be kept
}

const (
	sampleKeys     = 500
	sampleElements = 3
	sampleDepth    = 12
	sampleText     = 4096
)

// value samples the next value. On an error it returns what it has.
func (s *sampler) value(depth int) (any, error) {
	c, err := s.sc.token()
	if err != nil {
		return nil, err
	}
	s.left--
	if depth > sampleDepth || s.left < 0 {
		_, err := s.sc.value(-1)
		return nil, err
	}
	switch c {
	case '{':
		out := map[string]any{}
		j := jsonDocument{sc: s.sc, d: s.d}
		err := j.members(func(key string, _ []byte) error {
			if len(out) >= sampleKeys {
				_, err := s.sc.value(-1)
				return err
			}
			v, err := s.value(depth + 1)
			out[key] = v
			return err
		})
		return out, err
	case '[':
		out := []any{}
		j := jsonDocument{sc: s.sc, d: s.d}
		err := j.elements(func(i int) error {
			if i >= sampleElements {
				_, err := s.sc.value(-1)
				return err
			}
			v, err := s.value(depth + 1)
			out = append(out, v)
			return err
		})
		return out, err
	case '"':
		b, err := s.sc.w.peek(sampleText)
		if err != nil {
			return nil, err
		}
		text := bytes.Clone(b)
		start := s.sc.w.offset()
		if _, err := s.sc.value(-1); err != nil {
			return nil, err
		}
		if n := s.sc.w.offset() - start; n <= int64(len(text)) {
			text = text[:n]
		} else {
			text = append(bytes.TrimRight(text[:len(text)-12], `\`), '"')
		}
		v, err := s.d.decode(text)
		if err != nil {
			return "", nil //nolint:nilerr // cut inside an escape; only a sample
		}
		return v, nil
	}
	b, err := s.sc.value(64 << 10) // a number may have thousands of digits
	if errors.As(err, new(*limitError)) {
		return nil, s.sc.unexpected(c, "expected a value")
	}
	if err != nil {
		return nil, err
	}
	v, err := s.d.decode(b)
	if err != nil {
		return nil, s.sc.unexpected(c, "expected a value")
	}
	return v, nil
}

// choose finds the variant for a file: the one named, or the only or most
// specific one that recognises it. It returns nil for a file that says nothing.
func (p *parse) choose(l *look, want *Format) (*variant, error) {
	if l.empty {
		return nil, nil
	}
	list, err := p.engine.read()
	if err != nil {
		return nil, err
	}
	var hits []*variant
	best := 0
	for _, f := range list {
		if want != nil && f != want {
			continue
		}
		for _, v := range f.variants {
			ok, err := p.recognises(v, l)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			switch {
			case len(hits) == 0 || f.Specificity > best:
				hits, best = append(hits[:0], v), f.Specificity
			case f.Specificity == best:
				hits = append(hits, v)
			}
			break // a format's first variant that fits
		}
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		var names []string
		for _, v := range hits {
			names = append(names, v.format.ID)
		}
		return nil, sinew.Errorf(sinew.CodeUnsupported, "several formats recognise this file: %s", strings.Join(names, ", ")).
			Hint("say which with --format %s", names[0])
	}
	if l.err != nil {
		return nil, l.err
	}
	if want != nil {
		return nil, sinew.Errorf(sinew.CodeUnsupported, "this is not a %s report that is known: it is %s", want.Name, l.shape).
			Hint("sinew format show %s tells what it expects; without --format the format is detected", want.ID)
	}
	return nil, sinew.Errorf(sinew.CodeUnsupported, "no format recognises this file: it is %s", l.shape).
		Hint("sinew format list shows what is read; sinew format new begins a mapping for it")
}

// recognises runs a detect expression; one that fails on a file does not
// recognise it.
func (p *parse) recognises(v *variant, l *look) (bool, error) {
	in, ok := l.kinds[v.kind]
	if !ok {
		return false, nil
	}
	m := newMachine(p.clock, p.limits, nil)
	out, err := m.one(v.detect, in, nil)
	if err != nil {
		if errors.Is(err, context.Canceled) || sinew.CodeOf(err) == sinew.CodeTooLarge || v.detect.err != nil {
			return false, err
		}
		return false, nil
	}
	return out != nil && out != false, nil
}

// open makes the reader of a variant's kind.
func (p *parse) open(e *env, l *look) (document, error) {
	tree := newPathTree(e.variant, e.variant.kind == kindXML, func(string) bool { return true })
	switch e.variant.kind {
	case kindJSON:
		return openJSON(e, l.in.R, tree)
	case kindJSONL:
		return openLines(e, l.in.R, tree)
	case kindCSV:
		return openCSV(e, l, tree)
	case kindText:
		return openText(e, l.in, tree)
	case kindXML:
		return openXML(e, l.in, tree)
	case kindHTML:
		return openHTML(e, l.in)
	case kindXLSX:
		return openXLSX(e, p, l.in, tree)
	case kindZIP:
		return openZIP(p, e, l.in)
	}
	return nil, fmt.Errorf("unknown reader %s", e.variant.kind)
}
