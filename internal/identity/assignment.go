package identity

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Assigned says which finding an observation of a snapshot is, and by which pass it
// was recognised.
type Assigned struct {
	Pass  Pass
	Birth int64 // local id of the finding (sinew.LocalID); 0: it is born here, from this observation
}

// An assignment blob is assignmentMagic, then one record per observation in report
// order: the pass as one byte, its high bit set if the finding is born here, else
// followed by the sequence number and ordinal of its birth as unsigned varints
// (docs/decisions/001-log.md).
const (
	assignmentMagic = "sinew assignment v1\n"
	bornHere        = 0x80
)

// AssignmentWriter encodes an assignment.
type AssignmentWriter struct {
	w   *bufio.Writer
	buf []byte
	err error
}

// NewAssignmentWriter begins an assignment on w. Errors of w come with Flush.
func NewAssignmentWriter(w io.Writer) *AssignmentWriter {
	a := &AssignmentWriter{w: bufio.NewWriter(w)}
	_, a.err = a.w.WriteString(assignmentMagic)
	return a
}

// Write appends the record of the next observation.
func (a *AssignmentWriter) Write(r Assigned) error {
	if a.err != nil {
		return a.err
	}
	if r.Pass >= bornHere || r.Birth < 0 {
		a.err = fmt.Errorf("assignment: pass %d of %d cannot be written", r.Pass, r.Birth)
		return a.err
	}
	a.buf = append(a.buf[:0], byte(r.Pass))
	if r.Birth == 0 {
		a.buf[0] |= bornHere
	} else {
		seq, ordinal := sinew.SplitLocalID(r.Birth)
		a.buf = binary.AppendUvarint(a.buf, uint64(seq))     //nolint:gosec // not negative
		a.buf = binary.AppendUvarint(a.buf, uint64(ordinal)) //nolint:gosec // not negative
	}
	_, a.err = a.w.Write(a.buf)
	return a.err
}

// Flush ends the assignment.
func (a *AssignmentWriter) Flush() error {
	if a.err != nil {
		return a.err
	}
	a.err = a.w.Flush()
	return a.err
}

// AssignmentReader decodes an assignment.
type AssignmentReader struct {
	r     *bufio.Reader
	begun bool
}

// NewAssignmentReader reads the assignment in r.
func NewAssignmentReader(r io.Reader) *AssignmentReader {
	return &AssignmentReader{r: bufio.NewReader(r)}
}

// Next gives the record of the next observation, and [io.EOF] after the last one.
func (a *AssignmentReader) Next() (Assigned, error) {
	if !a.begun {
		var magic [len(assignmentMagic)]byte
		if _, err := io.ReadFull(a.r, magic[:]); err != nil || string(magic[:]) != assignmentMagic {
			return Assigned{}, sinew.Errorf(sinew.CodeUnsupported, "this is no assignment that we can read")
		}
		a.begun = true
	}
	first, err := a.r.ReadByte()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return Assigned{}, io.EOF
		}
		return Assigned{}, fmt.Errorf("read assignment: %w", err)
	}
	r := Assigned{Pass: Pass(first &^ bornHere)}
	if first&bornHere != 0 {
		return r, nil
	}
	seq, err := a.uvarint()
	if err != nil {
		return Assigned{}, err
	}
	ordinal, err := a.uvarint()
	if err != nil {
		return Assigned{}, err
	}
	r.Birth, err = sinew.LocalID(seq, ordinal)
	if err == nil && r.Birth == 0 {
		err = errors.New("a finding cannot be born before the log")
	}
	if err != nil {
		return Assigned{}, fmt.Errorf("read assignment: %w", err)
	}
	return r, nil
}

func (a *AssignmentReader) uvarint() (int64, error) {
	v, err := binary.ReadUvarint(a.r)
	switch {
	case errors.Is(err, io.EOF):
		return 0, fmt.Errorf("read assignment: %w", io.ErrUnexpectedEOF)
	case err != nil:
		return 0, fmt.Errorf("read assignment: %w", err)
	case v > 1<<62:
		return 0, errors.New("read assignment: a number is out of range")
	}
	return int64(v), nil
}

// EncodeAssignment encodes a whole assignment.
func EncodeAssignment(list []Assigned) ([]byte, error) {
	var b bytes.Buffer
	w := NewAssignmentWriter(&b)
	for _, r := range list {
		if err := w.Write(r); err != nil {
			return nil, err
		}
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// DecodeAssignment is the inverse of [EncodeAssignment].
func DecodeAssignment(b []byte) ([]Assigned, error) {
	r := NewAssignmentReader(bytes.NewReader(b))
	var list []Assigned
	for {
		a, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
}
