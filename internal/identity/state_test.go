package identity

import (
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// ING6: the first table of docs/decisions/004-states.md, every cell. merged is the
// column that closes its hole: a change that went in is not gone from where it went.
const stepTable = `
from         | seen     | unseen, covered | unseen, not covered | withdrawn | scope lost | ended | tool says fixed | merged       | none
-            | observed | -               | -                   | -         | -          | -     | fixed           | not_observed | -
observed     | observed | fixed           | not_observed        | fixed     | scope_lost | gone  | fixed           | observed     | observed
not_observed | observed | fixed           | not_observed        | fixed     | scope_lost | gone  | fixed           | not_observed | not_observed
scope_lost   | observed | fixed           | scope_lost          | fixed     | scope_lost | gone  | fixed           | scope_lost   | scope_lost
fixed        | observed | fixed           | fixed               | fixed     | fixed      | gone  | fixed           | fixed        | fixed
gone         | observed | gone            | gone                | gone      | gone       | gone  | gone            | gone         | gone
`

// cells splits a table of text into its header and rows.
func cells(table string) (header []string, rows [][]string) {
	for line := range strings.Lines(strings.TrimSpace(table)) {
		var row []string
		for c := range strings.SplitSeq(line, "|") {
			row = append(row, strings.TrimSpace(c))
		}
		if header == nil {
			header = row
		} else {
			rows = append(rows, row)
		}
	}
	return header, rows
}

func TestStep(t *testing.T) {
	header, rows := cells(stepTable)
	if len(header)-1 != len(Events) || len(rows) != len(sinew.PresenceStates)+1 {
		t.Fatalf("the table has %d events and %d states; there are %d and %d", len(header)-1, len(rows), len(Events), len(sinew.PresenceStates)+1)
	}
	state := func(s string) sinew.PresenceState {
		if s == "-" {
			return PresenceNone
		}
		return sinew.PresenceState(s)
	}
	for _, row := range rows {
		for i, name := range header[1:] {
			found := false
			for _, ev := range Events {
				if ev.String() != name {
					continue
				}
				found = true
				if got := Step(state(row[0]), ev); got != state(row[i+1]) {
					t.Errorf("%s, %s: %q, want %q", row[0], name, got, row[i+1])
				}
			}
			if !found {
				t.Fatalf("there is no event %q", name)
			}
		}
	}
}

func TestReopens(t *testing.T) {
	for _, from := range append(sinew.PresenceStates, PresenceNone) {
		for _, to := range sinew.PresenceStates {
			want := to == sinew.PresenceObserved && (from == sinew.PresenceFixed || from == sinew.PresenceGone)
			if got := Reopens(from, to); got != want {
				t.Errorf("%q to %q: %v", from, to, got)
			}
		}
	}
}

// ING6: the events of a presence that a snapshot does not show (decision 003).
func TestUnseenEvent(t *testing.T) {
	for _, mode := range []sinew.Mode{sinew.ModeComplete, sinew.ModeDelta, sinew.ModeWindow} {
		for _, status := range []sinew.CoverageStatus{sinew.CoverageUnknown, sinew.CoverageComplete, sinew.CoveragePartial, sinew.CoverageFailed} {
			for _, a := range []Answer{No, Unknown, Yes} {
				want := EventUnseenNotCovered
				if a == Yes {
					want = EventUnseenCovered
				}
				if mode != sinew.ModeComplete || status == sinew.CoverageFailed {
					want = EventNone
				}
				if got := UnseenEvent(mode, status, a); got != want {
					t.Errorf("%s, %s, %s: %s, want %s", mode, status, a, got, want)
				}
			}
		}
	}
	if EventOf(sinew.ToolFixed) != EventToolFixed || EventOf(sinew.ToolAccepted) != EventSeen || EventOf("") != EventSeen {
		t.Error("an observation has another event than its status says")
	}
}

// ING6: the second table of docs/decisions/004-states.md, every cell.
const headlineTable = `
presences    | none         | reopen       | triaged      | in_progress  | accepted | false_positive
observed     | open         | open         | triaged      | in_progress  | accepted | false_positive
scope_lost   | scope_lost   | scope_lost   | scope_lost   | scope_lost   | accepted | false_positive
not_observed | not_observed | not_observed | not_observed | not_observed | accepted | false_positive
fixed        | fixed        | fixed        | fixed        | fixed        | fixed    | fixed
gone         | gone         | gone         | gone         | gone         | gone     | gone
`

func TestHeadlineTable(t *testing.T) {
	header, rows := cells(headlineTable)
	for i, row := range rows {
		for j, decision := range header[1:] {
			verdict := sinew.Verdict(strings.TrimPrefix(decision, "none"))
			// The row's state decides whatever weighs less stands beside it.
			var views []PresenceView
			for _, weaker := range rows[i:] {
				views = append(views, PresenceView{Kind: sinew.PlaceDefault, State: sinew.PresenceState(weaker[0])})
				got, by := Headline(views, verdict)
				if string(got) != row[j+1] || views[by].State != views[0].State {
					t.Errorf("%v, decision %s: %s by %d, want %s", views, decision, got, by, row[j+1])
				}
			}
		}
	}
	if got, by := Headline(nil, ""); by != -1 || !got.Active() {
		t.Errorf("a finding without presences is %s by %d", got, by)
	}
}

// GRA14: which places make the headline.
func TestHeadlinePlaces(t *testing.T) {
	tests := []struct {
		name      string
		presences string // kind:state, ...
		want      sinew.FindingState
		by        int
	}{
		{"a branch alone", "branch:observed", sinew.StateOpen, 0},
		{"a branch does not reopen what is fixed on main", "branch:observed default:fixed", sinew.StateFixed, 1},
		{"fixed on main, still running in production", "default:fixed deployed:observed", sinew.StateOpen, 1},
		{"fixed on main, still in a release", "default:fixed release:observed", sinew.StateOpen, 1},
		{"main first among equals", "release:observed default:observed deployed:observed", sinew.StateOpen, 1},
		{"in order among equals of one kind", "release:observed release:observed", sinew.StateOpen, 0},
		{"gone from main, open in a branch", "default:gone branch:observed", sinew.StateOpen, 1},
		{"gone from main, fixed in a release, open in a branch", "default:gone release:fixed branch:observed", sinew.StateFixed, 1},
		{"gone everywhere", "default:gone change:gone", sinew.StateGone, 0},
		{"a change that is gone, open on main", "change:gone default:observed", sinew.StateOpen, 1},
		{"a branch is deleted", "default:fixed branch:scope_lost", sinew.StateFixed, 0},
		{"only a deleted branch had it", "branch:scope_lost change:gone", sinew.StateScopeLost, 0},
		{"a change is seen, main was not looked at", "default:not_observed change:observed", sinew.StateNotObserved, 0},
	}
	for _, tt := range tests {
		var views []PresenceView
		for f := range strings.FieldsSeq(tt.presences) {
			kind, state, _ := strings.Cut(f, ":")
			views = append(views, PresenceView{Kind: sinew.PlaceKind(kind), State: sinew.PresenceState(state)})
		}
		if got, by := Headline(views, ""); got != tt.want || by != tt.by {
			t.Errorf("%s: %s by %d, want %s by %d", tt.name, got, by, tt.want, tt.by)
		}
	}
}

// ING6: a tool's own word stands where no person spoke, and hides nothing on a ref
// where the tool does not say it.
func TestStandingToolStatus(t *testing.T) {
	view := func(kind sinew.PlaceKind, tool sinew.ToolStatus, at int64) PresenceView {
		return PresenceView{Kind: kind, State: sinew.PresenceObserved, Tool: tool, SeenAt: at}
	}
	tests := []struct {
		name    string
		views   []PresenceView
		verdict sinew.Verdict
		want    sinew.FindingState
		byTool  bool
	}{
		{"the tool's word", []PresenceView{view("default", sinew.ToolFalsePositive, 1)}, "", sinew.StateFalsePositive, true},
		{"a person's word first", []PresenceView{view("default", sinew.ToolFalsePositive, 1)}, sinew.VerdictTriaged, sinew.StateTriaged, false},
		{"a person reopened it", []PresenceView{view("default", sinew.ToolFalsePositive, 1)}, sinew.VerdictReopen, sinew.StateOpen, false},
		{"suppressed on a release only", []PresenceView{view("default", "", 1), view("release", sinew.ToolAccepted, 2)}, "", sinew.StateOpen, false},
		{"suppressed on both, the newest word", []PresenceView{view("default", sinew.ToolAccepted, 1), view("release", sinew.ToolFalsePositive, 2)}, "", sinew.StateFalsePositive, true},
		{"suppressed on a branch that does not count", []PresenceView{view("default", "", 1), view("branch", sinew.ToolAccepted, 2)}, "", sinew.StateOpen, false},
		{"suppressed on main, a branch does not count", []PresenceView{view("default", sinew.ToolAccepted, 1), view("branch", "", 2)}, "", sinew.StateAccepted, true},
	}
	for _, tt := range tests {
		got, _ := Headline(tt.views, tt.verdict)
		if _, byTool := Standing(tt.views, tt.verdict); got != tt.want || byTool != tt.byTool {
			t.Errorf("%s: %s by tool %v, want %s by tool %v", tt.name, got, byTool, tt.want, tt.byTool)
		}
	}
}

// The third table of docs/decisions/004-states.md.
func TestStepDecision(t *testing.T) {
	all := append([]sinew.Verdict{""}, sinew.Verdicts...)
	for _, standing := range all {
		for _, made := range sinew.Verdicts {
			if got := StepDecision(standing, DecisionMade, made); got != made {
				t.Errorf("%q, then %q: %q", standing, made, got)
			}
		}
		if got := StepDecision(standing, DecisionExpired, ""); got != "" {
			t.Errorf("%q stands as %q when its time ran out", standing, got)
		}
		want := standing
		if standing == sinew.VerdictTriaged || standing == sinew.VerdictInProgress {
			want = ""
		}
		if got := StepDecision(standing, DecisionReopened, ""); got != want {
			t.Errorf("%q stands as %q when observed again", standing, got)
		}
	}
}

// ING6: losing a scanner, a branch or a permission never lowers the active number.
func TestLosingIsNoProgress(t *testing.T) {
	for _, from := range sinew.PresenceStates {
		for _, ev := range []Event{EventUnseenNotCovered, EventScopeLost, EventNone, EventMerged} {
			before, _ := Headline([]PresenceView{{Kind: sinew.PlaceDefault, State: from}}, "")
			after, _ := Headline([]PresenceView{{Kind: sinew.PlaceDefault, State: Step(from, ev)}}, "")
			if before.Active() != after.Active() {
				t.Errorf("%s, %s: %s becomes %s", from, ev, before, after)
			}
		}
	}
}
