package export

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
)

// sarif writes SARIF 2.1.0: a run for each tool, with its results first and the
// tool after them, since the rules are only known then. There is no invocation:
// an export is no scan, and whoever reads it must not take what is left out for
// fixed.
type sarif struct {
	w     *bufio.Writer
	enc   *json.Encoder
	info  Info
	tool  string
	runs  int
	some  bool // results in this run
	rules map[string]int
	names []rule // in the order of their indices
}

// maxRules bounds the rules that a run lists; further ones are named by their
// results only.
const maxRules = 20_000

type text struct {
	Text string `json:"text"`
}

type rule struct {
	ID    string `json:"id"`
	Short text   `json:"shortDescription"`
}

type result struct {
	RuleID       string            `json:"ruleId,omitempty"`
	RuleIndex    *int              `json:"ruleIndex,omitempty"`
	Kind         string            `json:"kind"`
	Level        string            `json:"level"`
	Message      text              `json:"message"`
	Locations    []location        `json:"locations,omitempty"`
	Fingerprints map[string]string `json:"partialFingerprints"`
	Suppressions []suppression     `json:"suppressions,omitempty"`
	Properties   map[string]any    `json:"properties"`
}

type location struct {
	Physical *physical `json:"physicalLocation,omitempty"`
	Logical  []logical `json:"logicalLocations,omitempty"`
}

type physical struct {
	Artifact artifact `json:"artifactLocation"`
	Region   *region  `json:"region,omitempty"`
}

type artifact struct {
	URI string `json:"uri"`
}

type region struct {
	StartLine int `json:"startLine"`
}

type logical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type suppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

const sarifHead = `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[`

func newSARIF(w *bufio.Writer, info Info) (*sarif, error) {
	s := &sarif{w: w, enc: json.NewEncoder(w), info: info}
	s.enc.SetEscapeHTML(false)
	_, err := w.WriteString(sarifHead)
	return s, err
}

func (s *sarif) Write(f *sinew.Finding) error {
	if s.runs == 0 || f.Tool != s.tool {
		if err := s.endRun(); err != nil {
			return err
		}
		if err := s.beginRun(f.Tool); err != nil {
			return err
		}
	}
	if s.some {
		if err := s.w.WriteByte(','); err != nil {
			return err
		}
	}
	s.some = true
	return s.enc.Encode(s.result(f))
}

func (s *sarif) beginRun(tool string) error {
	s.tool, s.some, s.rules, s.names = tool, false, map[string]int{}, nil
	comma := ""
	if s.runs > 0 {
		comma = ","
	}
	s.runs++
	_, err := s.w.WriteString(comma + `{"results":[` + "\n")
	return err
}

// endRun writes what is known of the tool by now.
func (s *sarif) endRun() error {
	if s.runs == 0 {
		return nil
	}
	type driver struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	}
	tail := struct {
		Tool struct {
			Driver driver `json:"driver"`
		} `json:"tool"`
		ColumnKind string         `json:"columnKind"`
		Properties map[string]any `json:"properties"`
	}{ColumnKind: "unicodeCodePoints", Properties: map[string]any{"exportedBy": "sinew " + s.info.Version, "filter": s.info.Filter}}
	if !s.info.Created.IsZero() {
		tail.Properties["exportedAt"] = moment(s.info.Created)
	}
	tail.Tool.Driver = driver{Name: cmp.Or(s.tool, "unknown"), Rules: append([]rule{}, s.names...)}
	b, err := json.Marshal(tail)
	if err != nil {
		return fmt.Errorf("write the tool: %w", err)
	}
	_, err = s.w.Write(append([]byte("],"), b[1:]...))
	return err
}

func (s *sarif) Close() error {
	if s.runs == 0 { // a file without a run says nothing of what was asked for
		if err := s.beginRun("sinew"); err != nil {
			return err
		}
	}
	if err := s.endRun(); err != nil {
		return err
	}
	if _, err := s.w.WriteString("]}\n"); err != nil {
		return err
	}
	return s.w.Flush()
}

