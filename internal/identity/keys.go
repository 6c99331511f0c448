package identity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Keys are what matching knows of an observation: one hash for each pass, strongest
// first, 0 where the pass does not apply. Two observations agree in a pass when
// their keys are equal. Ref, commit, image digest, environment, severity and
// wording go into none of them.
//
//	       Tool           Content                  Place                    Moved               Near
//	code   tool id or     rule, file, snippet      rule, file, symbol       rule, snippet       rule, file
//	secret fingerprint    rule, file, token        file, token              rule, token         -
//	depend.               vuln, purl, path         vuln, package, path'     vuln, purl          -
//	web                   rule, method, url', par. rule, url', parameter    rule, method, path' -
//	host                  rule, host, port         -                        -                   -
//	resource              rule, account, id, file  rule, account, type+name -                   -
//	other                 rule, title, place       rule, ids, place         -                   rule, place
//
// Nothing is near in classes whose places have names: another port, parameter, secret
// or resource is another finding, and must not inherit a decision.
//
// Where a tool has no rules its title takes their place; url' is the template of
// the URL, path' a path without the package's version.
type Keys struct {
	Tool    int64
	Content int64
	Place   int64
	Moved   int64
	Near    int64
	Line    int32
	// Text is the low half of [ContentHash]. It decides between observations that
	// nothing else tells apart, so that a repeated report changes nothing. Rows
	// that keep their content hash fill it with TextOf(hash).
	Text uint32
}

// TextOf derives [Keys.Text] from a stored content hash.
func TextOf(contentHash int64) uint32 { return uint32(uint64(contentHash)) } //nolint:gosec // the low half is meant

// distinctive is how many normalised characters a content must have before it
// identifies a finding in another file.
const distinctive = 16

// What a hash is of. The numbers are part of the keys.
const (
	tagToolID uint64 = iota + 1
	tagFingerprint
	tagContent
	tagPlace
	tagMoved
	tagNear
)

// KeysOf derives the matching keys of o. Loops use a [Hasher].
func KeysOf(o *sinew.Observation) Keys {
	var h Hasher
	k, _ := h.Hash(o)
	return k
}

// ContentHash is a hash of everything that is shown of o. When it is equal to the
// one stored there is nothing to write. The time at which the tool looked is left
// out: it differs with every run and says nothing of the finding.
func ContentHash(o *sinew.Observation) int64 {
	var h Hasher
	return h.content(o)
}

// Hasher derives keys and content hashes of many observations without allocating for
// each. It is not for concurrent use; the zero Hasher is ready.
type Hasher struct{ w wordHasher }

// Hash gives [KeysOf] and [ContentHash] of o.
func (h *Hasher) Hash(o *sinew.Observation) (k Keys, contentHash int64) {
	contentHash = h.content(o)
	w := &h.w
	k.Text = TextOf(contentHash)
	if o.Line > 0 {
		k.Line = int32(min(o.Line, math.MaxInt32))
	}
	rule := w.fold(o.Rule)
	if rule == 0 {
		rule = w.title(o.Title)
	}
	k.Tool = w.toolKey(o, rule)
	class := o.Class()
	c := classWord(class)
	switch class {
	case sinew.ClassCode:
		file := w.path(o.File)
		snippet, n := w.snippet(o.Snippet)
		if snippet != 0 {
			k.Content = hashWords(tagContent, c, rule, file, snippet)
			if n >= distinctive {
				k.Moved = hashWords(tagMoved, c, rule, snippet)
			}
		}
		if symbol := w.plain(o.Symbol); symbol != 0 {
			k.Place = hashWords(tagPlace, c, rule, file, symbol)
		}
		k.Near = hashWords(tagNear, c, rule, file)
	case sinew.ClassSecret:
		file, token := w.path(o.File), w.plain(o.Secret)
		k.Content = hashWords(tagContent, c, rule, file, token)
		k.Place = hashWords(tagPlace, c, file, token)
		k.Moved = hashWords(tagMoved, c, rule, token)
	case sinew.ClassDependency:
		w.dependency(o, c, rule, &k)
	case sinew.ClassWeb:
		w.web(o, c, rule, &k)
	case sinew.ClassHost:
		k.Content = hashWords(tagContent, c, rule, w.host(o.Host), w.port(o))
	case sinew.ClassResource:
		w.resource(o, c, rule, &k)
	case sinew.ClassOther:
		place := w.otherPlace(o)
		k.Content = hashWords(tagContent, c, rule, w.title(o.Title), place)
		if ids := w.ids(o.IDs); ids != 0 {
			k.Place = hashWords(tagPlace, c, rule, ids, place)
		}
		k.Near = hashWords(tagNear, c, rule, place)
	}
	return k, contentHash
}

