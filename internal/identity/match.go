package identity

import (
	"cmp"
	"slices"
)

// Prior is one presence as matching sees it: 64 bytes without pointers.
type Prior struct {
	// ID names the finding, at most once, and decides where nothing else does, the
	// lower first. It must order findings as the fold does: by the place of their first
	// observation in [Order], then by its ordinal. Birth coordinates do so only while
	// snapshots arrive in that order; with them a re-folded family ends otherwise than
	// one that arrived in order.
	ID     int64
	Keys        // of its newest observation
	Closed bool // fixed or gone: recognised only after those that are not, in each pass
}

// Pair says what an observation was recognised as.
type Pair struct {
	Prior int32 // index into the priors, -1 for a new finding
	Pass  Pass
}

// nearLines is how far a finding may move within its file when nothing but rule and
// file agree and the counts differ.
const nearLines = 50

// Match pairs the observations of a snapshot with the presences of its place, one to
// one. Passes are tried from strongest to weakest; what a pass recognises is out of
// the later ones. Where several agree in a pass, those that are still there come
// before closed ones, then those that agree in the weaker keys, then those in order
// of lines if both sides have as many, else the nearest lines. An id of a tool that
// several have is no id: there only those pair that agree in something else as well.
// The result does not depend on the order of either side.
//
// It returns one pair for each of next. See [MatchRows] for many of them.
func Match(prior []Prior, next []Keys) []Pair {
	pairs := NewPairs(len(next))
	_, _ = MatchRows(Slice[Prior](prior), Slice[Keys](next), pairs) // slices do not fail
	return pairs
}

// MatchSiblings is the second round, for refs of one family: what [Match] left new
// is compared with one presence of each finding that the snapshot did not show yet,
// the one that makes its headline, where that is in another place. Pairs found here
// index siblings and carry [PassSibling]; the other pairs are left alone. It returns
// how many were found.
func MatchSiblings(siblings []Prior, next []Keys, pairs []Pair) int {
	n, _ := MatchSiblingRows(Slice[Prior](siblings), Slice[Keys](next), pairs) // likewise
	return n
}

// The levels of agreement after PassUnchanged.
const (
	levelTool = iota
	levelContent
	levelPlace
	levelMoved
	levelNear
	levels
)

func (k *Keys) level(n int) int64 {
	switch n {
	case levelTool:
		return k.Tool
	case levelContent:
		return k.Content
	case levelPlace:
		return k.Place
	case levelMoved:
		return k.Moved
	}
	return k.Near
}

// unchanged is a key of everything: 0 never agrees.
func (k *Keys) unchanged() int64 {
	h := (uint64(k.Text) | uint64(uint32(k.Line))<<32) * 0x9e3779b97f4a7c15 //nolint:gosec // a bit pattern
	h ^= h >> 29
	for n := range levels {
		h = (h ^ uint64(k.level(n))) * 0x9e3779b97f4a7c15 //nolint:gosec // a bit pattern
		h ^= h >> 29
	}
	if h == 0 || k.Text == 0 {
		return 0
	}
	return int64(h) //nolint:gosec // a bit pattern
}

// matcher pairs the rows of one group: those whose keys in a pass are equal. What it
// tells is in indices into prior and next.
type matcher struct {
	prior []Prior
	next  []Keys
	pairs []Pair
	used  []bool // by prior
}

func passOfLevel(level int) Pass { return PassTool + Pass(level) } //nolint:gosec // -1 to 4: PassUnchanged to PassNear

func (m *matcher) pair(p, q int32, pass Pass) {
	m.pairs[q] = Pair{Prior: p, Pass: pass}
	m.used[p] = true
}