// ruleIndex gives the place of a rule in the list of the run.
func (s *sarif) ruleIndex(f *sinew.Finding) *int {
	if f.Rule == "" {
		return nil
	}
	i, ok := s.rules[f.Rule]
	if !ok {
		if len(s.names) == maxRules {
			return nil
		}
		i = len(s.names)
		s.rules[f.Rule] = i
		s.names = append(s.names, rule{f.Rule, text{cmp.Or(f.Title, f.Rule)}})
	}
	return &i
}

// scores are CVSS scores that stand for our severities: what GitHub and others
// read from security-severity.
var scores = map[sinew.Severity]string{
	sinew.SeverityCritical: "9.5", sinew.SeverityHigh: "8.0", sinew.SeverityMedium: "5.5", sinew.SeverityLow: "2.0", sinew.SeverityInfo: "0.0",
}

func level(s sinew.Severity) string {
	switch s {
	case sinew.SeverityCritical, sinew.SeverityHigh:
		return "error"
	case sinew.SeverityMedium:
		return "warning"
	case sinew.SeverityLow, sinew.SeverityInfo:
	}
	return "note"
}

func (s *sarif) result(f *sinew.Finding) *result {
	r := &result{
		RuleID: f.Rule, RuleIndex: s.ruleIndex(f), Kind: "fail", Level: level(f.Severity), Message: text{cmp.Or(f.Title, f.Rule, f.ID)},
		Fingerprints: map[string]string{"sinew/v1": f.ID}, Properties: properties(f),
	}
	if l := locationOf(f); l != nil {
		r.Locations = []location{*l}
	}
	switch f.State {
	case sinew.StateAccepted:
		r.Suppressions = []suppression{{"external", "accepted", "the risk is accepted"}}
	case sinew.StateFalsePositive:
		r.Suppressions = []suppression{{"external", "accepted", "false positive"}}
	default: // the others suppress nothing; properties.state tells them
	}
	return r
}

// locationOf says where a finding is, as far as SARIF has words for it: files and
// addresses are artifacts, everything else is a logical location.
func locationOf(f *sinew.Finding) *location {
	l := &location{}
	switch {
	case f.File != "":
		l.Physical = &physical{Artifact: artifact{(&url.URL{Path: f.File}).String()}}
		if f.Line > 0 {
			l.Physical.Region = &region{f.Line}
		}
	case endpoint(f).URL != "":
		l.Physical = &physical{Artifact: artifact{uri(endpoint(f).URL)}}
	}
	for _, place := range []logical{{resource(f), "resource"}, {f.Host, "host"}, {f.Image, "image"}, {cmp.Or(packageOf(f).PURL, packageOf(f).Name), "package"}} {
		if place.Name != "" {
			l.Logical = append(l.Logical, place)
		}
	}
	if l.Physical == nil && l.Logical == nil {
		return nil
	}
	return l
}

// uri is s as a URI, also where a tool wrote something else.
func uri(s string) string {
	if u, err := url.Parse(s); err == nil {
		return u.String()
	}
	return (&url.URL{Path: s}).String()
}

// properties are what SARIF has no place for.
func properties(f *sinew.Finding) map[string]any {
	p := map[string]any{"security-severity": scores[f.Severity], "severity": string(f.Severity), "state": string(f.State), "class": string(f.Class)}
	for name, value := range map[string]string{
		"application": f.Application, "service": f.Service, "target": f.Target, "owner": f.Owner,
		"packageName": packageOf(f).Name, "packageVersion": packageOf(f).Version, "purl": packageOf(f).PURL,
		"first_seen": moment(f.FirstSeen), "last_seen": moment(f.LastSeen),
	} {
		if value != "" {
			p[name] = value
		}
	}
	if len(f.IDs) > 0 {
		p["aliases"] = f.IDs
	}
	if len(f.CWE) > 0 {
		tags := weaknesses(f)
		slices.Sort(tags)
		p["cwe"] = tags
	}
	return p
}
