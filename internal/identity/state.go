package identity

import "github.com/sinewsec/sinew/internal/sinew"

// Event is what evidence does to a presence (docs/decisions/004-states.md).
type Event uint8

// The events.
const (
	EventNone             Event = iota // says nothing
	EventSeen                          // observed
	EventUnseenCovered                 // looked there and did not see it
	EventUnseenNotCovered              // did not see it, and may not have looked
	EventWithdrawn                     // a delta takes it back
	EventScopeLost                     // branch deleted, target lost, deployed version never scanned
	EventEnded                         // change merged or closed; asset ended
	EventToolFixed                     // observed with the tool's status "fixed"
	EventMerged                        // a change that has it was merged into this place
)

// Events lists every event.
var Events = []Event{
	EventNone, EventSeen, EventUnseenCovered, EventUnseenNotCovered, EventWithdrawn, EventScopeLost, EventEnded,
	EventToolFixed, EventMerged,
}

func (e Event) String() string {
	names := [...]string{
		"none", "seen", "unseen, covered", "unseen, not covered", "withdrawn", "scope lost", "ended",
		"tool says fixed", "merged",
	}
	if int(e) < len(names) {
		return names[e]
	}
	return "unknown"
}

// EventOf is the event of an observation with the given status of its tool.
func EventOf(status sinew.ToolStatus) Event {
	if status == sinew.ToolFixed {
		return EventToolFixed
	}
	return EventSeen
}

// UnseenEvent is what a snapshot does to a presence of its place that it does not
// observe. A delta withdraws by [EventWithdrawn], beside this.
func UnseenEvent(mode sinew.Mode, status sinew.CoverageStatus, covered Answer) Event {
	switch {
	case mode != sinew.ModeComplete, status == sinew.CoverageFailed:
		return EventNone
	case covered == Yes:
		return EventUnseenCovered
	}
	return EventUnseenNotCovered
}

// PresenceNone is the state of a presence that does not exist yet.
const PresenceNone sinew.PresenceState = ""

// Step is the table of docs/decisions/004-states.md: the state of a presence after
// an event.
func Step(from sinew.PresenceState, ev Event) sinew.PresenceState {
	switch ev {
	case EventSeen:
		return sinew.PresenceObserved
	case EventToolFixed:
		if from == sinew.PresenceGone {
			return from
		}
		return sinew.PresenceFixed
	case EventMerged:
		if from == PresenceNone {
			return sinew.PresenceNotObserved
		}
		return from
	case EventNone:
		return from
	case EventUnseenCovered, EventUnseenNotCovered, EventWithdrawn, EventScopeLost, EventEnded:
	}
	switch from {
	case sinew.PresenceObserved, sinew.PresenceNotObserved, sinew.PresenceScopeLost:
		switch ev {
		case EventUnseenCovered, EventWithdrawn:
			return sinew.PresenceFixed
		case EventUnseenNotCovered:
			if from == sinew.PresenceScopeLost {
				return from
			}
			return sinew.PresenceNotObserved
		case EventScopeLost:
			return sinew.PresenceScopeLost
		case EventEnded:
			return sinew.PresenceGone
		case EventNone, EventSeen, EventToolFixed, EventMerged:
		}
	case sinew.PresenceFixed:
		if ev == EventEnded {
			return sinew.PresenceGone
		}
	case sinew.PresenceGone, PresenceNone:
	}
	return from
}

// Reopens reports whether a presence that was in state from is reopened by being
// observed: it had been seen to be away.
func Reopens(from, to sinew.PresenceState) bool {
	return to == sinew.PresenceObserved && (from == sinew.PresenceFixed || from == sinew.PresenceGone)
}

// PresenceView is what a headline asks of a presence.
type PresenceView struct {
	Kind   sinew.PlaceKind
	State  sinew.PresenceState
	Tool   sinew.ToolStatus // of its newest observation
	SeenAt int64            // when that was
}

