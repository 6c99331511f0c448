package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/sinewsec/sinew/internal/sinew"
)

// A segment holds, column by column, what some thousand versions of findings'
// rows say of sorting and filtering (docs/decisions/011). It is written once,
// beside the rows, and never changed, so that it may hold entries whose rows are
// gone by now; whoever finds an entry looks its row up. What counts is the other
// direction: every row has an entry that says exactly what the row says.

const (
	segmentRows  = 4000    // entries, at most: references to strings are 16 bits
	segmentBytes = 1 << 20 // of different strings, at most, and those of one row
)

// The columns of an entry, in the order in which they are written. Texts lie in
// a part of their own, which is read only when one is asked about.
const (
	numID = iota
	numGen
	numFamily
	numUnit
	numPlace
	numSeverity
	numActive
	numReopened
	numLine
	numFirstSeen
	numLastSeen
	numSince
	numLead // 0: stands alone, 1: others are part of it, 2: is part of another
	numColumns

	textState = iota - 1
	textClass
	textTool
	textService
	textOwner
	firstText
)

const (
	textTitle = firstText + iota
	textRule
	textCWE
	textIDs
	textFile
	textPackage
	textPURL
	textImage
	textHost
	textResource
	textEndpoint
	textCause
	allColumns
)

// wordFields are what words without a field are looked for in, as textColumns.
var wordFields = []int{textTitle, textRule, textIDs, textFile, textPackage, textHost, textResource, textEndpoint}

// columnSet names some columns.
type columnSet uint64

func columnsOf(columns ...int) (set columnSet) {
	for _, c := range columns {
		set |= 1 << c
	}
	return set
}

func (c columnSet) has(column int) bool { return c&(1<<column) != 0 }

// texts reports whether a column of the texts is among them.
func (c columnSet) texts() bool { return c>>firstText != 0 }

// segmentWriter gathers entries.
type segmentWriter struct {
	gen     int64
	rows    int
	size    int // of the different strings
	numbers [numColumns][]byte
	strings [allColumns - numColumns]stringColumn
	done    []segment
	enc     *zstd.Encoder
}

// segment is one that is ready to be written.
type segment struct {
	rows     int
	newest   int64  // generation in it
	trigrams []byte // a filter over those of all texts
	numbers  []byte // and strings of few different values; each column compressed
	texts    []byte // each column compressed
}

func newSegmentWriter() (*segmentWriter, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(256<<10),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	w := &segmentWriter{enc: enc}
	for i := range w.strings {
		w.strings[i].reset()
	}
	return w, nil
}

// add takes the entry of a row; r.GenFrom must be set.
func (w *segmentWriter) add(r *FindingRow) {
	for i, n := range [numColumns]int64{
		numID: r.ID, numGen: r.GenFrom, numFamily: r.Family, numUnit: r.Unit, numPlace: r.Place,
		numSeverity: int64(r.Severity), numActive: boolInt(r.State.Active()), numReopened: r.Reopened, numLine: r.Line,
		numFirstSeen: r.FirstSeen, numLastSeen: r.LastSeen, numSince: r.Since,
		numLead: leadColumn(r.Lead),
	} {
		w.numbers[i] = binary.LittleEndian.AppendUint64(w.numbers[i], uint64(n)) //nolint:gosec // read back the same way
	}
	for i, s := range [allColumns]string{
		textState: string(r.State), textClass: string(r.Class), textTool: r.Tool, textService: r.Service, textOwner: r.Owner,
		textTitle: r.Title, textRule: r.Rule, textCWE: r.CWE, textIDs: r.IDs + r.Also, textFile: r.File, textPackage: r.Package, textPURL: r.PURL,
		textImage: r.Image, textHost: r.Host, textResource: r.Resource, textEndpoint: r.Endpoint, textCause: r.Cause,
	} {
		if i >= numColumns {
			w.size += w.strings[i-numColumns].add(s)
		}
	}
	w.gen = max(w.gen, r.GenFrom)
	if w.rows++; w.rows == segmentRows || w.size >= segmentBytes {
		w.cut()
	}
}

func leadColumn(lead int64) int64 {
	switch {
	case lead > 0:
		return 2
	case lead < 0:
		return 1
	}
	return 0
}

