package sinew

import "time"

// Verdict is what a person decides about a finding.
type Verdict string

// The verdicts. Reopen withdraws the standing one.
const (
	VerdictTriaged       Verdict = "triaged"
	VerdictInProgress    Verdict = "in_progress"
	VerdictAccepted      Verdict = "accepted"
	VerdictFalsePositive Verdict = "false_positive"
	VerdictReopen        Verdict = "reopen"
)

// Verdicts lists every verdict.
var Verdicts = []Verdict{VerdictTriaged, VerdictInProgress, VerdictAccepted, VerdictFalsePositive, VerdictReopen}

// Decision is what a person decided, about which findings and why.
type Decision struct {
	Findings []string  `json:"findings"` // public ids
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason,omitempty"`
	Until    time.Time `json:"until,omitzero"` // the decision stands until then
	Owner    string    `json:"owner,omitempty"`
}

// Validate reports what keeps d from being recorded. Putting a finding out of
// the numbers needs a reason.
func (d *Decision) Validate() error {
	switch d.Verdict {
	case VerdictTriaged, VerdictInProgress, VerdictReopen:
	case VerdictAccepted, VerdictFalsePositive:
		if d.Reason == "" {
			return Errorf(CodeInvalid, "the verdict %s needs a reason", d.Verdict).Hint("say why in --reason")
		}
	default:
		return Errorf(CodeInvalid, "unknown verdict %q", d.Verdict).Hint("use triaged, in_progress, accepted, false_positive or reopen")
	}
	if len(d.Findings) == 0 {
		return Errorf(CodeInvalid, "the decision names no finding")
	}
	return nil
}

// LinkKind says what a person says of findings being the same problem.
type LinkKind string

// The kinds of links.
const (
	LinkSame      LinkKind = "same"      // these are one problem
	LinkDifferent LinkKind = "different" // these are not
	LinkNever     LinkKind = "never"     // findings of these rules never are
)

// Link is what a person says of findings being the same problem. It is stronger
// than every rule of correlation, and holds until it is taken back.
type Link struct {
	Kind     LinkKind `json:"kind"`
	Findings []string `json:"findings"` // public ids: all are one problem, or the first is none of the others
	Reason   string   `json:"reason,omitempty"`
}

// Validate reports what keeps l from being recorded.
func (l *Link) Validate() error {
	switch l.Kind {
	case LinkSame, LinkDifferent, LinkNever:
	default:
		return Errorf(CodeInvalid, "unknown kind of link %q", l.Kind).Hint("use same, different or never")
	}
	if len(l.Findings) < 2 {
		return Errorf(CodeInvalid, "a link names at least two findings")
	}
	if len(l.Findings) > maxLinked {
		return Errorf(CodeTooLarge, "a link names at most %d findings, not %d", maxLinked, len(l.Findings))
	}
	return nil
}

// maxLinked is how many findings one link may name.
const maxLinked = 100
