package sinew

import "time"

// Observation is what one row of a report says, after mapping: the finding of
// the parse/v1 contract. It has no identity yet; package identity decides which
// [Finding] it is.
type Observation struct {
	Tool         string    `json:"tool"`
	Rule         string    `json:"rule,omitempty"`
	Title        string    `json:"title"`
	Description  string    `json:"description,omitempty"` // Markdown
	Fix          string    `json:"fix,omitempty"`         // Markdown
	Severity     Severity  `json:"severity"`
	ToolSeverity string    `json:"tool_severity,omitempty"` // the tool's own word
	CWE          []int     `json:"cwe,omitempty"`
	IDs          []string  `json:"ids,omitempty"` // CVE, GHSA, ... as the tool gave them
	CVSS         []CVSS    `json:"cvss,omitempty"`
	File         string    `json:"file,omitempty"`
	Line         int       `json:"line,omitempty"`
	EndLine      int       `json:"end_line,omitempty"`
	Symbol       string    `json:"symbol,omitempty"`
	Snippet      string    `json:"snippet,omitempty"`
	Package      *Package  `json:"package,omitempty"`
	Resource     *Resource `json:"resource,omitempty"`
	Endpoint     *Endpoint `json:"endpoint,omitempty"`
	Image        string    `json:"image,omitempty"`
	Host         string    `json:"host,omitempty"`
	// Secret is the redaction token of the secret's value
	// (sinew:secret:<key id>:<hmac>); the value itself never gets here.
	Secret       string            `json:"secret,omitempty"`
	ToolID       string            `json:"tool_id,omitempty"`      // stable id given by the tool
	Fingerprints map[string]string `json:"fingerprints,omitempty"` // scheme -> value
	Status       ToolStatus        `json:"status,omitempty"`       // as the tool says
	At           *time.Time        `json:"at,omitempty"`           // time seen
	Refs         []string          `json:"refs,omitempty"`
	Tags         []string          `json:"tags,omitempty"`
	Extra        map[string]any    `json:"extra,omitempty"`
}

// CVSS is one score as a source gave it.
type CVSS struct {
	Version string  `json:"version,omitempty"` // 2.0, 3.0, 3.1, 4.0
	Vector  string  `json:"vector,omitempty"`
	Score   float64 `json:"score,omitempty"`
}

// Package is a software component where it is installed.
type Package struct {
	Name    string   `json:"name,omitempty"`
	Version string   `json:"version,omitempty"`
	PURL    string   `json:"purl,omitempty"`
	Fixed   []string `json:"fixed,omitempty"` // versions that repair it
	Path    string   `json:"path,omitempty"`  // manifest, lock file or archive that holds it
}

// Resource is a cloud or cluster resource.
type Resource struct {
	Provider string `json:"provider,omitempty"`
	Account  string `json:"account,omitempty"`
	Region   string `json:"region,omitempty"`
	Type     string `json:"type,omitempty"`
	ID       string `json:"id,omitempty"`
	Name     string `json:"name,omitempty"`
}

// Endpoint is a web or network endpoint.
type Endpoint struct {
	Method string `json:"method,omitempty"`
	URL    string `json:"url,omitempty"`
	Param  string `json:"param,omitempty"`
}

// ToolStatus is what a tool itself says of a finding's state.
type ToolStatus string

// The tool statuses; the empty one is open.
const (
	ToolOpen          ToolStatus = "open"
	ToolFalsePositive ToolStatus = "false_positive"
	ToolAccepted      ToolStatus = "accepted"
	ToolFixed         ToolStatus = "fixed"
)

// Class says what kind of place a finding is in, and with it which matching
// rules apply and which dimensions of a coverage are asked.
type Class string

// The classes.
const (
	ClassCode       Class = "code"       // a place in a file: SAST, IaC as text
	ClassDependency Class = "dependency" // a package in a manifest, image or host
	ClassSecret     Class = "secret"     // a credential in a file or in history
	ClassResource   Class = "resource"   // a cloud or cluster resource
	ClassWeb        Class = "web"        // an endpoint
	ClassHost       Class = "host"       // a machine and port
	ClassOther      Class = "other"      // the report tells no place
)

// Class derives the class of o from the fields that it has, most telling first.
func (o *Observation) Class() Class {
	switch {
	case o.Secret != "":
		return ClassSecret
	case o.Package != nil && (o.Package.Name != "" || o.Package.PURL != ""):
		return ClassDependency
	case o.Resource != nil && (o.Resource.ID != "" || o.Resource.Name != "" || o.Resource.Type != ""):
		return ClassResource
	case o.Host != "" && o.File == "":
		return ClassHost
	case o.Endpoint != nil && o.Endpoint.URL != "" && o.File == "":
		return ClassWeb
	case o.File != "":
		return ClassCode
	}
	return ClassOther
}