// group pairs rows that agree in pass, and returns those of q that are left over.
func (m *matcher) group(p, q []int32, level int, pass Pass) []int32 {
	if len(p) == 0 || len(q) == 0 {
		return q
	}
	byID := level == levelTool
	if byID || level > levelTool && (len(p) > 1 || len(q) > 1) {
		p, q = m.agreeing(p, q, levels, pass, byID) // the same text
		for weaker := level + 1; weaker < levels && len(p) > 0 && len(q) > 0; weaker++ {
			p, q = m.agreeing(p, q, weaker, pass, byID)
		}
	}
	if len(p) > 0 && len(q) > 0 && !byID {
		q = m.lines(p, q, pass)
	}
	return q
}

// agreeing pairs, within a group, those that agree in one more key as well; level
// levels stands for the text. Where all have one key it pairs only if need be: the
// caller does the same.
func (m *matcher) agreeing(p, q []int32, level int, pass Pass, need bool) (pLeft, qLeft []int32) {
	key := func(k *Keys) int64 {
		if level == levels {
			return int64(k.Text)
		}
		return k.level(level)
	}
	pKey := func(row int32) int64 { return key(&m.prior[row].Keys) }
	qKey := func(row int32) int64 { return key(&m.next[row]) }
	slices.SortFunc(p, func(a, b int32) int { return cmp.Compare(pKey(a), pKey(b)) })
	slices.SortFunc(q, func(a, b int32) int { return cmp.Compare(qKey(a), qKey(b)) })
	if !need && pKey(p[0]) == pKey(p[len(p)-1]) && qKey(q[0]) == qKey(q[len(q)-1]) {
		return p, q // says nothing that the group does not
	}
	for i, j := 0, 0; i < len(p) && j < len(q); {
		pk, qk := pKey(p[i]), qKey(q[j])
		switch {
		case pk < qk:
			i++
		case pk > qk:
			j++
		default:
			i2, j2 := i+1, j+1
			for i2 < len(p) && pKey(p[i2]) == pk {
				i2++
			}
			for j2 < len(q) && qKey(q[j2]) == qk {
				j2++
			}
			if pk != 0 {
				if level == levels {
					m.lines(p[i:i2], q[j:j2], pass)
				} else {
					m.group(p[i:i2], q[j:j2], level, pass)
				}
			}
			i, j = i2, j2
		}
	}
	return m.left(p, q)
}

// left moves the rows that found a partner behind the others and cuts them off. It
// loses none: p and q are parts of slices that are still being worked on.
func (m *matcher) left(p, q []int32) (pLeft, qLeft []int32) {
	i, j := 0, 0
	for at, row := range p {
		if !m.used[row] {
			p[i], p[at] = p[at], p[i]
			i++
		}
	}
	for at, row := range q {
		if m.pairs[row].Prior < 0 {
			q[j], q[at] = q[at], q[j]
			j++
		}
	}
	return p[:i], q[:j]
}

// lines pairs rows that nothing but their lines tells apart.
func (m *matcher) lines(p, q []int32, pass Pass) []int32 {
	m.sortRows(p, q)
	near := pass.Base() == PassNear
	if len(p) == len(q) && (!near || m.untold(p, q)) {
		for i := range p {
			m.pair(p[i], q[i], pass)
		}
		return nil
	}
	for i, j := 0, 0; i < len(p) && j < len(q); {
		switch a, b := m.prior[p[i]].Line, m.next[q[j]].Line; {
		case a < b:
			i++
		case a > b:
			j++
		default:
			m.pair(p[i], q[j], pass)
			i, j = i+1, j+1
		}
	}
	p, q = m.left(p, q)
	if len(p) > 0 && len(q) > 0 {
		m.sortRows(p, q)
		m.nearest(p, q, pass, near)
		_, q = m.left(p, q)
	}
	return q
}

