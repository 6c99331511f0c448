package store

import (
	"bytes"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive is the definition of RFC 6962.
func naive(leaves [][32]byte) [32]byte {
	switch len(leaves) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return nodeHash(naive(leaves[:k]), naive(leaves[k:]))
}

func TestMerkle(t *testing.T) {
	var leaves [][32]byte
	m := merkle{keep: true}
	for n := range 3*pageRows + 5 {
		if got, want := m.root(), naive(leaves); got != want {
			t.Fatalf("root of %d leaves is %x, want %x", n, got, want)
		}
		leaf := leafHash(binary.BigEndian.AppendUint64(nil, uint64(n)))
		leaves = append(leaves, leaf)
		m.add(leaf)
	}
	if len(m.pages) != 3 || m.pages[1] != naive(leaves[pageRows:2*pageRows]) {
		t.Errorf("%d pages", len(m.pages))
	}
	// The first test vector of RFC 6962's authors: a tree of the empty leaf.
	m = merkle{}
	m.add(leafHash(nil))
	root := m.root()
	if got := hex.EncodeToString(root[:]); got != "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" {
		t.Errorf("root %s", got)
	}
}

func TestLeafSorter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, tc := range []struct{ n, limit int }{{0, 10}, {5, 10}, {10, 10}, {100, 10}, {105, 10}, {1000, 7}, {50, 0}} {
		s := &leafSorter{limit: tc.limit}
		var want [][32]byte
		for range tc.n {
			var leaf [32]byte
			leaf[0], leaf[31] = byte(rng.IntN(4)), byte(rng.IntN(256)) // with equals
			want = append(want, leaf)
			if err := s.add(leaf); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, func(a, b [32]byte) int { return bytes.Compare(a[:], b[:]) })
		var got [][32]byte
		if err := s.each(func(leaf [32]byte) { got = append(got, leaf) }); err != nil {
			t.Fatal(err)
		}
		s.close()
		if !slices.Equal(got, want) {
			t.Errorf("%d leaves, %d in memory: not in order", tc.n, tc.limit)
		}
		if tc.limit > 0 && len(s.runs) != tc.n/tc.limit {
			t.Errorf("%d leaves, %d in memory: %d runs", tc.n, tc.limit, len(s.runs))
		}
	}
}

// TestRowsNeverLookAlike: values that only their borders tell apart give other
// rows.
func TestRowsNeverLookAlike(t *testing.T) {
	seen := map[string]int{}
	for i, row := range [][]any{
		{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {[]byte("abc")}, {int64(0)}, {"\x00\x00\x00\x00\x00\x00\x00\x00"}, {"i", int64(1)}, {int64(1), "i"},
	} {
		values := make([]any, len(row))
		copy(values, row)
		b, err := appendRow(nil, "t", toDriver(values))
		if err != nil {
			t.Fatal(err)
		}
		if j, ok := seen[string(b)]; ok {
			t.Errorf("rows %d and %d are encoded alike", i, j)
		}
		seen[string(b)] = i
	}
	if _, err := appendRow(nil, "t", toDriver([]any{nil})); err == nil {
		t.Error("a null passes")
	}
}

func toDriver(values []any) []driver.Value {
	out := make([]driver.Value, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