// Headline derives the state of a finding from its presences and the standing word
// of a person ("" for none; [sinew.VerdictReopen] if a person took the last one
// back, which also silences the tool's own status). It names the presence that
// makes the state: of those that decide the one whose place comes first by kind,
// then in the order given; -1 if there are none.
func Headline(presences []PresenceView, verdict sinew.Verdict) (state sinew.FindingState, by int) {
	deciding, by := decidingState(presences)
	switch deciding {
	case sinew.PresenceFixed:
		return sinew.StateFixed, by
	case sinew.PresenceGone:
		return sinew.StateGone, by
	case sinew.PresenceObserved, sinew.PresenceNotObserved, sinew.PresenceScopeLost:
	}
	v, _ := Standing(presences, verdict)
	switch v {
	case sinew.VerdictAccepted:
		return sinew.StateAccepted, by
	case sinew.VerdictFalsePositive:
		return sinew.StateFalsePositive, by
	case sinew.VerdictTriaged, sinew.VerdictInProgress, sinew.VerdictReopen:
	}
	switch {
	case deciding == sinew.PresenceScopeLost:
		return sinew.StateScopeLost, by
	case deciding != sinew.PresenceObserved:
		return sinew.StateNotObserved, by
	case v == sinew.VerdictTriaged:
		return sinew.StateTriaged, by
	case v == sinew.VerdictInProgress:
		return sinew.StateInProgress, by
	}
	return sinew.StateOpen, by
}

// Standing is the decision that counts: the person's, else the tool's own status,
// and whether it is the tool's. A tool's word counts only where every presence that
// decides the headline carries one: a suppression on one branch hides nothing on
// another. Of several the newest counts.
func Standing(presences []PresenceView, verdict sinew.Verdict) (v sinew.Verdict, byTool bool) {
	if verdict != "" {
		return verdict, false
	}
	deciding, by := decidingState(presences)
	if by < 0 {
		return "", false
	}
	counts := presences[by].Kind.Counts()
	newest := -1
	for i := range presences {
		p := &presences[i]
		if p.State != deciding || p.Kind.Counts() != counts {
			continue
		}
		if toolVerdict(p.Tool) == "" {
			return "", false
		}
		if newest < 0 || p.SeenAt > presences[newest].SeenAt {
			newest = i
		}
	}
	return toolVerdict(presences[newest].Tool), true
}

func toolVerdict(s sinew.ToolStatus) sinew.Verdict {
	switch s {
	case sinew.ToolAccepted:
		return sinew.VerdictAccepted
	case sinew.ToolFalsePositive:
		return sinew.VerdictFalsePositive
	case sinew.ToolOpen, sinew.ToolFixed:
	}
	return ""
}

// decidingState is the weightiest state of the presences that make the headline, and
// the presence that stands for it. Presences in places that count make it unless all
// of them are gone; else the others do; else those that are gone.
func decidingState(presences []PresenceView) (state sinew.PresenceState, by int) {
	counting := false
	for i := range presences {
		if presences[i].Kind.Counts() && presences[i].State != sinew.PresenceGone {
			counting = true
		}
	}
	by = -1
	best := 0
	for i := range presences {
		p := &presences[i]
		if counting && !p.Kind.Counts() {
			continue
		}
		if w := weight(p.State)<<3 + (7 - KindRank(p.Kind)); by < 0 || w > best {
			best, by, state = w, i, p.State
		}
	}
	return state, by
}

func weight(s sinew.PresenceState) int {
	switch s {
	case sinew.PresenceObserved:
		return 5
	case sinew.PresenceScopeLost:
		return 4
	case sinew.PresenceNotObserved:
		return 3
	case sinew.PresenceFixed:
		return 2
	case sinew.PresenceGone:
		return 1
	}
	return 0
}

// KindRank orders the kinds of places: 0 for the default branch, then releases, what
// is deployed, branches and changes.
func KindRank(k sinew.PlaceKind) int {
	switch k {
	case sinew.PlaceDefault:
		return 0
	case sinew.PlaceRelease:
		return 1
	case sinew.PlaceDeployed:
		return 2
	case sinew.PlaceBranch:
		return 3
	case sinew.PlaceChange:
		return 4
	}
	return 5
}

// DecisionEvent is what happens to the standing decision of a finding.
type DecisionEvent uint8

// The decision events.
const (
	DecisionMade     DecisionEvent = iota // a person gave a verdict
	DecisionExpired                       // until passed
	DecisionReopened                      // observed again after fixed or gone
)

// StepDecision is the second table of docs/decisions/004-states.md: the standing
// decision after an event; made is the verdict of [DecisionMade].
func StepDecision(standing sinew.Verdict, ev DecisionEvent, made sinew.Verdict) sinew.Verdict {
	switch ev {
	case DecisionMade:
		return made
	case DecisionExpired:
		return ""
	case DecisionReopened:
		if standing == sinew.VerdictTriaged || standing == sinew.VerdictInProgress {
			return ""
		}
	}
	return standing
}
