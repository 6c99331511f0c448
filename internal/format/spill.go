package format

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
)

// spill keeps byte records: in memory while they are few, then in an encrypted
// temporary file.
type spill struct {
	dir  string
	mem  []byte
	file *Spool
	size int64
}

const spillMemory = 8 << 20

// add stores b and returns where it is.
func (s *spill) add(b []byte) (int64, error) {
	at := s.size
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(len(b)))
	s.size += int64(n + len(b))
	if s.file == nil && len(s.mem)+n+len(b) <= spillMemory {
		s.mem = append(append(s.mem, head[:n]...), b...)
		return at, nil
	}
	if s.file == nil {
		f, err := NewSpool(s.dir, 0)
		if err != nil {
			return 0, err
		}
		s.file = f
		if _, err := f.Write(s.mem); err != nil {
			return 0, err
		}
		s.mem = nil
	}
	if _, err := s.file.Write(head[:n]); err != nil {
		return 0, err
	}
	_, err := s.file.Write(b)
	return at, err
}

// get reads the record at a place that add returned.
func (s *spill) get(at int64) ([]byte, error) {
	if s.file == nil {
		n, w := binary.Uvarint(s.mem[at:])
		from := at + int64(w)
		return s.mem[from : from+int64(n)], nil //nolint:gosec // a length that add wrote
	}
	var head [binary.MaxVarintLen64]byte
	if _, err := s.file.ReadAt(head[:min(int64(len(head)), s.size-at)], at); err != nil {
		return nil, fmt.Errorf("read temporary file: %w", err)
	}
	n, w := binary.Uvarint(head[:])
	b := make([]byte, n)
	if _, err := s.file.ReadAt(b, at+int64(w)); err != nil {
		return nil, fmt.Errorf("read temporary file: %w", err)
	}
	return b, nil
}

func (s *spill) close() error {
	s.mem = nil
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// tables are the lookup tables of one parse. Records are JSON text, decoded when
// asked for; recently used ones stay decoded.
type tables struct {
	mu     sync.Mutex
	seed   maphash.Seed
	byName map[string]map[uint64]int64 // hash of the key -> newest record
	store  spill
	count  int
	limits Limits
	cache  map[uint64]any
	cost   int
}

const (
	maxTableEntries = 2_000_000
	tableCacheBytes = 16 << 20
)

func newTables(dir string, limits Limits) *tables {
	return &tables{seed: maphash.MakeSeed(), byName: map[string]map[uint64]int64{}, store: spill{dir: dir}, limits: limits, cache: map[uint64]any{}}
}

func (t *tables) hash(name, key string) uint64 {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.WriteString(name)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(key)
	return h.Sum64()
}

// put adds an element under a key. The first element with a key wins.
func (t *tables) put(name, key string, text []byte) error {
	m := t.byName[name]
	if m == nil {
		m = map[uint64]int64{}
		t.byName[name] = m
	}
	h := t.hash(name, key)
	if _, ok := m[h]; ok {
		return nil
	}
	if t.count++; t.count > maxTableEntries {
		return tooLarge("", "the lookup tables of the report have more than %d entries", maxTableEntries).Hint("split the report")
	}
	rec := binary.AppendUvarint(nil, uint64(len(key)))
	rec = append(rec, key...)
	at, err := t.store.add(append(rec, text...))
	if err != nil {
		return err
	}
	m[h] = at
	return nil
}

// get returns the element under key, or nil.
func (t *tables) get(name, key string) (any, error) {
	h := t.hash(name, key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok := t.cache[h]; ok {
		return v, nil
	}
	at, ok := t.byName[name][h]
	if !ok {
		return nil, nil
	}
	rec, err := t.store.get(at)
	if err != nil {
		return nil, err
	}
	n, w := binary.Uvarint(rec)
	rec = rec[w:]
	if string(rec[:n]) != key {
		return nil, nil // another key with the same hash
	}
	d := decoder{limits: t.limits}
	v, err := d.decode(rec[n:])
	if err != nil {
		return nil, fmt.Errorf("read lookup table %s: %w", name, err)
	}
	cost := t.limits.Tree - d.budget
	if t.cost += cost; t.cost > tableCacheBytes {
		clear(t.cache)
		t.cost = cost
	}
	t.cache[h] = v
	return v, nil
}

// maxKeys bounds what keys gives: a scope of a coverage has at most twice as many.
const maxKeys = 100_000

// keys lists the keys of a table, in the order in which they first came.
func (t *tables) keys(name string) ([]any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := slices.Sorted(maps.Values(t.byName[name]))
	out := make([]any, 0, min(len(places), maxKeys))
	for _, at := range places[:min(len(places), maxKeys)] {
		rec, err := t.store.get(at)
		if err != nil {
			return nil, err
		}
		n, w := binary.Uvarint(rec)
		out = append(out, string(rec[w:w+int(n)])) //nolint:gosec // a length that put wrote
	}
	return out, nil
}

func (t *tables) close() error { return t.store.close() }
