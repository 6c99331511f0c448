package identity

import (
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// GRA14
func TestPlaceKind(t *testing.T) {
	own := RefRules{Default: []string{"develop"}, Release: []string{"ship/*"}}
	tests := []struct {
		ref   string
		rules RefRules
		name  string
		want  sinew.PlaceKind
	}{
		{"", RefRules{}, "", sinew.PlaceDefault},
		{"main", RefRules{}, "main", sinew.PlaceDefault},
		{"refs/heads/master", RefRules{}, "master", sinew.PlaceDefault},
		{"refs/remotes/origin/main", RefRules{}, "main", sinew.PlaceDefault},
		{"origin/main", RefRules{}, "main", sinew.PlaceDefault},
		{"latest", RefRules{}, "latest", sinew.PlaceDefault},
		{"refs/tags/v1.2.3", RefRules{}, "v1.2.3", sinew.PlaceRelease},
		{"1.2.3-rc.1", RefRules{}, "1.2.3-rc.1", sinew.PlaceRelease},
		{"3.19-slim", RefRules{}, "3.19-slim", sinew.PlaceRelease},
		{"v2", RefRules{}, "v2", sinew.PlaceRelease},
		{"2024.04", RefRules{}, "2024.04", sinew.PlaceRelease},
		{"release/2.x", RefRules{}, "release/2.x", sinew.PlaceRelease},
		{"refs/heads/release/2024/a", RefRules{}, "release/2024/a", sinew.PlaceRelease},
		{"2.7-stable", RefRules{}, "2.7-stable", sinew.PlaceRelease},
		{"4711", RefRules{}, "4711", sinew.PlaceBranch},
		{"1a2b3c", RefRules{}, "1a2b3c", sinew.PlaceBranch},
		{"sha256:00ff", RefRules{}, "sha256:00ff", sinew.PlaceBranch},
		{"feature/v1.2", RefRules{}, "feature/v1.2", sinew.PlaceBranch},
		{"develop", RefRules{}, "develop", sinew.PlaceBranch},
		{"vendor", RefRules{}, "vendor", sinew.PlaceBranch},
		{"pr:12", RefRules{}, "pr:12", sinew.PlaceChange},
		{"PR:#12", RefRules{}, "pr:12", sinew.PlaceChange},
		{"mr:!12", RefRules{}, "mr:12", sinew.PlaceChange},
		{"refs/pull/12/merge", RefRules{}, "pr:12", sinew.PlaceChange},
		{"pull/12/head", RefRules{}, "pr:12", sinew.PlaceChange},
		{"12/merge", RefRules{}, "pr:12", sinew.PlaceChange},
		{"refs/merge-requests/7/head", RefRules{}, "mr:7", sinew.PlaceChange},
		{"refs/pull-requests/7/from", RefRules{}, "pr:7", sinew.PlaceChange},
		{"refs/changes/34/1234/5", RefRules{}, "change:1234", sinew.PlaceChange},
		{"change:9", RefRules{}, "change:9", sinew.PlaceChange},
		{"pull/requests", RefRules{}, "pull/requests", sinew.PlaceBranch},
		{"main", own, "main", sinew.PlaceBranch},
		{"develop", own, "develop", sinew.PlaceDefault},
		{"ship/1", own, "ship/1", sinew.PlaceRelease},
		{"v1.0", own, "v1.0", sinew.PlaceBranch},
		{"", own, "", sinew.PlaceDefault},
	}
	for _, tt := range tests {
		if got := PlaceKind(tt.ref, tt.rules); got != tt.want {
			t.Errorf("%q is a %s, want %s", tt.ref, got, tt.want)
		}
		name := NormalRef(tt.ref)
		if name != tt.name {
			t.Errorf("%q is called %q, want %q", tt.ref, name, tt.name)
		}
		if again := NormalRef(name); again != name {
			t.Errorf("%q is called %q the second time", name, again)
		}
	}
}