// stableSchemes are fingerprint schemes that are known to survive line shifts, the
// most stable first. A version suffix (/v1) is ignored when looking here.
var stableSchemes = [...]string{
	"matchbasedid",            // Semgrep: pattern and path
	"primarylocationlinehash", // CodeQL and everything that imitates it: text of the line and its occurrence
	"similarityid",            // Checkmarx, KICS
	"instanceid",              // Fortify
	"mergekey",                // Coverity
	"issuehash",
	"contextregionhash", // Microsoft's SARIF SDK: text of the lines around it
	"identity",          // Snyk Code
}

// unstableScheme is a fingerprint that says too little to be one: the column alone.
const unstableScheme = "primarylocationstartcolumnfingerprint"

// isPrint reports whether a value can be a fingerprint: neither a number of a row nor
// a sentence ("requires login").
func isPrint(value string) bool {
	return len(value) >= 4 && !strings.ContainsAny(value, " \t\n")
}

// fingerprint chooses the fingerprint that decides: the most stable scheme known,
// else the smallest name.
func fingerprint(prints map[string]string) (scheme, value string) {
	best := math.MaxInt
	for s, v := range prints {
		name := strings.ToLower(strings.TrimSpace(s))
		base, _, _ := strings.Cut(name, "/")
		if base == unstableScheme || !isPrint(v) {
			continue
		}
		rank := slices.Index(stableSchemes[:], base)
		if rank < 0 {
			rank = len(stableSchemes)
		}
		if rank < best || rank == best && name < scheme {
			best, scheme, value = rank, name, v
		}
	}
	return scheme, value
}

// wordHasher turns fields into words of a key. Its buffer is reused.
type wordHasher struct{ buf []byte }

// sum hashes what was written into b and keeps its memory. Nothing gives 0.
func (w *wordHasher) sum(b []byte) uint64 {
	w.buf = b[:0]
	if len(b) == 0 {
		return 0
	}
	return hash64(b)
}

func (w *wordHasher) plain(s string) uint64 { return w.sum(append(w.buf[:0], s...)) }
func (w *wordHasher) fold(s string) uint64  { return w.sum(appendFolded(w.buf[:0], s)) }
func (w *wordHasher) title(s string) uint64 { return w.sum(appendTitle(w.buf[:0], s)) }
func (w *wordHasher) path(s string) uint64  { return w.sum(appendPath(w.buf[:0], s)) }
func (w *wordHasher) host(s string) uint64  { return w.sum(appendHost(w.buf[:0], s)) }
func (w *wordHasher) snippet(s string) (word uint64, length int) {
	b := appendSnippet(w.buf[:0], s)
	return w.sum(b), len(b)
}

// ToolKey is the key of a tool's own id. A delta withdraws the presences of its place
// whose [Keys.Tool] it is. The tool's name is no part of it: a family has one tool,
// and tools rename themselves.
func ToolKey(toolID string) int64 {
	return hashWords(tagToolID, hash64([]byte(toolID)))
}

// toolKey is the tool's own id, else its best fingerprint. A fingerprint hashes the
// text of a place and says nothing of what is wrong there, so the rule joins it.
func (w *wordHasher) toolKey(o *sinew.Observation, rule uint64) int64 {
	if o.ToolID != "" {
		return ToolKey(o.ToolID)
	}
	if len(o.Fingerprints) == 0 {
		return 0
	}
	scheme, value := fingerprint(o.Fingerprints)
	if value == "" {
		return 0
	}
	return hashWords(tagFingerprint, rule, w.plain(scheme), w.plain(value))
}

