package format

import (
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// jsonScanner frames JSON values without decoding them. It checks brackets and
// quotes; whatever is decoded later is checked for the rest.
type jsonScanner struct {
	w     *window
	depth int // limit
	stack []byte

	copy      *[]byte // when set, skip copies what it runs over
	copyFrom  int
	copyLimit int
}

// Classes of bytes outside strings.
const (
	clNone = iota
	clSpace
	clQuote
	clOpen
	clClose
	clDelim // comma, colon
)

var jsonClass = func() (t [256]uint8) {
	for _, c := range " \t\r\n" {
		t[c] = clSpace
	}
	t['"'] = clQuote
	t['{'], t['['] = clOpen, clOpen
	t['}'], t[']'] = clClose, clClose
	t[','], t[':'] = clDelim, clDelim
	return
}()

// stopInString marks the bytes that end the quick run through a string.
var stopInString = func() (t [256]bool) {
	t['"'], t['\\'] = true, true
	return
}()

// token skips white space and returns the next byte without taking it; 0 at the
// end of the input.
func (s *jsonScanner) token() (byte, error) {
	w := s.w
	for {
		for w.pos < w.end {
			c := w.buf[w.pos]
			if jsonClass[c] != clSpace {
				return c, nil
			}
			w.pos++
		}
		more, err := w.fill()
		if err != nil {
			return 0, err
		}
		if !more {
			return 0, nil
		}
	}
}

// expect takes the byte c.
func (s *jsonScanner) expect(c byte) error {
	got, err := s.token()
	if err != nil {
		return err
	}
	if got != c || got == 0 {
		return s.unexpected(got, fmt.Sprintf("expected %q", c))
	}
	s.w.pos++
	return nil
}

func (s *jsonScanner) unexpected(got byte, want string) error {
	at := fmt.Sprintf("%d", lineOf(s.w.r, s.w.offset()))
	if got == 0 {
		if more, err := s.w.fill(); err == nil && !more && s.w.pos >= s.w.end {
			return invalid(at, "the file ends at byte %d, in the middle of a JSON value: %s", s.w.offset(), want).
				Hint("the report is cut off; run the scanner again, or look for a full disk or a broken upload")
		}
	}
	return invalid(at, "not valid JSON at byte %d: found %s, %s", s.w.offset(), show(got), want).
		Hint("the report is damaged or is not JSON")
}

func show(c byte) string {
	if c < 0x20 || c > 0x7e {
		return fmt.Sprintf("byte 0x%02x", c)
	}
	return fmt.Sprintf("%q", c)
}

// value takes one value. With limit >= 0 it returns the value's bytes, valid
// until the next call, or fails if they are more than limit.
func (s *jsonScanner) value(limit int) ([]byte, error) {
	if _, err := s.token(); err != nil {
		return nil, err
	}
	w := s.w
	outer := w.mark
	if limit >= 0 && outer < 0 {
		w.mark = w.pos
	}
	start := w.offset()
	err := s.skip(start, limit)
	if limit < 0 {
		return nil, err
	}
	if outer < 0 {
		w.mark = -1
	}
	if err != nil {
		return nil, err
	}
	b := w.buf[int(start-w.base):w.pos]
	if len(b) > limit {
		return nil, &limitError{start: start, limit: limit}
	}
	return b, nil
}

// skip runs over one value.
func (s *jsonScanner) skip(start int64, limit int) error {
	w := s.w
	s.stack = s.stack[:0]
	inString := false
	scalar := false
	for {
		buf, i := w.buf[:w.end], w.pos
		for i < len(buf) {
			if inString {
				for i < len(buf) && !stopInString[buf[i]] {
					i++
				}
				if i == len(buf) {
					break
				}
				if buf[i] == '\\' {
					if i+1 == len(buf) {
						break // the escaped byte is not here yet
					}
					i += 2
					continue
				}
				i++
				inString = false
				if len(s.stack) == 0 {
					w.pos = i
					return nil
				}
				continue
			}
			c := buf[i]
			switch jsonClass[c] {
			case clQuote:
				if scalar {
					w.pos = i
					return s.unexpected(c, "expected a comma or the end of the value")
				}
				inString = true
				i++
			case clOpen:
				if scalar {
					w.pos = i
					return s.unexpected(c, "expected a comma or the end of the value")
				}
				if len(s.stack) >= s.depth {
					w.pos = i
					return tooLarge(fmt.Sprintf("%d", lineOf(w.r, w.offset())),
						"values are nested more than %d deep at byte %d", s.depth, w.offset()).Hint("no scanner writes such a report; it is refused")
				}
				s.stack = append(s.stack, c+2) // { is 0x7b and } 0x7d, [ is 0x5b and ] 0x5d
				i++
			case clClose:
				if len(s.stack) == 0 {
					w.pos = i
					if scalar {
						return nil
					}
					return s.unexpected(c, "expected a value")
				}
				if s.stack[len(s.stack)-1] != c {
					w.pos = i
					return s.unexpected(c, fmt.Sprintf("expected %q", s.stack[len(s.stack)-1]))
				}
				s.stack = s.stack[:len(s.stack)-1]
				i++
				if len(s.stack) == 0 {
					w.pos = i
					return nil
				}
			case clSpace, clDelim:
				if len(s.stack) == 0 {
					w.pos = i
					if scalar {
						return nil
					}
					return s.unexpected(c, "expected a value")
				}
				i++
			default:
				if len(s.stack) == 0 {
					scalar = true
				}
				i++
			}
		}
		w.pos = i
		if limit >= 0 && w.offset()-start > int64(limit) {
			return &limitError{start: start, limit: limit}
		}
		if s.copy != nil {
			*s.copy = append(*s.copy, w.buf[s.copyFrom:i]...)
			if len(*s.copy) > s.copyLimit {
				return &limitError{start: start, limit: s.copyLimit}
			}
		}
		more, err := w.fill()
		if err != nil {
			return err
		}
		s.copyFrom = w.pos
		if !more {
			if scalar && !inString && len(s.stack) == 0 {
				return nil
			}
			w.pos = w.end
			want := "expected a value"
			switch {
			case inString:
				want = `expected '"'`
			case len(s.stack) > 0:
				want = fmt.Sprintf("expected %q", s.stack[len(s.stack)-1])
			}
			return s.unexpected(0, want)
		}
	}
}

// copyTo takes one value and appends its bytes to out, which may grow to limit.
func (s *jsonScanner) copyTo(out *[]byte, limit int) error {
	if _, err := s.token(); err != nil {
		return err
	}
	start := s.w.offset()
	s.copy, s.copyFrom, s.copyLimit = out, s.w.pos, limit
	err := s.skip(start, -1)
	s.copy = nil
	if err != nil {
		return err
	}
	*out = append(*out, s.w.buf[s.copyFrom:s.w.pos]...)
	if len(*out) > limit {
		return &limitError{start: start, limit: limit}
	}
	return nil
}

// limitError says that a value is larger than its limit; the caller knows what
// it is called.
type limitError struct {
	start int64
	limit int
}

func (e *limitError) Error() string { return "value too large" }

func (s *jsonScanner) tooLarge(e *limitError, what string, hint string) *sinew.Error {
	return tooLarge(fmt.Sprintf("%d", lineOf(s.w.r, e.start)), "%s at byte %d is larger than %s", what, e.start, size(int64(e.limit))).Hint("%s", hint)
}
