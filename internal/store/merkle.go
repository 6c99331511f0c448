package store

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// merkle computes the root of a tree over rows as they come: leaves are
// SHA-256(0x00 row), nodes SHA-256(0x01 left right), split as in RFC 6962, so
// that every aligned page of pageRows rows is a subtree and two trees can be
// compared page by page. It holds one hash for each level.
type merkle struct {
	rows  int64
	stack []subtree
	pages [][32]byte // of complete pages, when wanted
	keep  bool
}

type subtree struct {
	level int
	hash  [32]byte
}

const (
	pageRows  = 1 << pageLevel
	pageLevel = 10
)

func leafHash(row []byte) [32]byte { return sha256.Sum256(append([]byte{0}, row...)) }

func nodeHash(left, right [32]byte) [32]byte {
	var b [65]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[33:], right[:])
	return sha256.Sum256(b[:])
}

// add appends a leaf.
func (m *merkle) add(leaf [32]byte) {
	m.rows++
	t := subtree{0, leaf}
	for n := len(m.stack); n > 0 && m.stack[n-1].level == t.level; n-- {
		t = subtree{t.level + 1, nodeHash(m.stack[n-1].hash, t.hash)}
		m.stack = m.stack[:n-1]
		if m.keep && t.level == pageLevel {
			m.pages = append(m.pages, t.hash)
		}
	}
	m.stack = append(m.stack, t)
}

// root closes the tree; the root of none is SHA-256 of nothing.
func (m *merkle) root() [32]byte {
	if len(m.stack) == 0 {
		return sha256.Sum256(nil)
	}
	hash := m.stack[len(m.stack)-1].hash
	for _, t := range slices.Backward(m.stack[:len(m.stack)-1]) {
		hash = nodeHash(t.hash, hash)
	}
	return hash
}

// leafSorter gives leaves back in the order of their bytes, whatever their
// number: what does not fit goes to files as sorted runs.
type leafSorter struct {
	leaves [][32]byte
	limit  int // leaves in memory; 0 for 8 MB of them
	runs   []*os.File
}

func (s *leafSorter) add(leaf [32]byte) error {
	s.leaves = append(s.leaves, leaf)
	if len(s.leaves) < cmp.Or(s.limit, 1<<18) {
		return nil
	}
	s.sort()
	f, err := os.CreateTemp("", "sinew-leaves-")
	if err != nil {
		return fmt.Errorf("sort leaves: %w", err)
	}
	s.runs = append(s.runs, f)
	if err := os.Remove(f.Name()); err != nil { // it is gone when it is closed
		return fmt.Errorf("sort leaves: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	for i := range s.leaves {
		if _, err := w.Write(s.leaves[i][:]); err != nil {
			return fmt.Errorf("sort leaves: %w", err)
		}
	}
	s.leaves = s.leaves[:0]
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sort leaves: %w", err)
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

func (s *leafSorter) sort() {
	slices.SortFunc(s.leaves, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
}

// close drops the files.
func (s *leafSorter) close() {
	for _, f := range s.runs {
		_ = f.Close() // already removed
	}
}

// each yields every leaf in order.
func (s *leafSorter) each(yield func([32]byte)) error {
	s.sort()
	type run struct {
		from *bufio.Reader
		next [32]byte
	}
	var runs []*run
	for _, f := range s.runs {
		r := &run{from: bufio.NewReaderSize(f, 1<<16)}
		if _, err := io.ReadFull(r.from, r.next[:]); err != nil {
			return fmt.Errorf("sort leaves: %w", err)
		}
		runs = append(runs, r)
	}
	rest := s.leaves
	for len(runs) > 0 {
		least := 0 // few runs: a scan will do
		for i := range runs {
			if bytes.Compare(runs[i].next[:], runs[least].next[:]) < 0 {
				least = i
			}
		}
		r := runs[least]
		if len(rest) > 0 && bytes.Compare(rest[0][:], r.next[:]) < 0 {
			yield(rest[0])
			rest = rest[1:]
			continue
		}
		yield(r.next)
		if _, err := io.ReadFull(r.from, r.next[:]); errors.Is(err, io.EOF) {
			runs = slices.Delete(runs, least, least+1)
		} else if err != nil {
			return fmt.Errorf("sort leaves: %w", err)
		}
	}
	for _, leaf := range rest {
		yield(leaf)
	}
	return nil
}
