package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sinewsec/sinew/internal/sinew"
)

// The reader kinds, as they are named under detect.
const (
	kindJSON  = "json"  // one JSON document
	kindJSONL = "jsonl" // JSON values one after the other, one a line
	kindXML   = "xml"
	kindCSV   = "csv" // comma, semicolon, tab or pipe; first record is the header
	kindHTML  = "html"
	kindXLSX  = "xlsx"
	kindText  = "text"
	kindZIP   = "zip" // a ZIP whose members belong together
)

var kinds = []string{kindJSON, kindJSONL, kindXML, kindCSV, kindHTML, kindXLSX, kindText, kindZIP}

// A mapping file has these keys; those from detect on may also stand in each
// entry of variants, for a tool that writes several shapes (what an entry leaves
// out is taken from the top).
//
//	id, version, name   of the format; id in lower case
//	defectdojo          names of its scan types there
//	replaces            version of the built-in mapping that this one overrides
//	specificity         0; of several formats that recognise a file the highest wins
//	defs                jq definitions that all programs of the file can call
//	detect              reader: expression on a sample of the file: all keys, the first three
//	                    elements of an array, the first 4 KB of a text. What the sample is:
//	                    json, jsonl: the (first) value; xml: {root: tree} of the first 256 KB;
//	                    csv: {header, delimiter, first, lines}; html: {title, meta, headings, text};
//	                    xlsx: {header, sheets: {name: {header, first}}}; zip: {names}; text: {text, lines}
//	header              csv, xlsx: pattern of the line that is the header, if others precede it
//	rows                path (json: keys and []; xml: /a/b; html: selector; csv, jsonl, text: .[]; xlsx: .[][]),
//	                    member (zip: which files, as a glob), and the programs
//	                    finding (0..n observations), secret (values), asset, relation, withdraw (tool ids)
//	index               name: {path, member, key, value}: tables for lookup; key and value are programs on the
//	                    element, with $keys; the first element with a key stays
//	skip                paths of large parts that no program needs
//	secrets             program on {head}: false if no row of this report names secrets; saves a pass
//	stream              {tool, target, ref, label, tool_name, tool_version, at, commit, digest, mode}
//	coverage            {status, reason, basis, commit, digest, rules, paths, hosts}; a scope is "all",
//	                    an array of globs or {all, include, exclude}; basis is proven unless told
//	assets              assets and relations that the report tells outside its rows
//	notes               texts for the snapshot's notes
//
// The programs of rows see what [row.input] describes; those of the report see
// {head, first (row), rows, findings (counts)}.

// variant is one shape of a format: how to recognise it, where its rows are and
// what they mean.
type variant struct {
	format   *Format
	kind     string
	detect   *program
	rows     []*rowSpec
	index    []*indexSpec
	skip     []*rowPath
	stream   *program
	coverage *program
	assets   *program
	notes    *program
	secrets  *program       // whether the report has any; nil: its rows say so
	header   *regexp.Regexp // CSV: the line that is the header, when others precede it
}

// rowSpec is one kind of row and its programs; any of them may be nil.
type rowSpec struct {
	path     *rowPath
	member   string // zip: glob of the members to read
	finding  *program
	secret   *program
	asset    *program
	relation *program
	withdraw *program
}

// indexSpec is a lookup table filled in the first pass.
type indexSpec struct {
	name   string
	path   *rowPath
	member string
	key    *program
	value  *program // what to keep of the element; nil for all of it
}

// The YAML shapes.

type yamlMapping struct {
	ID          string        `yaml:"id"`
	Version     int           `yaml:"version"`
	Name        string        `yaml:"name"`
	DefectDojo  []string      `yaml:"defectdojo"`
	Replaces    int           `yaml:"replaces"`
	Specificity int           `yaml:"specificity"`
	Defs        source        `yaml:"defs"`
	Variants    []yamlVariant `yaml:"variants"`
	yamlVariant `yaml:",inline"`
}

type yamlVariant struct {
	Detect   map[string]source    `yaml:"detect"`
	Rows     []yamlRow            `yaml:"rows"`
	Index    map[string]yamlIndex `yaml:"index"`
	Skip     []source             `yaml:"skip"`
	Stream   source               `yaml:"stream"`
	Coverage source               `yaml:"coverage"`
	Assets   source               `yaml:"assets"`
	Notes    source               `yaml:"notes"`
	Secrets  source               `yaml:"secrets"`
	Header   source               `yaml:"header"`
}

