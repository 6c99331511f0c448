package sinew

import "time"

// FindingState is the headline state of a finding, derived from its presences
// and the standing decision (docs/decisions/004-states.md).
type FindingState string

// The finding states.
const (
	StateOpen          FindingState = "open"
	StateTriaged       FindingState = "triaged"
	StateInProgress    FindingState = "in_progress"
	StateAccepted      FindingState = "accepted"
	StateFalsePositive FindingState = "false_positive"
	StateFixed         FindingState = "fixed"        // verified by a covering scan
	StateNotObserved   FindingState = "not_observed" // a newer scan did not see it, and did not cover it
	StateScopeLost     FindingState = "scope_lost"   // nothing looks there any more
	StateGone          FindingState = "gone"         // the asset ended
)

// FindingStates lists every state.
var FindingStates = []FindingState{
	StateOpen, StateTriaged, StateInProgress, StateAccepted, StateFalsePositive,
	StateFixed, StateNotObserved, StateScopeLost, StateGone,
}

// Active reports whether a finding in this state counts as a problem that still
// has to be dealt with. Not observed and scope lost are active: absence of
// evidence improves no number.
func (s FindingState) Active() bool {
	switch s {
	case StateOpen, StateTriaged, StateInProgress, StateNotObserved, StateScopeLost:
		return true
	case StateAccepted, StateFalsePositive, StateFixed, StateGone:
		return false
	}
	return false
}

// PresenceState is the state of a finding in one place.
type PresenceState string

// The presence states.
const (
	PresenceObserved    PresenceState = "observed"
	PresenceNotObserved PresenceState = "not_observed"
	PresenceScopeLost   PresenceState = "scope_lost"
	PresenceFixed       PresenceState = "fixed"
	PresenceGone        PresenceState = "gone"
)

// PresenceStates lists every presence state, the one that weighs most in a
// headline first.
var PresenceStates = []PresenceState{
	PresenceObserved, PresenceScopeLost, PresenceNotObserved, PresenceFixed, PresenceGone,
}

// PlaceKind says what a presence is in.
type PlaceKind string

// The place kinds.
const (
	PlaceDefault  PlaceKind = "default"  // the default branch, or the only ref of a target that has no refs
	PlaceRelease  PlaceKind = "release"  // a release branch or tag
	PlaceBranch   PlaceKind = "branch"   // any other branch or tag
	PlaceChange   PlaceKind = "change"   // a pull or merge request
	PlaceDeployed PlaceKind = "deployed" // whatever version runs in an environment
)

// Counts reports whether presences in such a place count in a headline. A
// finding seen nowhere that counts is headlined by the places where it is.
func (k PlaceKind) Counts() bool {
	return k == PlaceDefault || k == PlaceRelease || k == PlaceDeployed
}

// Place is a ref of a stream, or the deployed version of a target in an
// environment.
type Place struct {
	Kind        PlaceKind `json:"kind"`
	Stream      Stream    `json:"stream"` // without ref for a deployed place
	Ref         string    `json:"ref,omitempty"`
	Environment string    `json:"environment,omitempty"`
	Version     string    `json:"version,omitempty"` // commit or digest of the newest snapshot folded in
	Ended       string    `json:"ended,omitempty"`   // closed, merged or deleted; empty while it lives
}

// Presence is a finding in a place: the interval during which it was there, and
// how sure we are that it still is or no longer is.
type Presence struct {
	Place     Place         `json:"place"`
	State     PresenceState `json:"state"`
	Basis     Basis         `json:"basis,omitempty"` // of a fixed one: proven or declared
	FirstSeen time.Time     `json:"first_seen"`
	LastSeen  time.Time     `json:"last_seen"`
	Since     time.Time     `json:"since"`             // when the state began
	Cause     string        `json:"cause,omitempty"`   // why, in one sentence
	Snapshot  string        `json:"snapshot"`          // public id of the snapshot that last saw it
	Matched   string        `json:"matched,omitempty"` // matcher pass that joined the newest observation
	File      string        `json:"file,omitempty"`
	Line      int           `json:"line,omitempty"`
}

// Finding is one problem, whatever the ref, commit, digest or environment.
type Finding struct {
	ID          string       `json:"id"`
	Application string       `json:"application,omitempty"`
	Service     string       `json:"service,omitempty"`
	Unit        string       `json:"unit"` // access unit
	Class       Class        `json:"class"`
	State       FindingState `json:"state"`
	FirstSeen   time.Time    `json:"first_seen"`
	LastSeen    time.Time    `json:"last_seen"`
	Since       time.Time    `json:"state_since"`
	Reopened    int          `json:"reopened,omitempty"`
	Owner       string       `json:"owner,omitempty"`

	Tool     string    `json:"tool"`
	Rule     string    `json:"rule,omitempty"`
	Title    string    `json:"title"`
	Severity Severity  `json:"severity"`
	CWE      []int     `json:"cwe,omitempty"`
	IDs      []string  `json:"ids,omitempty"`
	File     string    `json:"file,omitempty"`
	Line     int       `json:"line,omitempty"`
	Package  *Package  `json:"package,omitempty"`
	Resource *Resource `json:"resource,omitempty"`
	Endpoint *Endpoint `json:"endpoint,omitempty"`
	Image    string    `json:"image,omitempty"`
	Host     string    `json:"host,omitempty"`
	Target   string    `json:"target"`

	// PartOf is the finding that this one is shown as part of: the same problem, as
	// another stream tells it. Tools are all that tell it, where there are several.
	PartOf string   `json:"part_of,omitempty"`
	Tools  []string `json:"tools,omitempty"`
}

// Cluster is findings that are one problem, as several streams tell it.
type Cluster struct {
	Lead    string    `json:"lead"`                     // the finding that it is shown as
	Members []Finding `json:"members" nullable:"false"` // with the lead, which comes first
	Joins   []Join    `json:"joins" nullable:"false"`   // why they are one problem
}

// Join says why two findings are one problem.
type Join struct {
	A      string      `json:"a"`
	B      string      `json:"b"`
	Rule   string      `json:"rule"`
	Fields []JoinField `json:"fields" nullable:"false"`
	At     time.Time   `json:"at"`  // when that was found
	Seq    int64       `json:"seq"` // entry of the log that brought it
}

// JoinField is a field that a rule compared, and what both findings say of it.
type JoinField struct {
	Field string `json:"field"`
	A     string `json:"a"`
	B     string `json:"b,omitempty"` // empty when both say the same
}

// Event is one step in a finding's history.
type Event struct {
	At      time.Time `json:"at"`       // when it was true in the world
	KnownAt time.Time `json:"known_at"` // when we learned it
	Seq     int64     `json:"seq"`      // log entry that caused it
	Kind    string    `json:"kind"`     // opened, closed, reopened, moved, rescored, decided, ...
	Place   string    `json:"place,omitempty"`
	From    string    `json:"from,omitempty"`
	To      string    `json:"to,omitempty"`
	Cause   string    `json:"cause"` // one sentence with the evidence
	Actor   string    `json:"actor,omitempty"`
	// ActorName is the name or login of the person, while it is known.
	ActorName string `json:"actor_name,omitempty"`
	Snapshot  string `json:"snapshot,omitempty"`
}

// Evidence is the redacted report that an observation came from.
type Evidence struct {
	Snapshot string    `json:"snapshot"`
	Report   string    `json:"report,omitempty"`
	Digest   string    `json:"digest"` // sha256 of the redacted bytes
	Bytes    int64     `json:"bytes"`
	Deleted  time.Time `json:"deleted,omitzero"` // set when retention or a request removed it
}
