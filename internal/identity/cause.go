package identity

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/fnv"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// maxCause bounds the text of a root cause.
const maxCause = 300

// Cause names the root cause of an observation: what one person changes once to
// mend it, and with it everything else of the same cause in the application. It is
// a sentence for people and a key for groups; [CauseKind] tells the kinds apart.
//
//	package of an image     base image of example/shop             the operating system's: they come from there
//	any other package       upgrade lodash (npm)                   whatever is installed and whichever version repairs it
//	secret                  rotate secret 1a2b3c...                the same value, wherever it is
//	resource in a module    module infra/modules/vpc               whatever the rule: it is mended in one place
//	resource in a file      template infra/main.tf                 likewise
//	other resource          configuration: CKV_1 on aws_subnet
//	code                    code pattern sqli                      in however many files
//	web                     endpoint example.org: xss
//	machine                 hosts: 19506
//	anything else           other: R1
//
// It has no ref, commit, version, severity or wording, so that it lasts as long as
// the finding does (docs/decisions/017).
func Cause(o *sinew.Observation) string {
	var cause string
	switch o.Class() {
	case sinew.ClassDependency:
		cause = packageCause(o)
	case sinew.ClassSecret:
		cause = causeSecret + secretName(o.Secret)
	case sinew.ClassResource:
		cause = resourceCause(o, o.Resource.Type)
	case sinew.ClassCode:
		cause = causeCode + ruleName(o)
		if isTemplate(o.File) || readsTemplates(o.Tool) {
			cause = resourceCause(o, "")
		}
	case sinew.ClassWeb:
		cause = causeEndpoint + hostOfURL(o.Endpoint.URL) + ": " + ruleName(o)
	case sinew.ClassHost:
		cause = causeHost + ruleName(o)
	case sinew.ClassOther:
		cause = causeOther + ruleName(o)
	}
	return shortCause(cause)
}

// What the causes of each kind begin with.
const (
	causeBaseImage     = "base image of "
	causeUpgrade       = "upgrade "
	causeSecret        = "rotate secret "
	causeModule        = "module "
	causeTemplate      = "template "
	causeConfiguration = "configuration: "
	causeCode          = "code pattern "
	causeEndpoint      = "endpoint "
	causeHost          = "hosts: "
	causeOther         = "other: "
)

var causeKinds = []struct {
	prefix string
	kind   sinew.IssueKind
}{
	{causeBaseImage, sinew.IssueBaseImage},
	{causeUpgrade, sinew.IssueUpgrade},
	{causeSecret, sinew.IssueSecret},
	{causeModule, sinew.IssueModule},
	{causeTemplate, sinew.IssueTemplate},
	{causeConfiguration, sinew.IssueConfiguration},
	{causeCode, sinew.IssueCode},
	{causeEndpoint, sinew.IssueEndpoint},
	{causeHost, sinew.IssueHost},
}

// CauseKind says of which kind a root cause is that [Cause] named.
func CauseKind(cause string) sinew.IssueKind {
	for _, k := range causeKinds {
		if strings.HasPrefix(cause, k.prefix) {
			return k.kind
		}
	}
	return sinew.IssueOther
}

// IssueKey is the key of the issue that findings of an access unit with this root
// cause are part of; 0 where there is none. It is made of nothing else, so that no
// order of imports and no rebuild changes it.
func IssueKey(unit int64, cause string) int64 {
	if cause == "" {
		return 0
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+maxCause), uint64(unit)) //nolint:gosec // a bit pattern
	sum := sha256.Sum256(append(b, cause...))
	return max(int64(binary.BigEndian.Uint64(sum[:8])>>1), 1)
}

// osPackages are the types of package URLs of operating systems.
var osPackages = []string{"deb", "rpm", "apk", "alpm", "ebuild", "nix"}

func packageCause(o *sinew.Observation) string {
	kind, name := purlName(o.Package.PURL)
	if o.Package.Name != "" {
		name = o.Package.Name
	}
	if o.Image != "" && slices.Contains(osPackages, kind) {
		return causeBaseImage + imageName(o.Image)
	}
	if kind == "" {
		return causeUpgrade + name
	}
	return causeUpgrade + name + " (" + kind + ")"
}

