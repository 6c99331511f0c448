package pipeline

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/identity"
)

// rowFile is rows of one size that are written once and then read, in order or
// singly. Few are kept in memory, many in an encrypted file without a name, so that
// what a match needs does not grow with them. It is an [identity.Rows], and not for
// concurrent use.
type rowFile[T any] struct {
	dir    string // for the file
	size   int    // of an encoded row
	encode func([]byte, *T)
	decode func([]byte) T

	rows  []T // all of them, or those that are not in the file yet
	spool *format.Spool
	n     int

	buf  []byte // rows on their way to and from the file
	page []byte // what was read last to get a single row
	at   int    // first row of page; -1 for none
}

const (
	// spillRows is how many rows are kept in memory.
	spillRows = 1 << 15
	// spillPage is how many rows are read to get one: who asks for one row asks
	// for its neighbours next, most of the time.
	spillPage = 64
)

func newPriorFile(dir string) *rowFile[identity.Prior] {
	return &rowFile[identity.Prior]{
		dir: dir, size: 57, at: -1,
		encode: func(b []byte, p *identity.Prior) {
			binary.LittleEndian.PutUint64(b, uint64(p.ID)) //nolint:gosec // a bit pattern
			encodeKeys(b[8:], &p.Keys)
			b[56] = 0
			if p.Closed {
				b[56] = 1
			}
		},
		decode: func(b []byte) identity.Prior {
			id := int64(binary.LittleEndian.Uint64(b)) //nolint:gosec // a bit pattern
			return identity.Prior{ID: id, Keys: decodeKeys(b[8:]), Closed: b[56] == 1}
		},
	}
}

func newKeysFile(dir string) *rowFile[identity.Keys] {
	return &rowFile[identity.Keys]{dir: dir, size: 48, at: -1, encode: encodeKeys, decode: decodeKeys}
}

func encodeKeys(b []byte, k *identity.Keys) {
	for i, v := range [...]int64{k.Tool, k.Content, k.Place, k.Moved, k.Near, int64(k.Text)<<32 | int64(uint32(k.Line))} { //nolint:gosec // bit patterns
		binary.LittleEndian.PutUint64(b[8*i:], uint64(v)) //nolint:gosec // a bit pattern
	}
}

func decodeKeys(b []byte) identity.Keys {
	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[8*i:])) } //nolint:gosec // a bit pattern
	return identity.Keys{
		Tool: word(0), Content: word(1), Place: word(2), Moved: word(3), Near: word(4),
		Line: int32(binary.LittleEndian.Uint32(b[40:])), //nolint:gosec // a bit pattern
		Text: binary.LittleEndian.Uint32(b[44:]),
	}
}

// add appends a row.
func (f *rowFile[T]) add(row T) error {
	if f.n == math.MaxInt32 {
		return errManyRows
	}
	f.rows = append(f.rows, row)
	f.n++
	f.at = -1
	if len(f.rows) < spillRows {
		return nil
	}
	return f.spill()
}

// spill moves what is in memory to the file.
func (f *rowFile[T]) spill() (err error) {
	if f.spool == nil {
		if f.spool, err = format.NewSpool(f.dir, 0); err != nil {
			return err
		}
		f.buf = make([]byte, 1024*f.size)
	}
	for rest := f.rows; len(rest) > 0; {
		n := min(len(rest), 1024)
		for i := range n {
			f.encode(f.buf[i*f.size:], &rest[i])
		}
		if _, err := f.spool.Write(f.buf[:n*f.size]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	f.rows = f.rows[:0]
	return nil
}

// ready moves the last rows to the file, if there is one.
func (f *rowFile[T]) ready() error {
	if f.spool == nil || len(f.rows) == 0 {
		return nil
	}
	return f.spill()
}

// Len is the number of rows.
func (f *rowFile[T]) Len() int { return f.n }

// Each calls fn with every row in order.
func (f *rowFile[T]) Each(fn func(i int32, row *T) error) error { return f.each(0, f.n, fn) }

// each calls fn with n rows, from first on.
func (f *rowFile[T]) each(first, n int, fn func(i int32, row *T) error) error {
	if err := f.ready(); err != nil {
		return err
	}
	if f.spool == nil {
		for i := first; i < first+n; i++ {
			if err := fn(int32(i), &f.rows[i]); err != nil { //nolint:gosec // an entry has at most 1<<28
				return err
			}
		}
		return nil
	}
	row := new(T)
	for i, end := first, first+n; i < end; {
		n := min(end-i, 1024)
		if err := f.read(f.buf[:n*f.size], i); err != nil {
			return err
		}
		for k := range n {
			*row = f.decode(f.buf[k*f.size:])
			if err := fn(int32(i), row); err != nil { //nolint:gosec // an entry has at most 1<<28
				return err
			}
			i++
		}
	}
	return nil
}

// Get gives one row.
func (f *rowFile[T]) Get(i int32) (row T, err error) {
	if err := f.ready(); err != nil {
		return row, err
	}
	if f.spool == nil {
		return f.rows[i], nil
	}
	first := int(i) / spillPage * spillPage
	if f.at != first {
		f.at = -1
		f.page = append(f.page[:0], make([]byte, min(spillPage, f.n-first)*f.size)...)
		if err := f.read(f.page, first); err != nil {
			return row, err
		}
		f.at = first
	}
	return f.decode(f.page[(int(i)-first)*f.size:]), nil
}

func (f *rowFile[T]) read(b []byte, first int) error {
	if n, err := f.spool.ReadAt(b, int64(first)*int64(f.size)); n < len(b) {
		return fmt.Errorf("read a temporary file: %w", errors.Join(err, errShortSpool))
	}
	return nil
}

var errManyRows = errors.New("more observations than can be looked at together")

var errShortSpool = errors.New("it is shorter than what was written")

// close frees the file.
func (f *rowFile[T]) close() {
	if f.spool != nil {
		_ = f.spool.Close() // nobody needs it any more
	}
	f.rows, f.spool = nil, nil
}