// cut makes what was gathered a segment.
func (w *segmentWriter) cut() {
	if w.rows == 0 {
		return
	}
	s := segment{rows: w.rows, newest: w.gen}
	for i := range w.numbers {
		s.numbers = w.appendFrame(s.numbers, w.numbers[i])
		w.numbers[i] = w.numbers[i][:0]
	}
	set := make([]byte, 1<<trigramBits/8)
	for i := range w.strings {
		c := &w.strings[i]
		if i+numColumns < firstText {
			s.numbers = w.appendFrame(s.numbers, append(c.refs, c.text...))
		} else {
			s.texts = w.appendFrame(s.texts, append(c.refs, c.text...))
			addTrigrams(set, c.text)
		}
		c.reset()
	}
	s.trigrams = halved(set)
	w.done = append(w.done, s)
	w.rows, w.size, w.gen = 0, 0, 0
}

// appendFrame appends the compressed form of b, its length before it.
func (w *segmentWriter) appendFrame(to, b []byte) []byte {
	at := len(to)
	to = w.enc.EncodeAll(b, append(to, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(to[at:], uint32(len(to)-at-4)) //nolint:gosec // not that long
	return to
}

// stringColumn is a reference for each entry, and the different strings: a NUL,
// then each and a NUL. The first is the empty one.
type stringColumn struct {
	refs []byte // 16 bits each
	text []byte
	at   map[string]uint16
	last string // rows that follow another are often alike
	ref  uint16 // of the last
}

func (c *stringColumn) reset() {
	c.refs, c.text = c.refs[:0], append(c.text[:0], 0, 0)
	if len(c.at) != 1 {
		c.at = map[string]uint16{"": 0}
	}
	c.last, c.ref = "", 0
}

// add appends an entry, and gives by how much the text grew.
func (c *stringColumn) add(s string) (grown int) {
	if s != c.last {
		ref, ok := c.at[s]
		if !ok {
			ref = uint16(len(c.at)) //nolint:gosec // at most segmentRows
			c.at[s] = ref
			// A NUL would end it. No value has one.
			grown = len(c.text)
			c.text = append(append(c.text, strings.ReplaceAll(s, "\x00", " ")...), 0)
			grown = len(c.text) - grown
		}
		c.last, c.ref = s, ref
	}
	c.refs = binary.LittleEndian.AppendUint16(c.refs, c.ref)
	return grown
}

// The trigrams of texts, without regard to case, are kept as a Bloom filter of
// one hash: a power of two bits, at most an eighth of them set where that is
// possible.
const trigramBits = 17

func addTrigrams(set, text []byte) {
	text = fold(nil, text)
	for i := range max(len(text)-2, 0) {
		h := trigramHash(text[i:]) >> (32 - trigramBits)
		set[h/8] |= 1 << (h % 8)
	}
}

// halved makes a filter as short as it may be.
func halved(set []byte) []byte {
	full := 0
	for _, b := range set {
		full += bits.OnesCount8(b)
	}
	for len(set) > 8 && full*16 <= len(set)*8 { // by the upper bits of the hash
		half := set[:len(set)/2]
		for i := range half {
			half[i] = pairs(set[2*i]) | pairs(set[2*i+1])<<4
		}
		set = half
	}
	return bytes.Clone(set)
}

// pairs gives a bit for each two of b.
func pairs(b byte) byte {
	b = (b | b>>1) & 0x55
	b = (b | b>>1) & 0x33
	return (b | b>>2) & 0x0f
}

func trigramHash(b []byte) uint32 {
	return (uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])) * 0x9e3779b1
}

// mayHold reports whether a text of which this is the filter may have a folded
// string in it.
func mayHold(filter, folded []byte) bool {
	if len(filter) == 0 {
		return true
	}
	shift := 32 - bits.TrailingZeros(uint(len(filter)*8))
	for i := range max(len(folded)-2, 0) {
		if h := trigramHash(folded[i:]) >> shift; filter[h/8]&(1<<(h%8)) == 0 {
			return false
		}
	}
	return true
}

