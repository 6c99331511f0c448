// Package model is the executable specification of docs/decisions/003, 004 and 005:
// it folds the history of one family in memory, from scratch after each fact, with
// the rules of package identity. It is slow and simple on purpose; the pipeline, which
// does the same in SQL and step by step, is checked against it. It refuses to be used
// for anything but that: it holds everything it was ever told.
package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Fact is something that the log holds about a family: exactly one of the pointers is
// set.
type Fact struct {
	Seq      int64 // of the log entry
	At       int64 // effective time, microseconds
	Snapshot *Snapshot
	Ref      *RefEvent
	Deploy   *Deployment
	End      *End
	Decision *Decision
}

// Snapshot is an accepted report with its body.
type Snapshot struct {
	sinew.Snapshot

	Observations []sinew.Observation
	Withdraw     []string
}

// RefEvent is what happened to a ref: merged (into another), closed or deleted.
type RefEvent struct {
	Ref  string
	What string
	Into string
}

// Deployment says that a version, a commit or digest, now runs in an environment.
type Deployment struct {
	Environment string
	Version     string
}

// End says that a machine is no more.
type End struct{ Host string }

// Decision is a person's verdict on a finding, named by its birth. An empty verdict is
// one whose time ran out.
type Decision struct {
	Finding int64
	Verdict sinew.Verdict
}

// Finding is the state of one finding.
type Finding struct {
	ID        int64 // birth
	State     sinew.FindingState
	Verdict   sinew.Verdict
	ByTool    bool
	Reopened  int
	FirstSeen int64
	LastSeen  int64
	Made      int // presence that makes the headline
	Presences []Presence
	Seen      []int64 // local ids of its observations, in fold order
}

// Presence is the state of a finding in one place.
type Presence struct {
	Place       Place
	State       sinew.PresenceState
	Basis       sinew.Basis // of a fixed one
	FirstSeen   int64
	LastSeen    int64
	Since       int64
	SinceSeq    int64
	Pass        identity.Pass
	Observation *sinew.Observation // the newest
	keys        identity.Keys
}

// Place is where a presence is: a ref, or an environment.
type Place struct {
	Kind        sinew.PlaceKind
	Ref         string
	Environment string
}

func comparePlaces(a, b Place) int {
	return cmp.Or(identity.KindRank(a.Kind)-identity.KindRank(b.Kind), cmp.Compare(a.Ref, b.Ref),
		cmp.Compare(a.Environment, b.Environment))
}

// Model is the history of one family.
type Model struct {
	refs      identity.RefRules
	facts     []Fact
	minted    map[int64]bool  // births that were ever given out
	redirects map[int64]int64 // births that are another finding's now
	fold      *fold
}

// New returns an empty history.
func New(refs identity.RefRules) *Model {
	m := &Model{refs: refs, minted: map[int64]bool{}, redirects: map[int64]int64{}}
	m.refold()
	return m
}

// Add appends a fact, in order of the log, and folds everything again.
func (m *Model) Add(f Fact) {
	m.facts = append(m.facts, f)
	m.refold()
}

// Findings gives all findings, in fold order of their first observations.
func (m *Model) Findings() []Finding { return m.fold.view() }

// Redirects gives the births that belong to another finding now.
func (m *Model) Redirects() map[int64]int64 { return m.redirects }

// Assigned says which findings the observations of a snapshot are.
func (m *Model) Assigned(seq int64) []identity.Assigned {
	out := slices.Clone(m.fold.assigned[seq])
	for i := range out {
		id := m.fold.findings[out[i].Birth].id
		out[i].Birth = id
		if own, err := sinew.LocalID(seq, int64(i)); err == nil && own == id {
			out[i].Birth = 0
		}
	}
	return out
}

func (m *Model) refold() {
	items := make([]identity.Item, len(m.facts))
	for i := range m.facts {
		items[i] = item(&m.facts[i])
	}
	f := &fold{
		refs: m.refs, versions: map[string]*capture{}, running: map[Place]string{},
		assigned: map[int64][]identity.Assigned{}, chainOf: map[int64]int{}, pending: map[int64][]*Decision{},
	}
	for _, i := range identity.Order(items) {
		f.apply(&m.facts[i])
	}
	m.fold = f
	m.name()
}

// name gives each chain its birth (docs/decisions/005): the lowest that was given out
// to one of its observations, else its lowest observation. The others redirect.
func (m *Model) name() {
	clear(m.redirects)
	for _, f := range m.fold.findings {
		var births []int64
		for _, o := range f.seen {
			if m.minted[o] {
				births = append(births, o)
			}
		}
		if len(births) == 0 {
			births = []int64{slices.Min(f.seen)}
			m.minted[births[0]] = true
		}
		f.id = slices.Min(births)
		for _, b := range births {
			if b != f.id {
				m.redirects[b] = f.id
			}
		}
	}
}

func item(f *Fact) identity.Item {
	it := identity.Item{At: f.At, Seq: f.Seq, Event: true}
	s := f.Snapshot
	if s == nil {
		it.Digest = sha256.Sum256([]byte(f.eventText()))
		return it
	}
	it.Event = false
	it.Stream, it.Commit, it.Ancestors = s.Stream.Ref, s.Commit, s.Ancestors
	it.Meta = identity.MetaHash(&s.Snapshot)
	var b []byte
	for i := range s.Observations {
		b = binary.BigEndian.AppendUint64(b, uint64(identity.ContentHash(&s.Observations[i]))) //nolint:gosec // a bit pattern
	}
	it.Digest = sha256.Sum256(append(b, strings.Join(s.Withdraw, "\n")...))
	return it
}

func (f *Fact) eventText() string {
	switch {
	case f.Ref != nil:
		return strings.Join([]string{"ref", f.Ref.Ref, f.Ref.What, f.Ref.Into}, "\x00")
	case f.Deploy != nil:
		return strings.Join([]string{"deploy", f.Deploy.Environment, f.Deploy.Version}, "\x00")
	case f.End != nil:
		return "end\x00" + f.End.Host
	case f.Decision != nil:
		return "decision\x00" + string(f.Decision.Verdict)
	}
	return ""
}
