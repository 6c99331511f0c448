package sinew

import "time"

// Stream is where a snapshot comes from, in the sense that a newer snapshot of
// the same stream supersedes an older one, and no other. A new stream closes
// nothing in another.
type Stream struct {
	Source string `json:"source,omitempty"` // source instance: the pipeline, gateway or account that sends; empty for uploads by hand
	Tool   string `json:"tool"`             // format or tool id: trivy, semgrep, ...
	Target string `json:"target"`           // what was looked at: repository, image without tag, account, cluster, host group
	Ref    string `json:"ref,omitempty"`    // branch, tag, change (pr:12) or image tag
	Label  string `json:"label,omitempty"`  // tells two configurations of one tool on one target apart
}

// Family is a stream without its ref: the domain within which the same problem
// keeps one identity whatever the ref, commit, digest or environment.
func (s Stream) Family() Stream { s.Ref = ""; return s }

// Mode is how a snapshot changes what is known of its stream.
type Mode string

// The modes.
const (
	ModeComplete Mode = "complete" // supersedes the stream's older snapshot, within its coverage
	ModeDelta    Mode = "delta"    // adds, and withdraws what it names
	ModeWindow   Mode = "window"   // aggregates of [t0,t1): adds, never closes
)

// CoverageStatus says how the scan went.
type CoverageStatus string

// The coverage statuses; the empty one means that nobody told.
const (
	CoverageUnknown  CoverageStatus = ""
	CoverageComplete CoverageStatus = "complete"
	CoveragePartial  CoverageStatus = "partial"
	CoverageFailed   CoverageStatus = "failed"
)

// Basis says who vouches for a coverage.
type Basis string

// The bases; the empty one means that nobody does.
const (
	BasisNone     Basis = ""
	BasisProven   Basis = "proven"   // the report itself shows it
	BasisDeclared Basis = "declared" // the uploader says so
)

// Coverage is what a scan looked at. A finding closes only when a newer coverage
// of its stream includes its rule and place.
type Coverage struct {
	Status CoverageStatus `json:"status,omitempty"`
	Basis  Basis          `json:"basis,omitempty"`
	Reason string         `json:"reason,omitempty"` // why partial or failed, in the tool's words
	Commit string         `json:"commit,omitempty"`
	Digest string         `json:"digest,omitempty"`
	Rules  Scope          `json:"rules,omitzero"`
	Paths  Scope          `json:"paths,omitzero"` // files; slash-separated, relative to the target's root
	Hosts  Scope          `json:"hosts,omitzero"` // machines, endpoints, accounts, resources
}

// Scope is one dimension of a coverage. The zero Scope is "not told", which
// includes nothing.
type Scope struct {
	All     bool     `json:"all,omitempty"`
	Include []string `json:"include,omitempty"` // globs: * within a segment, ** across
	Exclude []string `json:"exclude,omitempty"` // globs, taken away from All or Include
}

// Snapshot is one accepted report, inventory or window, without its
// observations: these follow it as a stream (see [SnapshotBody]).
type Snapshot struct {
	Schema      string    `json:"schema"` // snapshot/v1
	Stream      Stream    `json:"stream"`
	Mode        Mode      `json:"mode"`
	Coverage    Coverage  `json:"coverage"`
	At          time.Time `json:"at,omitzero"`          // the uploader's word for when the scan saw the world
	ReportedAt  time.Time `json:"reported_at,omitzero"` // the report's own word
	Application string    `json:"application,omitempty"`
	Service     string    `json:"service,omitempty"`
	Commit      string    `json:"commit,omitempty"`
	Ancestors   []string  `json:"ancestors,omitempty"` // commits that Commit descends from, nearest first, at most 1,000
	Digest      string    `json:"digest,omitempty"`    // of the artifact that was scanned: sha256:...
	Environment string    `json:"environment,omitempty"`
	Deployment  string    `json:"deployment,omitempty"`
	Base        string    `json:"base,omitempty"` // the ref that a change (pr:N) wants to merge into

	Format     string   `json:"format"`           // id/version of the mapping
	FormatSHA  string   `json:"format_sha"`       // digest of the mapping's text
	ToolName   string   `json:"tool_name"`        // as the report names it
	ToolVer    string   `json:"tool_version"`     // as the report names it
	ReportName string   `json:"report,omitempty"` // base name of the file
	Notes      []string `json:"notes,omitempty"`  // what the reader had to decide: duplicate keys, cut fields, rows left out

	Observations int    `json:"observations"`        // how many follow
	Body         string `json:"body,omitempty"`      // sha256 of the body's canonical text
	Evidence     string `json:"evidence,omitempty"`  // sha256 of the redacted report
	RawMAC       string `json:"raw_mac,omitempty"`   // keyed digest of the bytes as uploaded
	AssetCount   int    `json:"assets,omitempty"`    // assets and relations in the body
	Withdrawn    int    `json:"withdrawn,omitempty"` // facts named for withdrawal in a delta
	Uploader     string `json:"uploader,omitempty"`  // pseudonym
	Idempotency  string `json:"idempotency,omitempty"`
}

// SnapshotSchema is the version of the snapshot contract written today.
const SnapshotSchema = "snapshot/v1"

// EffectiveAt is the time that orders snapshots: the uploader's, else the
// report's, else receipt.
func (s *Snapshot) EffectiveAt(received time.Time) time.Time {
	switch {
	case !s.At.IsZero():
		return s.At
	case !s.ReportedAt.IsZero():
		return s.ReportedAt
	}
	return received
}

// SnapshotBody is one line of a snapshot's body: exactly one field is set. The
// canonical text is one JSON object a line, observations first, in report order.
type SnapshotBody struct {
	Observation *Observation `json:"o,omitempty"`
	Asset       *Asset       `json:"a,omitempty"`
	Relation    *Relation    `json:"r,omitempty"`
	Withdraw    string       `json:"w,omitempty"` // tool id of an observation that a delta takes back
}

// Validate reports what keeps s from being accepted.
func (s *Snapshot) Validate() error {
	switch {
	case s.Stream.Tool == "":
		return Errorf(CodeInvalid, "the snapshot names no tool")
	case s.Stream.Target == "":
		return Errorf(CodeInvalid, "the report does not say what was scanned").Hint("name it as the target, for example git.example.org/shop/web: --target on the command line, Target on the import page")
	case s.Mode != ModeComplete && s.Mode != ModeDelta && s.Mode != ModeWindow:
		return Errorf(CodeInvalid, "unknown mode %q", s.Mode).Hint("use complete, delta or window")
	}
	return s.Coverage.Validate()
}

// Validate reports a status or basis that is none of the known ones.
func (c Coverage) Validate() error {
	switch c.Status {
	case CoverageUnknown, CoverageComplete, CoveragePartial, CoverageFailed:
	default:
		return Errorf(CodeInvalid, "unknown coverage %q", c.Status).Hint("use complete, partial or failed")
	}
	switch c.Basis {
	case BasisNone, BasisProven, BasisDeclared:
		return nil
	}
	return Errorf(CodeInvalid, "unknown coverage basis %q", c.Basis)
}
