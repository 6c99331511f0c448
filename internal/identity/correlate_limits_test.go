package identity

import (
	"fmt"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestCorrelateIsBounded: where everything looks alike nothing is compared without
// end, and what people joined is joined all the same (TRU4).
func TestCorrelateIsBounded(t *testing.T) {
	t.Parallel()
	var block []Sighting
	for i := range 12_000 { // twelve weaknesses, a thousand findings of each on one line
		cwe := []int{22, 78, 79, 89, 94, 117, 287, 295, 327, 338, 352, 502}[i%12]
		block = append(block, Sighting{
			ID: int64(i + 1), Family: int64(i / 12 % 2), Stream: fmt.Sprint(i / 12 % 2), Class: sinew.ClassCode, Tool: fmt.Sprint("tool", i/12%2),
			Rule: "r", CWE: []int{cwe}, File: "app.min.js", Line: 1,
		})
	}
	links := &Links{Same: map[[2]int64]bool{LinkPair(1, 25): true}}
	if got := Correlate(block, nil, links); len(got) != 1 || got[0].Joins[0].Rule != JoinHand {
		t.Errorf("%d clusters", len(got))
	}
	if got := Correlate(block[:24], nil, nil); len(got) == 0 {
		t.Error("a small block has no cluster")
	}
}