// sortRows puts both sides into the order that nothing outside them can change.
func (m *matcher) sortRows(p, q []int32) {
	slices.SortFunc(p, func(a, b int32) int {
		x, y := &m.prior[a], &m.prior[b]
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.ID, y.ID))
	})
	slices.SortFunc(q, func(a, b int32) int {
		x, y := &m.next[a], &m.next[b]
		return cmp.Or(cmp.Compare(x.Line, y.Line), cmp.Compare(x.Tool, y.Tool), cmp.Compare(x.Content, y.Content),
			cmp.Compare(x.Place, y.Place), cmp.Compare(x.Moved, y.Moved), cmp.Compare(x.Near, y.Near),
			cmp.Compare(x.Text, y.Text), cmp.Compare(a, b))
	})
}

// untold reports whether one of the sides tells no content. Where both tell theirs
// and they differ, equal counts are no evidence that they are the same findings.
func (m *matcher) untold(p, q []int32) bool {
	pTold := slices.ContainsFunc(p, func(row int32) bool { return m.prior[row].Content != 0 })
	qTold := slices.ContainsFunc(q, func(row int32) bool { return m.next[row].Content != 0 })
	return !pTold || !qTold
}

// gap is two neighbours of different sides in the order of lines.
type gap struct {
	lines int32
	left  int32 // position of the left one
	right int32
}

// nearest pairs the two that are nearest, again and again. In a line the nearest two
// of different sides are always neighbours, so a heap of neighbours is enough.
func (m *matcher) nearest(p, q []int32, pass Pass, near bool) {
	n := len(p) + len(q)
	rows := make([]int32, 0, n) // both sides by line, priors first; ^row for those of q
	for i, j := 0, 0; i < len(p) || j < len(q); {
		if j == len(q) || i < len(p) && m.prior[p[i]].Line <= m.next[q[j]].Line {
			rows = append(rows, p[i])
			i++
		} else {
			rows = append(rows, ^q[j])
			j++
		}
	}
	line := func(at int32) int32 {
		if r := rows[at]; r < 0 {
			return m.next[^r].Line
		}
		return m.prior[rows[at]].Line
	}
	before, after := make([]int32, n), make([]int32, n)
	for i := range rows {
		before[i], after[i] = int32(i)-1, int32(i)+1
	}
	var gaps gapHeap
	add := func(a, b int32) {
		if a < 0 || int(b) >= n || (rows[a] < 0) == (rows[b] < 0) {
			return
		}
		d := line(b) - line(a)
		if near && d != 0 && (d > nearLines || line(a) == 0) {
			return
		}
		gaps.push(gap{d, a, b})
	}
	for i := range n - 1 {
		add(int32(i), int32(i)+1)
	}
	done := make([]bool, n)
	for len(gaps) > 0 {
		g := gaps.pop()
		if done[g.left] || done[g.right] {
			continue
		}
		done[g.left], done[g.right] = true, true
		if rows[g.left] < 0 {
			m.pair(rows[g.right], ^rows[g.left], pass)
		} else {
			m.pair(rows[g.left], ^rows[g.right], pass)
		}
		a, b := before[g.left], after[g.right]
		if a >= 0 {
			after[a] = b
		}
		if int(b) < n {
			before[b] = a
		}
		add(a, b)
	}
}

// gapHeap is a binary heap: the smallest gap first, then the one further left.
type gapHeap []gap

func (h gapHeap) less(i, j int) bool {
	a, b := h[i], h[j]
	return a.lines < b.lines || a.lines == b.lines && (a.left < b.left || a.left == b.left && a.right < b.right)
}

func (h *gapHeap) push(g gap) {
	*h = append(*h, g)
	for i := len(*h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(i, up) {
			return
		}
		(*h)[i], (*h)[up] = (*h)[up], (*h)[i]
		i = up
	}
}

func (h *gapHeap) pop() gap {
	top := (*h)[0]
	n := len(*h) - 1
	(*h)[0] = (*h)[n]
	*h = (*h)[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return top
		}
		if c+1 < n && h.less(c+1, c) {
			c++
		}
		if !h.less(c, i) {
			return top
		}
		(*h)[i], (*h)[c] = (*h)[c], (*h)[i]
		i = c
	}
}
