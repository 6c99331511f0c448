package identity

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Item is a snapshot, or another dated event, of one family.
type Item struct {
	At        int64    // effective time, microseconds
	Event     bool     // not a snapshot but a ref event, deployment or end: after snapshots of the same time
	Stream    string   // what tells the streams of the family apart: the ref
	Commit    string   // that was scanned, if known
	Ancestors []string // commits that Commit descends from
	Digest    [32]byte // of the body
	Meta      int64    // [MetaHash]: what else makes a difference
	Seq       int64    // log entry: decides only between items that are equal in all else
}

// MetaHash is a hash of what the uploader says of s and the body does not hold, so
// that the order of two snapshots with one body does not depend on their arrival.
func MetaHash(s *sinew.Snapshot) int64 {
	var stack [512]byte
	b := stack[:0]
	c := &s.Coverage
	for _, v := range [...]string{
		string(s.Mode), s.Commit, s.Digest, s.Environment, s.Deployment, s.Base, s.Application, s.Service,
		string(c.Status), string(c.Basis),
	} {
		b = appendString(b, v)
	}
	for _, d := range [...]sinew.Scope{c.Rules, c.Paths, c.Hosts} {
		if d.All {
			b = append(b, '*')
		}
		b = appendStrings(appendStrings(b, d.Include), d.Exclude)
	}
	b = appendStrings(b, s.Ancestors)
	return int64(hash64(b)) //nolint:gosec // a bit pattern, not a quantity
}

func compareItems(a, b *Item) int {
	event := func(i *Item) int {
		if i.Event {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(a.At, b.At), event(a)-event(b), bytes.Compare(a.Digest[:], b.Digest[:]),
		cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Commit, b.Commit), cmp.Compare(a.Meta, b.Meta),
		cmp.Compare(a.Seq, b.Seq))
}

// commitNode is all items of one commit in one stream.
type commitNode struct {
	items       []int // indices into the sorted items
	descendants []int // commit nodes that must wait
	waitsFor    int
	left        int // items not yet placed
}

// Order returns the indices of items in fold order: ancestors before descendants
// within a stream, then by effective time, then by digest. The order is a function
// of the set: however items are permuted, the same item comes at the same place.
// Ancestries that contradict each other (a cycle) are not believed: there time decides.
func Order(items []Item) []int {
	sorted := make([]int, len(items))
	for i := range sorted {
		sorted[i] = i
	}
	slices.SortFunc(sorted, func(a, b int) int { return compareItems(&items[a], &items[b]) })

	nodes, nodeOf := commitNodes(items, sorted)
	var ready intHeap // positions in sorted
	release := func(n int) {
		for _, pos := range nodes[n].items {
			ready.push(pos)
		}
	}
	for n := range nodes {
		if nodes[n].waitsFor == 0 {
			release(n)
		}
	}
	for pos, n := range nodeOf {
		if n < 0 {
			ready.push(pos)
		}
	}
	out := make([]int, 0, len(items))
	for len(ready) > 0 {
		pos := ready.pop()
		out = append(out, sorted[pos])
		n := nodeOf[pos]
		if n < 0 {
			continue
		}
		if nodes[n].left--; nodes[n].left > 0 {
			continue
		}
		for _, d := range nodes[n].descendants {
			if nodes[d].waitsFor--; nodes[d].waitsFor == 0 {
				release(d)
			}
		}
	}
	return out
}

// commitNodes groups items by (stream, commit) and links ancestors to descendants.
// nodeOf tells the node of the item at each position of sorted, -1 for none.
func commitNodes(items []Item, sorted []int) (nodes []commitNode, nodeOf []int) {
	type key struct{ stream, commit string }
	byCommit := map[key]int{}
	nodeOf = make([]int, len(sorted))
	for pos, i := range sorted {
		nodeOf[pos] = -1
		it := &items[i]
		if it.Commit == "" || it.Event {
			continue
		}
		k := key{it.Stream, it.Commit}
		n, ok := byCommit[k]
		if !ok {
			n = len(nodes)
			byCommit[k] = n
			nodes = append(nodes, commitNode{})
		}
		nodes[n].items = append(nodes[n].items, pos)
		nodes[n].left++
		nodeOf[pos] = n
	}
	linked := make([]int, len(nodes)) // last descendant linked, + 1: no edge twice
	for n := range nodes {
		for _, pos := range nodes[n].items {
			it := &items[sorted[pos]]
			for _, a := range it.Ancestors {
				if from, ok := byCommit[key{it.Stream, a}]; ok && from != n && linked[from] != n+1 {
					linked[from] = n + 1
					nodes[from].descendants = append(nodes[from].descendants, n)
				}
			}
		}
	}
	cycle := cycles(nodes)
	for n := range nodes {
		nodes[n].descendants = slices.DeleteFunc(nodes[n].descendants, func(d int) bool { return cycle[d] == cycle[n] })
		for _, d := range nodes[n].descendants {
			nodes[d].waitsFor++
		}
	}
	return nodes, nodeOf
}

// cycles numbers the nodes so that those that are ancestors of each other have one
// number: the strongly connected components, by Tarjan's algorithm.
func cycles(nodes []commitNode) []int {
	component, low, index := make([]int, len(nodes)), make([]int, len(nodes)), make([]int, len(nodes))
	var stack []int
	visited, components := 0, 0
	var visit func(n int)
	visit = func(n int) {
		visited++
		index[n], low[n] = visited, visited
		stack = append(stack, n)
		for _, d := range nodes[n].descendants {
			switch {
			case index[d] == 0:
				visit(d)
				low[n] = min(low[n], low[d])
			case component[d] == 0: // still on the stack
				low[n] = min(low[n], index[d])
			}
		}
		if low[n] < index[n] {
			return
		}
		components++
		for {
			d := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			component[d] = components
			if d == n {
				return
			}
		}
	}
	for n := range nodes {
		if index[n] == 0 {
			visit(n)
		}
	}
	return component
}

// intHeap is a binary heap, the smallest first.
type intHeap []int

func (h *intHeap) push(v int) {
	*h = append(*h, v)
	s := *h
	for i := len(s) - 1; i > 0; {
		up := (i - 1) / 2
		if s[up] <= s[i] {
			return
		}
		s[i], s[up] = s[up], s[i]
		i = up
	}
}

func (h *intHeap) pop() int {
	s := *h
	top := s[0]
	n := len(s) - 1
	s[0] = s[n]
	s = s[:n]
	*h = s
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return top
		}
		if c+1 < n && s[c+1] < s[c] {
			c++
		}
		if s[i] <= s[c] {
			return top
		}
		s[i], s[c] = s[c], s[i]
		i = c
	}
}