// CausePackage takes the cause of a package apart: its name, and the type of its
// package URL, if that is told.
func CausePackage(cause string) (name, ecosystem string) {
	name = strings.TrimPrefix(cause, causeUpgrade)
	if open := strings.LastIndex(name, " ("); open > 0 && strings.HasSuffix(name, ")") {
		return name[:open], name[open+2 : len(name)-1]
	}
	return name, ""
}

// CauseImage is the image in the cause of a base image.
func CauseImage(cause string) string { return strings.TrimPrefix(cause, causeBaseImage) }

// resourceCause is the module of infrastructure as code that a resource is from,
// else the file, else what resources of its type have in common.
func resourceCause(o *sinew.Observation, kind string) string {
	file := NormalPath(o.File)
	if module := moduleOf(o, file); module != "" {
		return causeModule + module
	}
	if file != "" {
		return causeTemplate + file
	}
	if kind != "" {
		return causeConfiguration + ruleName(o) + " on " + kind
	}
	return causeConfiguration + ruleName(o)
}

// moduleOf is the module, chart or role that a resource is made by: by the folder
// of its file, as a module that is called by two names is mended in one place; else
// by its address.
func moduleOf(o *sinew.Observation, file string) string {
	dirs := strings.Split(file, "/")
	for i := len(dirs) - 3; i >= 0; i-- { // the name of the folder, a module, and something in it
		switch {
		case dirs[i] == "modules" && i > 0 && dirs[i-1] == ".terraform":
			return dirs[i+1]
		case dirs[i] == "modules":
			return strings.Join(dirs[:i+2], "/")
		case dirs[i] == "charts", dirs[i] == "roles" && slices.Contains(roleFolders, dirs[i+2]):
			return strings.Join(dirs[:i+2], "/")
		}
	}
	var addresses []string
	if o.Resource != nil {
		addresses = append(addresses, o.Resource.ID, o.Resource.Name)
	}
	for _, address := range append(addresses, o.Symbol) {
		if module := moduleOfAddress(address); module != "" {
			return module
		}
	}
	return ""
}

// roleFolders are what a role of Ansible consists of.
var roleFolders = []string{"tasks", "handlers", "templates", "defaults", "vars", "meta", "files"}

// moduleOfAddress reads module.vpc["a"].module.net[0].aws_subnet.x as vpc.net.
func moduleOfAddress(address string) string {
	var names []string
	for {
		rest, ok := strings.CutPrefix(address, "module.")
		if !ok {
			return strings.Join(names, ".")
		}
		end := strings.IndexAny(rest, ".[")
		if end <= 0 {
			return strings.Join(names, ".") // a module itself is no resource in one
		}
		names = append(names, rest[:end])
		if rest = rest[end:]; rest[0] == '[' {
			end = strings.Index(rest, "]")
			if end < 0 {
				return strings.Join(names, ".")
			}
			rest = rest[end+1:]
		}
		address = strings.TrimPrefix(rest, ".")
	}
}

// readsTemplates reports whether a tool finds nothing in code but what is wrong with
// infrastructure.
func readsTemplates(tool string) bool {
	tool = strings.ToLower(tool)
	return slices.Contains(toolTests[tool], TestIaC) || slices.Contains(templateTools, tool)
}

// templateTools are such tools that test other things as well, or are not known for
// one test.
var templateTools = []string{"trivy", "kube-score", "kubescape", "kubesec", "kubeaudit", "cfn-lint", "cfn_nag", "snyk iac"}

// isTemplate reports whether a file is infrastructure as code by its name, where a
// report names no resource.
func isTemplate(file string) bool {
	name := strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
	switch path.Ext(name) {
	case ".tf", ".tofu", ".tfvars", ".hcl", ".bicep":
		return true
	}
	return strings.HasSuffix(name, ".tf.json") || strings.HasPrefix(name, "dockerfile") || strings.HasPrefix(name, "containerfile") ||
		strings.HasSuffix(name, ".dockerfile")
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

// shortCause cuts what is too long; what was cut off still tells two causes apart.
func shortCause(s string) string {
	if len(s) <= maxCause {
		return s
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // a hash takes everything
	return strings.ToValidUTF8(s[:maxCause-20], "") + "... " + strconv.FormatUint(h.Sum64(), 36)
}
