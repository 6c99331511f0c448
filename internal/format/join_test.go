package format

import (
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestJoinStreams: files of one archive are one report if nothing that they tell
// about its stream contradicts.
func TestJoinStreams(t *testing.T) {
	type stream = sinew.Stream
	for _, tt := range []struct {
		name       string
		a, b, want stream
		ok         bool
	}{
		{"two pages", stream{Tool: "t", Target: "shop", Label: "issues"}, stream{Tool: "t", Target: "shop", Label: "issues"}, stream{Tool: "t", Target: "shop", Label: "issues"}, true},
		{"an empty page", stream{Tool: "t", Label: "issues"}, stream{Tool: "t", Target: "shop", Ref: "main", Label: "issues"}, stream{Tool: "t", Target: "shop", Ref: "main", Label: "issues"}, true},
		{"two kinds", stream{Tool: "t", Target: "shop", Label: "issues"}, stream{Tool: "t", Target: "shop", Label: "hotspots"}, stream{Tool: "t", Target: "shop", Label: "hotspots+issues"}, true},
		{"a kind again", stream{Tool: "t", Target: "shop", Label: "hotspots+issues"}, stream{Tool: "t", Target: "shop", Label: "issues"}, stream{Tool: "t", Target: "shop", Label: "hotspots+issues"}, true},
		{"two targets", stream{Tool: "t", Target: "shop"}, stream{Tool: "t", Target: "bank"}, stream{}, false},
		{"two branches", stream{Tool: "t", Target: "shop", Ref: "main"}, stream{Tool: "t", Target: "shop", Ref: "dev"}, stream{}, false},
		{"two tools", stream{Tool: "t"}, stream{Tool: "u"}, stream{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, swapped := range []bool{false, true} {
				a, b := tt.a, tt.b
				if swapped {
					a, b = b, a
				}
				got, ok := joinStreams(a, b)
				if ok != tt.ok || ok && got != tt.want {
					t.Errorf("%+v and %+v give %+v, %v; want %+v, %v", a, b, got, ok, tt.want, tt.ok)
				}
			}
		})
	}
}
