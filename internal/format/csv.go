package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// csvScanner cuts a table into records: RFC 4180, with any delimiter, line end
// and sloppy quote, and a limit on the bytes of one record.
type csvScanner struct {
	w      *window
	comma  byte
	limits Limits
	fields []string
	field  []byte
	clean  func([]byte) string
}

// record reads the next one that is not blank; io.EOF at the end.
func (c *csvScanner) record() (fields []string, start int64, err error) {
	w := c.w
	for {
		c.fields, c.field = c.fields[:0], c.field[:0]
		start = w.offset()
		quoted, inQuotes, any, length := false, false, false, 0
		end := func() error {
			if len(c.fields) >= c.limits.Columns {
				return tooLarge(c.line(start), "the record has more than %d columns", c.limits.Columns).Hint("this is no scanner's table; it is refused")
			}
			c.fields = append(c.fields, c.clean(c.field))
			c.field, quoted = c.field[:0], false
			return nil
		}
		done := false
		for !done {
			if w.pos >= w.end {
				more, err := w.fill()
				if err != nil {
					return nil, start, err
				}
				if !more {
					if inQuotes {
						return nil, start, invalid(c.line(start), "the file ends at byte %d, inside a quoted field of the record that begins at byte %d: expected '\"'", w.offset(), start).
							Hint("the report is cut off, or a quote in it is not doubled")
					}
					if !any {
						return nil, start, io.EOF
					}
					break
				}
				continue
			}
			b := w.buf[w.pos]
			w.pos++
			if length++; length > c.limits.Row {
				return nil, start, tooLarge(c.line(start), "the record at byte %d is larger than %s", start, size(int64(c.limits.Row))).
					Hint("no finding is that large; the report is refused")
			}
			switch {
			case inQuotes && b == '"':
				if next, err := w.peek(1); err != nil {
					return nil, start, err
				} else if len(next) > 0 && next[0] == '"' {
					w.pos++
					c.field = append(c.field, '"')
				} else {
					inQuotes = false
				}
			case inQuotes:
				c.field = append(c.field, b)
			case b == '"' && !quoted && len(bytes.TrimSpace(c.field)) == 0:
				c.field = c.field[:0]
				quoted, inQuotes, any = true, true, true
			case b == c.comma:
				any = true
				if err := end(); err != nil {
					return nil, start, err
				}
			case b == '\n':
				done = true
			case b == '\r':
				if next, err := w.peek(1); err != nil {
					return nil, start, err
				} else if len(next) == 0 || next[0] != '\n' {
					done = true
				}
			default:
				any = any || b != ' ' && b != '\t' && b != 0
				c.field = append(c.field, b)
			}
		}
		if !any {
			continue
		}
		if err := end(); err != nil {
			return nil, start, err
		}
		blank := true
		for _, f := range c.fields {
			blank = blank && strings.TrimSpace(f) == ""
		}
		if !blank {
			return c.fields, start, nil
		}
	}
}

func (c *csvScanner) line(at int64) string { return strconv.Itoa(lineOf(c.w.r, at)) }

// csvHeader reads up to the header and returns its names, each once.
func csvHeader(c *csvScanner, match func(fields []string) bool) ([]string, error) {
	for n := 0; ; n++ {
		f, start, err := c.record()
		if errors.Is(err, io.EOF) || n > 1000 {
			return nil, invalid("1", "the table has no header that this format knows").Hint("the report is not of this format, or its first lines are missing")
		}
		if err != nil {
			return nil, err
		}
		if len(f) <= 2 && start == 0 && strings.HasPrefix(f[0], "sep=") || !match(f) {
			continue
		}
		names := make([]string, len(f))
		seen := map[string]int{}
		for i, name := range f {
			name = strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))
			if name == "" {
				name = "column " + strconv.Itoa(i+1)
			}
			if seen[name]++; seen[name] > 1 {
				name += " " + strconv.Itoa(seen[name])
			}
			names[i] = name
		}
		return names, nil
	}
}

// delimiter is the one that cuts a line into most fields.
func delimiter(line []byte) byte {
	best, most := byte(','), 0
	for _, d := range []byte(",;\t|") {
		n, quoted := 0, false
		for _, b := range line {
			if b == '"' {
				quoted = !quoted
			} else if b == d && !quoted {
				n++
			}
		}
		if n > most {
			best, most = d, n
		}
	}
	return best
}