type yamlRow struct {
	Path     source `yaml:"path"`
	Member   string `yaml:"member"`
	Finding  source `yaml:"finding"`
	Secret   source `yaml:"secret"`
	Asset    source `yaml:"asset"`
	Relation source `yaml:"relation"`
	Withdraw source `yaml:"withdraw"`
}

type yamlIndex struct {
	Path   source `yaml:"path"`
	Member string `yaml:"member"`
	Key    source `yaml:"key"`
	Value  source `yaml:"value"`
}

// source is a text of the file and the line that it begins on.
type source struct {
	text string
	line int
}

func (s *source) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return errors.New("line " + strconv.Itoa(n.Line) + ": expected text here")
	}
	s.text, s.line = n.Value, n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		s.line++
	}
	return nil
}

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// parseMapping reads one mapping file. Mistakes in the programs of one that is built
// in are found when a program is needed, those of others now.
func parseMapping(file string, text []byte, builtIn bool) (*Format, error) {
	var y yamlMapping
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&y); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, yamlError(file, err)
	}
	sum := sha256.Sum256(text)
	f := &Format{
		ID: y.ID, Version: y.Version, Name: y.Name, DefectDojo: y.DefectDojo, Specificity: y.Specificity,
		Digest: hex.EncodeToString(sum[:]), File: file, Overrides: y.Replaces, text: slices.Clone(text),
	}
	bad := func(line int, msg string, args ...any) error {
		where := file
		if line > 0 {
			where += ":" + strconv.Itoa(line)
		}
		return invalid(where, msg, args...).Hint("see docs/adding-a-format.md")
	}
	switch {
	case !idPattern.MatchString(f.ID):
		return nil, bad(0, "id %q is not lower-case letters, digits, dots, dashes and underscores", f.ID)
	case f.Version < 1:
		return nil, bad(0, "version is missing: a whole number from 1")
	case f.Name == "":
		return nil, bad(0, "name is missing: what its users call the tool")
	}
	if strings.TrimSpace(y.Defs.text) != "" {
		f.defs = &definitions{what: f.ID + " defs", file: file, src: y.Defs}
	}
	shapes := y.Variants
	if len(shapes) == 0 {
		shapes = []yamlVariant{{}}
	}
	for i := range shapes {
		v := shapes[i].inherit(y.yamlVariant)
		if len(v.Detect) == 0 {
			return nil, bad(0, "detect is missing: for example detect: { json: 'has(\"runs\")' }")
		}
		for _, kind := range kinds {
			src, ok := v.Detect[kind]
			if !ok {
				continue
			}
			va, err := newVariant(f, kind, src, &v, bad)
			if err != nil {
				return nil, err
			}
			f.variants = append(f.variants, va)
			if !slices.Contains(f.Kinds, kind) {
				f.Kinds = append(f.Kinds, kind)
			}
		}
		for kind, src := range v.Detect {
			if !slices.Contains(kinds, kind) {
				return nil, bad(src.line, "unknown reader %q; the readers are %s", kind, strings.Join(kinds, ", "))
			}
		}
	}
	if !builtIn {
		if err := f.check(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// inherit fills what v leaves out from the top of the file.
func (v yamlVariant) inherit(top yamlVariant) yamlVariant {
	text := func(s, def source) source {
		if s.line == 0 {
			return def
		}
		return s
	}
	if v.Detect == nil {
		v.Detect = top.Detect
	}
	if v.Rows == nil {
		v.Rows = top.Rows
	}
	if v.Index == nil {
		v.Index = top.Index
	}
	if v.Skip == nil {
		v.Skip = top.Skip
	}
	v.Stream = text(v.Stream, top.Stream)
	v.Coverage = text(v.Coverage, top.Coverage)
	v.Assets = text(v.Assets, top.Assets)
	v.Notes = text(v.Notes, top.Notes)
	v.Secrets = text(v.Secrets, top.Secrets)
	v.Header = text(v.Header, top.Header)
	return v
}

func newVariant(f *Format, kind string, detect source, y *yamlVariant, bad func(int, string, ...any) error) (*variant, error) {
	prog := func(what string, s source) *program {
		if strings.TrimSpace(s.text) == "" {
			return nil
		}
		return &program{what: f.ID + " " + what, file: f.File, src: s, defs: f.defs}
	}
	v := &variant{
		format: f, kind: kind, detect: prog("detect", detect), stream: prog("stream", y.Stream),
		coverage: prog("coverage", y.Coverage), assets: prog("assets", y.Assets), notes: prog("notes", y.Notes),
		secrets: prog("secrets", y.Secrets),
	}
	if v.detect == nil {
		return nil, bad(detect.line, "detect has no expression for %s", kind)
	}
	path := func(s source, member string) (*rowPath, error) {
		if (member != "") != (kind == kindZIP) {
			return nil, bad(s.line, "member names the file inside a zip; it belongs to detect: { zip: ... } and only there")
		}
		p, err := parsePath(s.text, pathKind(kind, s.text))
		if err != nil {
			return nil, bad(s.line, "path %q: %v", s.text, err)
		}
		return p, nil
	}
	for i := range y.Rows {
		r := &y.Rows[i]
		p, err := path(r.Path, r.Member)
		if err != nil {
			return nil, err
		}
		spec := &rowSpec{
			path: p, member: r.Member, finding: prog("finding", r.Finding), secret: prog("secret", r.Secret),
			asset: prog("asset", r.Asset), relation: prog("relation", r.Relation), withdraw: prog("withdraw", r.Withdraw),
		}
		v.rows = append(v.rows, spec)
	}
	names := make([]string, 0, len(y.Index))
	for name := range y.Index {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		ix := y.Index[name]
		p, err := path(ix.Path, ix.Member)
		if err != nil {
			return nil, err
		}
		spec := &indexSpec{name: name, path: p, member: ix.Member, key: prog("index "+name+" key", ix.Key), value: prog("index "+name+" value", ix.Value)}
		if spec.key == nil {
			return nil, bad(ix.Path.line, "index %s has no key", name)
		}
		v.index = append(v.index, spec)
	}
	for _, s := range y.Skip {
		p, err := parsePath(s.text, pathKind(kind, s.text))
		if err != nil {
			return nil, bad(s.line, "skip %q: %v", s.text, err)
		}
		v.skip = append(v.skip, p)
	}
	if y.Header.text != "" {
		re, err := regexp.Compile(y.Header.text)
		if err != nil {
			return nil, bad(y.Header.line, "header: %v", err)
		}
		v.header = re
	}
	return v, nil
}

// pathKind is the reader that a path inside a zip member belongs to: XML paths
// begin with a slash, the others with a dot.
func pathKind(kind, path string) string {
	switch {
	case kind != kindZIP:
		return kind
	case strings.HasPrefix(path, "/"):
		return kindXML
	}
	return kindJSON
}

// check finds every mistake in the programs of f, also in definitions that none of
// them calls.
func (f *Format) check() error {
	if d := f.defs; d != nil {
		all := &program{what: d.what, file: d.file, src: source{text: d.src.text + "\n.", line: d.src.line}}
		if err := all.check(); err != nil {
			return err
		}
	}
	for _, v := range f.variants {
		for _, p := range v.programs() {
			if err := p.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *variant) programs() []*program {
	all := []*program{v.detect, v.stream, v.coverage, v.assets, v.notes, v.secrets}
	for _, r := range v.rows {
		all = append(all, r.finding, r.secret, r.asset, r.relation, r.withdraw)
	}
	for _, ix := range v.index {
		all = append(all, ix.key, ix.value)
	}
	return slices.DeleteFunc(all, func(p *program) bool { return p == nil })
}

// hasSecrets reports whether any row of v names secret values.
func (v *variant) hasSecrets() bool {
	return slices.ContainsFunc(v.rows, func(r *rowSpec) bool { return r.secret != nil })
}

var yamlLine = regexp.MustCompile(`line (\d+):? ?`)

func yamlError(file string, err error) error {
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	msg = strings.TrimPrefix(msg, "unmarshal errors:\n")
	where := file
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		where += ":" + m[1]
	}
	msg = strings.NewReplacer("in type format.yamlMapping", "here", "in type format.yamlRow", "in rows",
		"in type format.yamlVariant", "in a variant", "in type format.yamlIndex", "in index").Replace(strings.TrimSpace(msg))
	return &sinew.Error{Code: sinew.CodeInvalid, Message: "not a mapping file: " + msg, Where: where, Next: "see docs/adding-a-format.md", Err: err}
}
