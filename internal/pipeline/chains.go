package pipeline

import (
	"encoding/binary"
)

// chains says which finding each observation of some snapshots is, for as many of
// them as are folded again: they lie in a file as soon as they are many.
type chains struct {
	rows    *rowFile[link]
	spans   map[int64]span  // by snapshot
	names   map[int64]int64 // of findings whose name was provisional
	matched bool            // just now: see assignment
}

type link struct {
	id   int64
	pass uint8
}

// span is where the rows of a snapshot lie.
type span struct{ first, n int }

func newChains(dir string) *chains {
	return &chains{spans: map[int64]span{}, rows: &rowFile[link]{
		dir: dir, size: 9, at: -1,
		encode: func(b []byte, l *link) {
			binary.LittleEndian.PutUint64(b, uint64(l.id)) //nolint:gosec // a bit pattern
			b[8] = l.pass
		},
		decode: func(b []byte) link {
			return link{int64(binary.LittleEndian.Uint64(b)), b[8]} //nolint:gosec // a bit pattern
		},
	}}
}

// close frees the file; a nil chains has none.
func (c *chains) close() {
	if c != nil {
		c.rows.close()
	}
}

// add keeps the assignment of a snapshot.
func (c *chains) add(seq int64, as *assignment) error {
	c.spans[seq] = span{c.rows.Len(), len(as.ids)}
	for i, id := range as.ids {
		if err := c.rows.add(link{id, as.pass[i]}); err != nil {
			return err
		}
	}
	return nil
}

// of gives the assignment of a snapshot, nil if it is not among them.
func (c *chains) of(seq int64) (*assignment, error) {
	s, ok := c.spans[seq]
	if !ok {
		return nil, nil
	}
	as := &assignment{ids: make([]int64, 0, s.n), pass: make([]uint8, 0, s.n), matched: c.matched}
	err := c.rows.each(s.first, s.n, func(_ int32, l *link) error {
		as.ids, as.pass = append(as.ids, c.name(l.id)), append(as.pass, l.pass)
		return nil
	})
	return as, err
}

// one gives the finding of one observation.
func (c *chains) one(seq, i int64) (id int64, ok bool, err error) {
	s, ok := c.spans[seq]
	if !ok || i < 0 || i >= int64(s.n) {
		return 0, false, nil
	}
	l, err := c.rows.Get(int32(int64(s.first) + i)) //nolint:gosec // the sum of what a fold takes
	return c.name(l.id), err == nil, err
}

func (c *chains) name(id int64) int64 {
	if name, ok := c.names[id]; ok {
		return name
	}
	return id
}
