package pipeline

import (
	"encoding/json"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Result is what a snapshot changed, as it is stored with it and shown to who
// sent it.
type Result struct {
	New         int            `json:"new"`
	Unchanged   int            `json:"unchanged"`
	Changed     int            `json:"changed,omitempty"`   // shown differently: line, text, severity
	Moved       int            `json:"moved,omitempty"`     // of them: the file is another one
	Elsewhere   int            `json:"elsewhere,omitempty"` // known findings, seen in this place for the first time
	Reopened    int            `json:"reopened,omitempty"`
	Fixed       Fixed          `json:"fixed,omitzero"`
	NotObserved int            `json:"not_observed,omitempty"`
	ScopeLost   int            `json:"scope_lost,omitempty"`
	Gone        int            `json:"gone,omitempty"`
	Missing     map[string]int `json:"missing,omitempty"` // why unseen findings were not closed, and how many for each reason
	Late        bool           `json:"late,omitempty"`    // older than what was there: the family was folded again
	Same        bool           `json:"same,omitempty"`    // tells what the snapshot before told
	Horizon     string         `json:"horizon,omitempty"` // older than reports that retention has deleted: arrival or recorded
	Notes       []string       `json:"notes,omitempty"`
	Remapped    *Remapping     `json:"remapped,omitempty"` // the body is one that a later mapping made
}

// Remapping says what a later mapping made of a snapshot's report.
type Remapping struct {
	Mapping      string `json:"mapping"` // id/version
	Observations int    `json:"observations"`
	Assets       int    `json:"assets,omitempty"`
	Withdrawn    int    `json:"withdrawn,omitempty"`
	Coordinates  string `json:"coordinates"` // digest of the blob that says by which ordinals the observations are known
}

// Fixed counts what was closed by whose word.
type Fixed struct {
	Proven   int `json:"proven,omitempty"`
	Declared int `json:"declared,omitempty"`
}

// maxReasons bounds the reasons that a result lists.
const maxReasons = 20

// missing counts an unseen presence that could not be closed.
func (r *Result) missing(reason string) {
	if r.Missing == nil {
		r.Missing = map[string]int{}
	}
	if _, ok := r.Missing[reason]; !ok && len(r.Missing) >= maxReasons {
		reason = "other reasons"
	}
	r.Missing[reason]++
}

// closed counts a presence that is not observed any more.
func (r *Result) closed(state sinew.PresenceState, basis sinew.Basis) {
	switch state {
	case sinew.PresenceFixed:
		if basis == sinew.BasisDeclared {
			r.Fixed.Declared++
		} else {
			r.Fixed.Proven++
		}
	case sinew.PresenceNotObserved:
		r.NotObserved++
	case sinew.PresenceScopeLost:
		r.ScopeLost++
	case sinew.PresenceGone:
		r.Gone++
	case sinew.PresenceObserved:
	}
}

func (r *Result) encode() (string, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode result: %w", err)
	}
	return string(b), nil
}