// fold appends b with the ASCII letters in lower case: what LIKE does on SQLite
// and ILIKE in the C collation of PostgreSQL.
func fold(to, b []byte) []byte {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	i := len(to)
	to = append(to, b...)
	for ; i+8 <= len(to); i += 8 {
		x := binary.LittleEndian.Uint64(to[i:])
		low := x &^ high
		upper := (low + (0x80-'A')*ones) &^ (low + (0x7f-'Z')*ones) &^ x & high
		binary.LittleEndian.PutUint64(to[i:], x|upper>>2)
	}
	for ; i < len(to); i++ {
		if c := to[i]; 'A' <= c && c <= 'Z' {
			to[i] = c | 0x20
		}
	}
	return to
}

var segmentDecoders = sync.Pool{New: func() any {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	return dec
}}

func decodeSegment(data, to []byte) ([]byte, error) {
	dec, ok := segmentDecoders.Get().(*zstd.Decoder)
	if !ok {
		return nil, errors.New("no decoder")
	}
	defer segmentDecoders.Put(dec)
	return dec.DecodeAll(data, to[:0])
}

var errSegment = sinew.Errorf(sinew.CodeInternal, "the index of findings is damaged").Hint("build the projections again with sinew rebuild")

// entries are the columns of a segment that were asked for. The buffers of one
// segment are used again for the next.
type entries struct {
	rows    int
	frames  [allColumns][]byte // as they were compressed
	strings [allColumns - numColumns]readStrings
}

// decode unpacks some columns of a part of a segment, whose first column is
// first and after whose last comes end.
func (e *entries) decode(rows int, b []byte, first, end int, wanted columnSet) (err error) {
	if rows < 1 || rows > segmentRows {
		return fmt.Errorf("%d entries: %w", rows, errSegment)
	}
	e.rows = rows
	for i := first; i < end; i++ {
		if len(b) < 4 || int64(len(b)-4) < int64(binary.LittleEndian.Uint32(b)) {
			return errSegment
		}
		frame := b[4 : 4+binary.LittleEndian.Uint32(b)]
		b = b[4+len(frame):]
		if !wanted.has(i) {
			continue
		}
		if e.frames[i], err = decodeSegment(frame, e.frames[i]); err != nil {
			return errors.Join(err, errSegment)
		}
		switch plain := e.frames[i]; {
		case i < numColumns:
			if len(plain) != rows*8 {
				return errSegment
			}
		case len(plain) < rows*2+2:
			return errSegment
		default:
			s := &e.strings[i-numColumns]
			s.refs, s.text, s.folded, s.starts = plain[:rows*2], plain[rows*2:], s.folded[:0], s.starts[:0]
		}
	}
	return nil
}

func (e *entries) number(column, row int) int64 {
	return int64(binary.LittleEndian.Uint64(e.frames[column][row*8:])) //nolint:gosec // as it was written
}

func (e *entries) string(column int) *readStrings { return &e.strings[column-numColumns] }

// readStrings is a column of strings as it is read.
type readStrings struct {
	refs   []byte
	text   []byte  // with case
	folded []byte  // made when it is searched
	starts []int32 // of each string in the text; made when they are needed
}

// split finds where the strings are.
func (r *readStrings) split() error {
	if len(r.starts) > 0 {
		return nil
	}
	for at := 1; at < len(r.text); {
		r.starts = append(r.starts, int32(at))
		n := bytes.IndexByte(r.text[at:], 0)
		if n < 0 {
			return errSegment
		}
		at += n + 1
	}
	for i := 0; i < len(r.refs); i += 2 {
		if int(binary.LittleEndian.Uint16(r.refs[i:])) >= len(r.starts) {
			return errSegment
		}
	}
	return nil
}

func (r *readStrings) ref(row int) int { return int(binary.LittleEndian.Uint16(r.refs[row*2:])) }

// end gives the place after a string.
func (r *readStrings) end(ref int) int {
	if ref+1 < len(r.starts) {
		return int(r.starts[ref+1]) - 1
	}
	return len(r.text) - 1
}

// bytes gives the string of a row; the column must have been split.
func (r *readStrings) bytes(row int) []byte {
	ref := r.ref(row)
	return r.text[r.starts[ref]:r.end(ref)]
}
