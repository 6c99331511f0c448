package identity

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/sinewsec/sinew/internal/sinew"
)

// RefRules say which refs of a target count. A list that is given replaces the
// built-in one.
type RefRules struct {
	Default []string // globs of default branches
	Release []string // globs of release branches and tags
}

var defaultRefs = []string{"main", "master", "trunk", "default", "latest", "HEAD"}

// releaseRefs are the customary names of what was released; versions are recognised
// by [isVersion].
var releaseRefs = []string{
	"release", "release/**", "releases/**", "release-*", "rel/**", "rel-*", "stable", "stable/**", "stable-*",
	"*-stable", "production", "hotfix/**", "lts", "lts/**",
}

// changePrefixes begin a ref that is a change which wants to be merged.
var changePrefixes = []string{"pr:", "mr:", "change:"}

// NormalRef gives a ref its one name: branches and tags without refs/heads/ and the
// like, changes as pr:N, mr:N or change:N.
func NormalRef(ref string) string {
	ref = strings.TrimSpace(ref)
	for _, p := range changePrefixes {
		if hasFoldPrefix(ref, p) {
			return p + strings.TrimLeft(ref[len(p):], "#!")
		}
	}
	full := ref
	ref = strings.TrimPrefix(ref, "refs/")
	seg := strings.Split(ref, "/")
	switch {
	case len(seg) >= 2 && isNumber(seg[1]) && (seg[0] == "pull" || seg[0] == "pull-requests"):
		return "pr:" + seg[1]
	case len(seg) >= 2 && isNumber(seg[1]) && seg[0] == "merge-requests":
		return "mr:" + seg[1]
	case len(seg) == 2 && isNumber(seg[0]) && (seg[1] == "merge" || seg[1] == "head"):
		return "pr:" + seg[0]
	case len(seg) >= 3 && seg[0] == "changes" && isNumber(seg[2]) && full != ref:
		return "change:" + seg[2]
	}
	for _, p := range []string{"heads/", "tags/", "remotes/"} {
		if rest, ok := strings.CutPrefix(ref, p); ok && full != ref {
			ref = rest
			break
		}
	}
	return strings.TrimPrefix(ref, "origin/")
}

// PlaceKind says what kind of place a ref of a stream is: a branch, tag, image tag or
// change. A target without refs is its own default.
func PlaceKind(ref string, rules RefRules) sinew.PlaceKind {
	ref = NormalRef(ref)
	if ref == "" {
		return sinew.PlaceDefault
	}
	for _, p := range changePrefixes {
		if strings.HasPrefix(ref, p) {
			return sinew.PlaceChange
		}
	}
	def, rel := rules.Default, rules.Release
	if len(def) == 0 {
		def = defaultRefs
	}
	if matchesAny(def, ref) {
		return sinew.PlaceDefault
	}
	if len(rel) == 0 {
		if isVersion(ref) || matchesAny(releaseRefs, ref) {
			return sinew.PlaceRelease
		}
		return sinew.PlaceBranch
	}
	if matchesAny(rel, ref) {
		return sinew.PlaceRelease
	}
	return sinew.PlaceBranch
}

func matchesAny(globs []string, s string) bool {
	for _, g := range globs {
		if g == s {
			return true
		}
		if ok, err := doublestar.Match(g, s); err == nil && ok {
			return true
		}
	}
	return false
}

// isVersion reports whether ref looks like a version: v1, 1.2, v1.2.3-rc.1, 2024.04,
// 3.19-slim. A bare number is none: it may be a build.
func isVersion(ref string) bool {
	v := strings.TrimLeft(ref, "vV")
	if len(ref)-len(v) > 1 || v == "" || !isDigit(v[0]) {
		return false
	}
	digits, dots := 0, 0
	for digits < len(v) && (isDigit(v[digits]) || v[digits] == '.') {
		if v[digits] == '.' {
			dots++
		}
		digits++
	}
	rest := v[digits:]
	if rest != "" && rest[0] != '-' && rest[0] != '+' && rest[0] != '_' {
		return false
	}
	return dots > 0 || len(v) < len(ref)
}

func isNumber(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
