package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// window is a sliding view of an input. Bytes from mark on are kept when it
// moves; it grows only as far as the caller lets it.
type window struct {
	r    io.ReaderAt
	base int64 // offset in the input of buf[0]
	buf  []byte
	pos  int // next byte
	end  int // valid bytes in buf
	mark int // first byte to keep, or -1
	next int64
	eof  bool
}

const windowSize = 256 << 10

func newWindow(r io.ReaderAt) *window {
	return &window{r: r, buf: make([]byte, windowSize), mark: -1}
}

func (w *window) offset() int64 { return w.base + int64(w.pos) }

// fill makes more bytes available after end. It reports false at the end of the
// input.
func (w *window) fill() (bool, error) {
	if w.eof {
		return false, nil
	}
	keep := w.pos
	if w.mark >= 0 {
		keep = w.mark
	}
	if keep > 0 {
		copy(w.buf, w.buf[keep:w.end])
		w.base += int64(keep)
		w.pos -= keep
		w.end -= keep
		if w.mark >= 0 {
			w.mark = 0
		}
	}
	if w.end == len(w.buf) {
		w.buf = append(w.buf, make([]byte, len(w.buf))...)
	} else if len(w.buf) > 4*windowSize && w.end < windowSize {
		w.buf = append(make([]byte, 0, windowSize), w.buf[:w.end]...)[:windowSize]
	}
	n, err := w.r.ReadAt(w.buf[w.end:], w.next)
	w.end += n
	w.next += int64(n)
	if errors.Is(err, io.EOF) {
		w.eof = true
		return n > 0, nil
	}
	if err != nil {
		return false, fmt.Errorf("read at byte %d: %w", w.next, err)
	}
	return true, nil
}

// peek makes up to n bytes from pos available and returns them; fewer at the
// end of the input.
func (w *window) peek(n int) ([]byte, error) {
	for w.end-w.pos < n {
		more, err := w.fill()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
	}
	return w.buf[w.pos:min(w.pos+n, w.end)], nil
}

// lineOf counts the lines before a byte of the input, for messages.
func lineOf(r io.ReaderAt, offset int64) int {
	buf := make([]byte, 64<<10)
	line := 1
	for at := int64(0); at < offset; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), offset-at)], at)
		line += bytes.Count(buf[:n], []byte{'\n'})
		at += int64(n)
		if err != nil || n == 0 {
			break
		}
	}
	return line
}