// dependency: the vulnerability is the rule where the rule is one, else the rule
// with the id that most people know it by.
func (w *wordHasher) dependency(o *sinew.Observation, c, rule uint64, k *Keys) {
	p := o.Package
	vuln := rule
	if !isVulnerabilityID(o.Rule) {
		if id := primaryID(o.IDs); id != "" {
			if o.Rule == "" {
				rule = 0
			}
			vuln = uint64(hashWords(rule, w.fold(id))) //nolint:gosec // a bit pattern
		}
	}
	file := p.Path
	if file == "" {
		file = o.File
	}
	name, purlVersion := splitPURL(p.PURL)
	version := p.Version
	if version == "" {
		version = purlVersion
	}
	purl := w.sum(appendPURL(w.buf[:0], p.PURL))
	if purl == 0 {
		purl = uint64(hashWords(w.fold(p.Name), w.plain(version))) //nolint:gosec // a bit pattern
	}
	path := w.path(file)
	k.Content = hashWords(tagContent, c, vuln, purl, path)
	k.Moved = hashWords(tagMoved, c, vuln, purl)
	b := appendPath(w.buf[:0], file)
	if len(version) >= 3 { // the path of a jar tells its version
		b = bytes.ReplaceAll(b, []byte(version), nil)
	}
	unversioned := w.sum(b)
	if p.Name != "" {
		name = p.Name
	}
	k.Place = hashWords(tagPlace, c, vuln, w.fold(name), unversioned)
}

func (w *wordHasher) web(o *sinew.Observation, c, rule uint64, k *Keys) {
	e := o.Endpoint
	method, param := w.fold(e.Method), w.plain(e.Param)
	b, pathAt := appendURL(w.buf[:0], e.URL)
	long := len(b)-pathAt+len(e.Param) >= distinctive
	path := hash64(b[pathAt:])
	url := w.sum(b)
	k.Content = hashWords(tagContent, c, rule, method, url, param)
	k.Place = hashWords(tagPlace, c, rule, url, param)
	if long {
		k.Moved = hashWords(tagMoved, c, rule, method, path, param)
	}
}

// port is what tells services of one machine apart, wherever a format puts it.
func (w *wordHasher) port(o *sinew.Observation) uint64 {
	b := w.buf[:0]
	if e := o.Endpoint; e != nil {
		b, _ = appendURL(b, e.URL)
		b = append(b, 0)
		b = appendFolded(b, e.Method)
	}
	for _, name := range [...]string{"port", "protocol"} {
		b = append(b, 0)
		if v, ok := o.Extra[name]; ok {
			b = appendFolded(b, scalar(v))
		}
	}
	return w.sum(b)
}

func (w *wordHasher) resource(o *sinew.Observation, c, rule uint64, k *Keys) {
	r := o.Resource
	account := uint64(hashWords(w.fold(r.Provider), w.fold(r.Account))) //nolint:gosec // a bit pattern
	file := w.path(o.File)
	id := w.fold(r.ID)
	name := uint64(hashWords(w.fold(r.Type), w.fold(r.Name))) //nolint:gosec // a bit pattern
	if id == 0 {
		id = uint64(hashWords(w.fold(r.Region), name)) //nolint:gosec // a bit pattern
	}
	k.Content = hashWords(tagContent, c, rule, account, id, file)
	switch {
	case r.Name != "":
		k.Place = hashWords(tagPlace, c, rule, account, name)
	case r.ID != "" && file != 0:
		k.Place = hashWords(tagPlace, c, rule, account, id)
	}
}

// otherPlace is what little a report without places tells of one.
func (w *wordHasher) otherPlace(o *sinew.Observation) uint64 {
	b := appendFolded(w.buf[:0], imageName(o.Image))
	b = append(b, 0)
	b = append(b, o.Symbol...)
	if e := o.Endpoint; e != nil {
		b = append(b, 0)
		b, _ = appendURL(b, e.URL)
		b = append(b, e.Param...)
	}
	return w.sum(b)
}

func (w *wordHasher) ids(ids []string) uint64 {
	if len(ids) == 0 {
		return 0
	}
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	b := w.buf[:0]
	for _, id := range slices.Compact(sorted) {
		b = append(appendFolded(b, id), 0)
	}
	return w.sum(b)
}

// classWord keeps the keys of different classes apart.
func classWord(c sinew.Class) uint64 {
	switch c {
	case sinew.ClassCode:
		return 1
	case sinew.ClassDependency:
		return 2
	case sinew.ClassSecret:
		return 3
	case sinew.ClassResource:
		return 4
	case sinew.ClassWeb:
		return 5
	case sinew.ClassHost:
		return 6
	case sinew.ClassOther:
		return 7
	}
	return 0
}

// primaryID is the id by which most people know a vulnerability: the smallest CVE,
// else GHSA, else any.
func primaryID(ids []string) string {
	best, bestRank := "", 3
	for _, id := range ids {
		rank := 2
		switch {
		case hasFoldPrefix(id, "CVE-"):
			rank = 0
		case hasFoldPrefix(id, "GHSA-"):
			rank = 1
		case id == "":
			continue
		}
		if rank < bestRank || rank == bestRank && id < best {
			best, bestRank = id, rank
		}
	}
	return best
}

