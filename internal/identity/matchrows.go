package identity

import (
	"cmp"
	"slices"
)

// Rows is one side of a match. The rows may lie anywhere: each is asked for in order
// a few times for each pass, and alone only where keys do not tell it from others.
type Rows[T any] interface {
	Len() int
	// Each calls fn with every row in order until fn fails, and gives that error or
	// its own. A row is fn's until it returns.
	Each(fn func(i int32, row *T) error) error
	Get(i int32) (T, error)
}

// Slice is rows in memory.
type Slice[T any] []T

// Len is the number of rows.
func (s Slice[T]) Len() int { return len(s) }

// Each calls fn with every row.
func (s Slice[T]) Each(fn func(i int32, row *T) error) error {
	for i := range s {
		if err := fn(int32(i), &s[i]); err != nil {
			return err
		}
	}
	return nil
}

// Get gives one row.
func (s Slice[T]) Get(i int32) (T, error) { return s[i], nil }

// NewPairs is the pairs of n observations of which nothing is recognised yet.
func NewPairs(n int) []Pair {
	pairs := make([]Pair, n)
	for i := range pairs {
		pairs[i].Prior = -1
	}
	return pairs
}

// MatchRows is [Match] of rows that need not be in memory. Beside pairs it holds one
// byte for each prior, 16 bytes for each row that looks for a partner, but of no more
// than a quarter of a million on each side at a time, and 140 bytes for each row of the
// largest group of rows that only their lines or weaker keys tell apart. It fails
// only when the rows do, and reports how many pairs it found.
func MatchRows(prior Rows[Prior], next Rows[Keys], pairs []Pair) (int, error) {
	return newJoiner(prior, next, pairs, 0).run()
}

// MatchSiblingRows is [MatchSiblings] of rows that need not be in memory.
func MatchSiblingRows(siblings Rows[Prior], next Rows[Keys], pairs []Pair) (int, error) {
	return newJoiner(siblings, next, pairs, PassSibling).run()
}

// joiner finds the groups of each pass.
type joiner struct {
	prior Rows[Prior]
	next  Rows[Keys]
	pairs []Pair
	used  []bool // by prior
	mark  Pass
	found int

	p, q   []entry // looking for a partner in the part at hand
	group  matcher
	ps, qs []int32 // scratch: rows of a group, by their indices in group
	pr, qr []int32 // the group's rows by their indices on either side
	limit  int     // entries on a side; tests make it small
}

// maxEntries is how many rows of a side look for their partners at a time. More are
// taken in parts: a group is always in one part.
const maxEntries = 1 << 18

// entry is a row that still looks for a partner, under its key in the pass at hand.
type entry struct {
	key int64
	row int32
}

func newJoiner(prior Rows[Prior], next Rows[Keys], pairs []Pair, mark Pass) *joiner {
	return &joiner{prior: prior, next: next, pairs: pairs, mark: mark, used: make([]bool, prior.Len()), limit: maxEntries}
}

func (j *joiner) run() (int, error) {
	if j.prior.Len() == 0 || j.next.Len() == 0 {
		return 0, nil
	}
	pn, err := j.count(true)
	if err != nil {
		return 0, err
	}
	qn, err := j.count(false)
	if err != nil {
		return 0, err
	}
	for level := -1; level < levels; level++ {
		n, m := pn[level+1], qn[level+1]
		if n == 0 || m == 0 {
			continue
		}
		parts := uint64((max(n, m) + j.limit - 1) / j.limit) //nolint:gosec // counts
		for part := range parts {
			if err := j.pass(level, part, parts); err != nil {
				return j.found, err
			}
		}
	}
	return j.found, nil
}

// count says how many rows of a side have a key, for each level.
func (j *joiner) count(prior bool) (n [levels + 1]int, err error) {
	add := func(k *Keys) {
		for level := -1; level < levels; level++ {
			if keyOf(k, level) != 0 {
				n[level+1]++
			}
		}
	}
	if prior {
		err = j.prior.Each(func(_ int32, p *Prior) error { add(&p.Keys); return nil })
	} else {
		err = j.next.Each(func(i int32, k *Keys) error {
			if j.pairs[i].Prior < 0 {
				add(k)
			}
			return nil
		})
	}
	return n, err
}

