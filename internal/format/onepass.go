package format

import (
	"bytes"
	"errors"
)

// Most reports tell no secrets, even of tools that could; and to read every row
// once to be sure of it costs a quarter of reading a report. So a report is first
// mapped as if it told none. What comes out is held back, encrypted; the first row
// that calls something a secret ends it, as does a full disk; what was held is
// thrown away, and the report is read in two passes.

// maxHeld bounds the reports of which everything is held back, for the sake of
// the disk.
const maxHeld = 256 << 20

var errTwoPasses = errors.New("two passes are needed")

// mayOnePass: lines can be held back, while the caller of a sink keeps what it
// gets; and a redactor that numbers values must see them in the order of the rows.
func (p *parse) mayOnePass(size int64) bool {
	_, keyed := p.redactor.(*keyedRedactor)
	return p.opt.Lines != nil && keyed && size <= maxHeld
}

// onePass maps a file in one pass. After errTwoPasses it is as if it had not been
// tried.
func (p *parse) onePass(e *env, doc document, size int64) (*Result, error) {
	held := &heldLines{spill: spill{dir: p.opt.SpoolDir}}
	lines, notes := p.opt.Lines, p.notes.clone()
	p.opt.Lines, p.innocent = held.add, true
	p.secrets.seal()
	res, err := p.mapped(e, doc, size)
	if err == nil {
		err = held.flush()
	}
	p.opt.Lines, p.innocent = lines, false
	if errors.Is(err, errTwoPasses) {
		err = errors.Join(err, p.later.close(), held.spill.close())
		p.later, p.marks, p.seen = spill{dir: p.opt.SpoolDir}, map[byte][]int64{}, map[string]bool{}
		p.secrets, p.notes, p.findings = Secrets{}, notes, 0
		return nil, err
	}
	if err == nil {
		err = p.clean()
	}
	if err == nil {
		err = held.give(lines)
	}
	return res, errors.Join(err, held.spill.close())
}

// heldLines keeps lines in order, many to a record.
type heldLines struct {
	spill  spill
	buf    []byte
	places []int64
}

func (h *heldLines) add(line []byte) error {
	if h.buf = append(h.buf, line...); len(h.buf) < batchBytes {
		return nil
	}
	return h.flush()
}

func (h *heldLines) flush() error {
	at, err := h.spill.add(h.buf)
	h.places, h.buf = append(h.places, at), h.buf[:0]
	if err != nil {
		return errors.Join(errTwoPasses, err) // two passes need no room
	}
	return nil
}

// give hands the lines out, after the last flush.
func (h *heldLines) give(lines func([]byte) error) error {
	for _, at := range h.places {
		text, err := h.spill.get(at)
		if err != nil {
			return err
		}
		for line := range bytes.Lines(text) {
			if err := lines(line); err != nil {
				return &sinkError{err}
			}
		}
	}
	return nil
}
