package identity

import (
	"hash/fnv"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// maxCause bounds the text of a root cause.
const maxCause = 300

// Cause names the root cause of an observation: what one person changes once to
// mend it, and with it everything else of the same cause. It is a sentence for
// people and a key for groups:
//
//	package in a manifest   upgrade lodash 4.17.15        whatever the versions that repair it: the newest mends all
//	without a fix           no fix yet: lodash 4.17.15
//	package of an image     base image of example/shop    packages of the operating system come from there
//	secret                  rotate secret 1a2b3c...       the same value, wherever it is
//	resource                rule CKV_AWS_20 on aws_s3_bucket
//	code                    rule sqli in src/db.go
//	web                     rule xss at example.org
//	anything else           rule 19506
//
// It has no ref, commit, severity or wording, so that it lasts as long as the
// finding does.
func Cause(o *sinew.Observation) string {
	var cause string
	switch o.Class() {
	case sinew.ClassDependency:
		cause = packageCause(o)
	case sinew.ClassSecret:
		cause = "rotate secret " + secretName(o.Secret)
	case sinew.ClassResource:
		cause = joined("rule", ruleName(o), "on", o.Resource.Type)
	case sinew.ClassCode:
		cause = joined("rule", ruleName(o), "in", o.File)
	case sinew.ClassWeb:
		cause = joined("rule", ruleName(o), "at", hostOfURL(o.Endpoint.URL))
	case sinew.ClassHost, sinew.ClassOther:
		cause = "rule " + ruleName(o)
	}
	return shortCause(cause)
}

// osPackages are the types of package URLs of operating systems.
var osPackages = []string{"deb", "rpm", "apk", "alpm", "ebuild", "nix"}

func packageCause(o *sinew.Observation) string {
	kind, name := purlName(o.Package.PURL)
	if o.Package.Name != "" {
		name = o.Package.Name
	}
	if o.Image != "" && slices.Contains(osPackages, kind) {
		return "base image of " + imageName(o.Image)
	}
	what := strings.TrimSpace(name + " " + o.Package.Version)
	if len(o.Package.Fixed) == 0 {
		return "no fix yet: " + what
	}
	return "upgrade " + what
}

// purlName gives type and name of a package URL, the name with its namespace.
func purlName(purl string) (kind, name string) {
	rest, ok := strings.CutPrefix(purl, "pkg:")
	if !ok {
		return "", purl
	}
	rest, _, _ = strings.Cut(rest, "?")
	rest, _, _ = strings.Cut(rest, "#")
	kind, name, _ = strings.Cut(rest, "/")
	if i := strings.LastIndexByte(name, '@'); i > 0 {
		name = name[:i]
	}
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return kind, name
}

// secretName is a short form of a redaction token: enough to tell values apart.
func secretName(token string) string {
	name := token[strings.LastIndexByte(token, ':')+1:]
	return name[:min(len(name), 16)]
}

// ruleName is the rule, or what stands in its place.
func ruleName(o *sinew.Observation) string {
	if o.Rule != "" {
		return o.Rule
	}
	return o.Title
}

func hostOfURL(text string) string {
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		return u.Host
	}
	return text
}

// joined leaves the last two words out when there is nothing to say after them.
func joined(a, b, c, d string) string {
	if d == "" {
		return a + " " + b
	}
	return a + " " + b + " " + c + " " + d
}

// shortCause cuts what is too long; what was cut off still tells two causes apart.
func shortCause(s string) string {
	if len(s) <= maxCause {
		return s
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash takes everything
	return strings.ToValidUTF8(s[:maxCause-20], "") + "... " + strconv.FormatUint(h.Sum64(), 36)
}