// vulnerabilityPrefixes begin the ids of databases whose entries are single
// vulnerabilities.
var vulnerabilityPrefixes = [...]string{
	"CVE-", "GHSA-", "OSV-", "SNYK-", "RUSTSEC-", "GO-", "PYSEC-", "DSA-", "DLA-", "USN-", "RHSA-", "ALAS", "ELSA-",
	"SUSE-", "GLSA-", "TEMP-", "NSWG-", "BDSA-", "WS-", "SONATYPE-", "XRAY-", "PRISMA-", "MAL-", "CGA-", "EUVD-",
}

func isVulnerabilityID(rule string) bool {
	for _, p := range vulnerabilityPrefixes {
		if hasFoldPrefix(rule, p) {
			return true
		}
	}
	return false
}

func (h *Hasher) content(o *sinew.Observation) int64 {
	b := h.w.buf[:0]
	for _, s := range [...]string{
		o.Tool, o.Rule, o.Title, o.Description, o.Fix, string(o.Severity), o.ToolSeverity, o.File, o.Symbol,
		o.Snippet, o.Image, o.Host, o.Secret, o.ToolID, string(o.Status),
	} {
		b = appendString(b, s)
	}
	b = strconv.AppendInt(b, int64(o.Line), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(o.EndLine), 10)
	for _, n := range o.CWE {
		b = append(b, ',')
		b = strconv.AppendInt(b, int64(n), 10)
	}
	b = append(b, ';')
	for _, list := range [...][]string{o.IDs, o.Refs, o.Tags} {
		b = appendStrings(b, list)
	}
	for _, c := range o.CVSS {
		b = appendString(appendString(b, c.Version), c.Vector)
		b = strconv.AppendFloat(b, c.Score, 'g', -1, 64)
	}
	b = append(b, ';')
	if p := o.Package; p != nil {
		for _, s := range [...]string{p.Name, p.Version, p.PURL, p.Path} {
			b = appendString(b, s)
		}
		b = appendStrings(b, p.Fixed)
	}
	b = append(b, ';')
	if r := o.Resource; r != nil {
		for _, s := range [...]string{r.Provider, r.Account, r.Region, r.Type, r.ID, r.Name} {
			b = appendString(b, s)
		}
	}
	b = append(b, ';')
	if e := o.Endpoint; e != nil {
		for _, s := range [...]string{e.Method, e.URL, e.Param} {
			b = appendString(b, s)
		}
	}
	b = append(b, ';')
	for _, k := range sortedKeys(o.Fingerprints) {
		b = appendString(appendString(b, k), o.Fingerprints[k])
	}
	b = append(b, ';')
	return notZero(h.w.sum(appendMap(b, o.Extra)))
}

// appendString frames s by its length, so that no two lists of strings give the
// same bytes.
func appendString(b []byte, s string) []byte {
	b = strconv.AppendInt(b, int64(len(s)), 10)
	b = append(b, ':')
	return append(b, s...)
}

func appendStrings(b []byte, list []string) []byte {
	b = strconv.AppendInt(b, int64(len(list)), 10)
	for _, s := range list {
		b = appendString(b, s)
	}
	return append(b, ';')
}

func sortedKeys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func appendMap(b []byte, m map[string]any) []byte {
	b = append(b, '{')
	for _, k := range sortedKeys(m) {
		b = appendValue(appendString(b, k), m[k])
	}
	return append(b, '}')
}

// appendValue writes a decoded JSON value. Numbers become float64 first: a value
// read as json.Number and the same one read as float64 must not differ.
func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, 'n')
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return appendString(b, string(v))
		}
		return appendNumber(b, f)
	case float64:
		return appendNumber(b, v)
	case int:
		return appendNumber(b, float64(v))
	case int64:
		return appendNumber(b, float64(v))
	case []any:
		b = append(b, '[')
		for _, e := range v {
			b = appendValue(b, e)
		}
		return append(b, ']')
	case map[string]any:
		return appendMap(b, v)
	}
	return appendString(b, fmt.Sprint(v))
}

func appendNumber(b []byte, f float64) []byte {
	return strconv.AppendFloat(append(b, '#'), f, 'g', -1, 64)
}

// scalar is the text of a decoded JSON string or number.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}
