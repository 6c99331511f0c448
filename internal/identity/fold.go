package identity

import "github.com/sinewsec/sinew/internal/sinew"

// Transition is what a snapshot does to one presence of its place.
type Transition struct {
	Prior int32 // index of the presence, -1 where a finding has none in this place yet
	Next  int32 // index of the observation, -1 where it was not observed
	Event Event
	From  sinew.PresenceState
	To    sinew.PresenceState
}

// FoldPlace applies a snapshot to the presences of its place. pairs is what [Match]
// and [MatchSiblings] found; own gives the presence that the finding of a sibling has
// in this place as well, -1 for none (it was not recognised by that one, and is seen all
// the same); state gives the state of a presence, status what the tool says of an
// observation, unseen the event of a presence that was not observed.
// emit is called for every observation, in report order, and then for every presence
// whose state changes without being observed.
func FoldPlace(
	priors int, pairs []Pair,
	own func(sibling int32) int32,
	state func(prior int32) sinew.PresenceState,
	status func(next int32) sinew.ToolStatus,
	unseen func(prior int32) Event,
	emit func(Transition),
) {
	seen := make([]bool, priors)
	for i, p := range pairs {
		n := int32(i)
		t := Transition{Prior: -1, Next: n, Event: EventOf(status(n))}
		if t.Prior = p.Prior; p.Prior >= 0 && p.Pass.Sibling() {
			t.Prior = own(p.Prior)
		}
		if t.Prior >= 0 {
			seen[t.Prior] = true
			t.From = state(t.Prior)
		}
		t.To = Step(t.From, t.Event)
		emit(t)
	}
	for i := range seen {
		if seen[i] {
			continue
		}
		p := int32(i)
		t := Transition{Prior: p, Next: -1, Event: unseen(p), From: state(p)}
		if t.To = Step(t.From, t.Event); t.To != t.From {
			emit(t)
		}
	}
}