func keyOf(k *Keys, level int) int64 {
	if level < 0 {
		return k.unchanged()
	}
	return k.level(level)
}

// partOf spreads keys over parts.
func partOf(key int64, parts uint64) uint64 {
	return uint64(key) * 0x9e3779b97f4a7c15 >> 32 % parts //nolint:gosec // a bit pattern
}

// pass pairs what agrees at a level, of one part of the keys.
func (j *joiner) pass(level int, part, parts uint64) error {
	j.p, j.q = j.p[:0], j.q[:0]
	err := j.next.Each(func(i int32, k *Keys) error {
		if j.pairs[i].Prior < 0 {
			if key := keyOf(k, level); key != 0 && partOf(key, parts) == part {
				j.q = append(j.q, entry{key, i})
			}
		}
		return nil
	})
	if err != nil || len(j.q) == 0 {
		return err
	}
	err = j.prior.Each(func(i int32, p *Prior) error {
		if !j.used[i] && (level >= 0 || !p.Closed) {
			if key := keyOf(&p.Keys, level); key != 0 && partOf(key, parts) == part {
				j.p = append(j.p, entry{key, i})
			}
		}
		return nil
	})
	if err != nil || len(j.p) == 0 {
		return err
	}
	return j.join(level)
}

// join pairs within each group of equal keys.
func (j *joiner) join(level int) error {
	byKey := func(a, b entry) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.row, b.row)) }
	slices.SortFunc(j.p, byKey)
	slices.SortFunc(j.q, byKey)
	pass := passOfLevel(level)
	p, q := j.p, j.q
	for len(p) > 0 && len(q) > 0 {
		if p[0].key != q[0].key {
			if p[0].key < q[0].key {
				p = p[1:]
			} else {
				q = q[1:]
			}
			continue
		}
		n, m := sameKey(p), sameKey(q)
		if n == 1 && m == 1 && level != levelNear {
			j.pair(p[0].row, q[0].row, pass)
		} else if err := j.pairGroup(p[:n], q[:m], level, pass); err != nil {
			return err
		}
		p, q = p[n:], q[m:]
	}
	return nil
}

// sameKey is how many entries have the key of the first.
func sameKey(list []entry) int {
	n := 1
	for n < len(list) && list[n].key == list[0].key {
		n++
	}
	return n
}

func (j *joiner) pair(p, q int32, pass Pass) {
	j.pairs[q] = Pair{Prior: p, Pass: pass | j.mark}
	j.used[p] = true
	j.found++
}

// pairGroup pairs the rows of one group, those that are still there first.
func (j *joiner) pairGroup(p, q []entry, level int, pass Pass) error {
	g := &j.group
	g.prior, g.next, g.pairs, g.used = g.prior[:0], g.next[:0], g.pairs[:0], g.used[:0]
	j.pr, j.qr, j.qs = j.pr[:0], j.qr[:0], j.qs[:0]
	for _, e := range p {
		row, err := j.prior.Get(e.row)
		if err != nil {
			return err
		}
		g.prior, g.used, j.pr = append(g.prior, row), append(g.used, false), append(j.pr, e.row)
	}
	for i, e := range q {
		row, err := j.next.Get(e.row)
		if err != nil {
			return err
		}
		g.next, g.pairs, j.qr = append(g.next, row), append(g.pairs, Pair{Prior: -1}), append(j.qr, e.row)
		j.qs = append(j.qs, int32(i))
	}
	qs := j.qs
	for _, closed := range [...]bool{false, true} {
		j.ps = j.ps[:0]
		for i := range g.prior {
			if g.prior[i].Closed == closed {
				j.ps = append(j.ps, int32(i))
			}
		}
		qs = g.group(j.ps, qs, level, pass)
	}
	for i, pair := range g.pairs {
		if pair.Prior >= 0 {
			j.pair(j.pr[pair.Prior], j.qr[i], pair.Pass)
		}
	}
	return nil
}