// lookTable samples a file that may be a table or any text.
func (p *parse) lookTable(l *look, head []byte) {
	text := textSample(head)
	l.kinds[kindText] = text
	line := head
	for {
		first, rest, more := bytes.Cut(line, []byte("\n"))
		if more && (len(bytes.TrimSpace(first)) == 0 || bytes.HasPrefix(first, []byte("sep="))) {
			line = rest
			continue
		}
		line = first
		break
	}
	d := delimiter(line)
	c := &csvScanner{w: newWindow(bytes.NewReader(head)), comma: d, limits: p.limits, clean: cleaner(p.limits, nil)}
	names, err := csvHeader(c, func([]string) bool { return true })
	if err != nil {
		if l.shape = "text"; sinew.CodeOf(err) == sinew.CodeTooLarge {
			l.err = err
		}
		return
	}
	sample := map[string]any{"header": anys(names), "delimiter": string(d), "lines": text["lines"]}
	if f, _, err := c.record(); err == nil {
		sample["first"] = csvRow(names, f)
	}
	l.kinds[kindCSV] = sample
	if len(names) > 1 {
		l.shape = "a table with the columns " + cutText(strings.Join(names[:min(len(names), 8)], ", "), 200)
	} else {
		l.shape = "text that begins " + strconv.Quote(cutText(string(bytes.ToValidUTF8(bytes.TrimSpace(line[:min(len(line), 60)]), []byte("?"))), 60))
	}
}

// textSample is what detect expressions for text see: {text, lines}.
func textSample(head []byte) map[string]any {
	text := strings.ToValidUTF8(strings.ReplaceAll(string(head[:min(len(head), 64<<10)]), "\x00", ""), "\uFFFD")
	ls, _ := lines(text).([]any)
	return map[string]any{"text": text, "lines": ls[:min(len(ls), 50)]}
}

func anys(ss []string) []any {
	out := make([]any, len(ss))
	for i, s := range ss {
		out[i] = s
	}
	return out
}

func cleaner(limits Limits, n *notes) func([]byte) string {
	d := &decoder{limits: limits}
	return func(b []byte) string {
		if len(b) <= 40 && isASCII(b) {
			return d.share(b)
		}
		return cleanText(b, limits.String, func(kind string) {
			if n != nil {
				n.add(kind, kind+" in the table")
			}
		})
	}
}

func csvRow(names, fields []string) map[string]any {
	row := make(map[string]any, len(names))
	for i, f := range fields {
		if i < len(names) {
			row[names[i]] = f
		}
	}
	return row
}

func openCSV(e *env, l *look, tree *pathNode) (document, error) {
	in := l.in
	match := func([]string) bool { return true }
	comma := byte(',')
	if s, ok := l.kinds[kindCSV].(map[string]any); ok {
		if d, ok := s["delimiter"].(string); ok && d != "" {
			comma = d[0]
		}
	}
	if re := e.variant.header; re != nil {
		head := make([]byte, min(in.Size, lookBytes))
		n, _ := in.R.ReadAt(head, 0)
		for line := range bytes.Lines(head[:n]) {
			if re.Match(bytes.TrimSpace(line)) {
				comma = delimiter(line)
				break
			}
		}
		match = func(f []string) bool { return re.MatchString(strings.Join(f, string(comma))) }
	}
	clean := cleaner(e.limits, e.notes)
	begin := func() (*csvScanner, []string, error) {
		c := &csvScanner{w: newWindow(in.R), comma: comma, limits: e.limits, clean: clean}
		names, err := csvHeader(c, match)
		return c, names, err
	}
	_, names, err := begin()
	if err != nil {
		return nil, err
	}
	each := func(f func(any, row, []any) error) error {
		c, names, err := begin()
		if err != nil {
			return err
		}
		for i := 0; ; i++ {
			fields, start, err := c.record()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			n := i + 1
			r := row{start: start, end: c.w.offset(), member: e.member, place: func() string {
				return fmt.Sprintf("%d: row %d", lineOf(in.R, start), n)
			}}
			if len(fields) > len(names) {
				e.notes.add("records longer than the header", fmt.Sprintf("row %d has %d columns, the header %d; the rest is left out", n, len(fields), len(names)))
			}
			if err := f(csvRow(names, fields), r, []any{i}); err != nil {
				return err
			}
		}
	}
	return newTable(e, tree, map[string]any{"header": anys(names), "delimiter": string(comma)}, each)
}
