package storetest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (w *world) issueID(unit int64, cause string) string {
	return sinew.PublicID(w.ws.UUID, sinew.IDIssue, identity.IssueKey(unit, cause))
}

// stage runs fn in a stage that projects a new entry.
func (w *world) stage(fn func(s *store.Stage)) {
	w.Helper()
	_, err := w.db.Accept(w.Context(), w.admin(), store.Accept{Kind: sinew.EntryIssue, Payload: sinew.IssueChange{Note: "a note"}, Units: []int64{0}})
	w.ok(err)
	lease, err := w.db.AcquireLease(w.Context(), w.ws.ID, "test")
	w.ok(err)
	s, err := w.db.BeginStage(w.Context(), lease, w.ws.ID, w.space.ID)
	w.ok(err)
	fn(s)
	_, err = s.Flip(w.Context(), store.Flip{Projected: w.head()})
	w.ok(err)
	w.ok(w.db.Sweep(w.Context(), lease, w.space.ID))
	w.ok(lease.Release(w.Context()))
}

func (w *world) allIssues(r sinew.Reader, f store.IssueFilter, sort string, limit int) (all []sinew.Issue) {
	w.Helper()
	p := store.Page{Sort: sort, Limit: limit}
	for {
		list, next, err := w.db.Issues(w.Context(), r, f, p)
		w.ok(err)
		all = append(all, list...)
		if next == "" {
			return all
		}
		p.After = next
	}
}

var everyState = store.IssueFilter{States: sinew.IssueStates}

// testIssuesCounted changes findings at random, and compares the rows of issues
// with what the findings of their filters say (ING5).
func testIssuesCounted(t *testing.T, e *env) {
	w := e.project()
	rng := rand.New(rand.NewPCG(3, 5)) // the same changes each time
	check := func(when string) {
		t.Helper()
		seen := 0
		for _, i := range w.allIssues(w.admin(), everyState, "", 3) {
			q, err := filter.Parse(i.Filter)
			e.ok(err)
			var want sinew.Issue
			want.Severities = map[sinew.Severity]int64{}
			list, _, err := w.db.Findings(t.Context(), w.admin(), q, store.Page{Limit: 1000})
			e.ok(err)
			for _, f := range list {
				want.Findings++
				if f.State == sinew.StateAccepted {
					want.Accepted++
				}
				if !f.State.Active() {
					continue
				}
				want.Active++
				want.Severities[f.Severity]++
				if want.Worst == "" || f.Severity.Rank() > want.Worst.Rank() {
					want.Worst = f.Severity
				}
				d, err := w.db.Finding(t.Context(), w.admin(), f.ID)
				e.ok(err)
				for _, p := range d.Presences {
					if p.State == sinew.PresenceObserved || p.State == sinew.PresenceNotObserved || p.State == sinew.PresenceScopeLost {
						want.Presences++
					}
				}
			}
			got := sinew.Issue{Findings: i.Findings, Active: i.Active, Accepted: i.Accepted, Presences: i.Presences, Severities: i.Severities, Worst: i.Worst}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %s of %q is %+v, its findings say %+v", when, i.Cause, i.Application, got, want)
			}
			if open := i.State == sinew.IssueOpen || i.State == sinew.IssueInProgress; open != (i.Active > 0) || (i.State == sinew.IssueGone) != (i.Findings == 0) {
				t.Fatalf("%s: %+v", when, i)
			}
			seen += int(i.Findings)
		}
		with := 0
		for i := range w.findings {
			if w.findings[i].Cause != "" && w.findings[i].Lead <= 0 {
				with++
			}
		}
		if seen != with {
			t.Fatalf("%s: issues have %d findings, %d have a cause", when, seen, with)
		}
	}
	check("at first")
	states := []sinew.FindingState{sinew.StateOpen, sinew.StateFixed, sinew.StateAccepted, sinew.StateFalsePositive, sinew.StateTriaged, sinew.StateGone}
	for round := range 6 {
		w.change(func(i int, f *store.FindingRow) bool {
			switch rng.IntN(6) {
			case 0:
				f.State = states[rng.IntN(len(states))]
			case 1:
				f.Severity = rng.IntN(5)
			case 2:
				f.Unit = []int64{shop, bank, 0}[rng.IntN(3)]
			case 3:
				f.Cause = []string{"upgrade zlib", "code pattern sqli", ""}[rng.IntN(3)]
			case 4:
				f.Lead = []int64{0, store.LeadsOthers, w.findings[0].ID}[rng.IntN(3)]
			default:
				return false
			}
			return i > 0
		})
		check(fmt.Sprintf("after round %d", round))
	}
	// Presences that come and go while the findings' rows stay.
	f := w.findings[slices.IndexFunc(w.findings, func(f store.FindingRow) bool { return f.Cause != "" && f.Lead <= 0 && f.State.Active() })]
	at := store.PresenceRow{Finding: f.ID, Place: w.places["feature"] + 1000, State: sinew.PresenceObserved, Basis: sinew.BasisProven}
	w.stage(func(s *store.Stage) {
		s.SavePlace(store.PlaceRow{ID: at.Place, Family: f.Family, Kind: sinew.PlaceBranch, Ref: "feature/new"})
		e.ok(s.NewPresence(t.Context(), &at))
		s.Spread(&f)
	})
	check("in one more place")
	at.State = sinew.PresenceFixed
	w.stage(func(s *store.Stage) {
		e.ok(s.ChangePresence(t.Context(), &at))
		s.Spread(&f)
	})
	check("in one place less")
}

// testIssueWork: what people say stays, whatever the evidence does, and what
// evidence does is told (ING5).
func testIssueWork(t *testing.T, e *env) {
	w := e.project()
	const cause = "upgrade openssl 1.0"
	id := w.issueID(shop, cause)
	show := func() *store.IssueDetail {
		t.Helper()
		d, err := w.db.Issue(t.Context(), w.reader(shop), id)
		e.ok(err)
		return d
	}
	say := func(with store.IssueWork) {
		with.ID, with.Unit, with.Cause, with.Actor = identity.IssueKey(shop, cause), shop, cause, "p7"
		w.stage(func(s *store.Stage) { s.ChangeIssue(with) })
	}
	set := func(state sinew.FindingState) {
		w.stage(func(s *store.Stage) {
			for i := range w.findings {
				if was := w.findings[i]; was.Unit == shop && was.Cause == cause {
					w.findings[i].State = state
					e.ok(s.ChangeFinding(t.Context(), &was, &w.findings[i], "shop"))
				}
			}
		})
	}
	yes, no, owner, nobody := true, false, "team-a", ""
	first := show()
	if first.State != sinew.IssueOpen || first.Owner != "" || len(first.Events) != 1 || first.Events[0].Kind != "opened" || first.Events[0].At.IsZero() {
		t.Fatalf("at first %+v", first)
	}
	say(store.IssueWork{Owner: &owner, Working: &yes, Ticket: &sinew.Ticket{Key: "SHOP-1", URL: "https://tickets.example.org/SHOP-1"}, Note: true})
	if d := show(); d.State != sinew.IssueInProgress || d.Owner != owner || d.Ticket == nil || d.Ticket.Key != "SHOP-1" || d.Reopened != 0 {
		t.Errorf("in progress: %+v", d.Issue)
	}
	say(store.IssueWork{Owner: &owner}) // says nothing new
	set(sinew.StateAccepted)
	if d := show(); d.State != sinew.IssueAccepted || d.Active != 0 || d.Owner != owner {
		t.Errorf("accepted: %+v", d.Issue)
	}
	set(sinew.StateFixed)
	if d := show(); d.State != sinew.IssueDone || d.Reopened != 0 || d.Findings != first.Findings {
		t.Errorf("done: %+v", d.Issue)
	}
	set(sinew.StateOpen)
	if d := show(); d.State != sinew.IssueOpen || d.Reopened != 1 || d.Owner != owner {
		t.Errorf("came back: %+v", d.Issue)
	}
	say(store.IssueWork{Working: &yes})
	say(store.IssueWork{Working: &no, Owner: &nobody, Ticket: &sinew.Ticket{}})
	d := show()
	if d.State != sinew.IssueOpen || d.Owner != "" || d.Ticket != nil {
		t.Errorf("put back: %+v", d.Issue)
	}
	var lines []string
	for _, event := range d.Events {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s>%s %s %s", event.Kind, event.From, event.To, event.Actor, event.Note)))
	}
	if want := []string{
		"opened >open system",
		"owner >team-a p7", "ticket >SHOP-1 p7", "note > p7 a note", "state open>in_progress p7",
		"state in_progress>accepted system", "state accepted>done system", "state done>open system",
		"state open>in_progress p7", "owner team-a> p7", "ticket SHOP-1> p7", "state in_progress>open p7",
	}; !slices.Equal(lines, want) {
		t.Errorf("history\n%s", strings.Join(lines, "\n"))
	}

	// What has no findings any more goes; what people spoke of stays, and says so.
	w.change(func(_ int, f *store.FindingRow) bool {
		moved := f.Cause == cause
		if moved {
			f.Cause = "upgrade openssl 2.0"
		}
		return moved
	})
	if d := show(); d.State != sinew.IssueGone || d.Findings != 0 {
		t.Errorf("gone: %+v", d.Issue)
	}
	_, err := w.db.Issue(t.Context(), w.admin(), w.issueID(bank, cause))
	e.code(err, sinew.CodeNotFound, "one that nobody spoke of")
	if got := w.allIssues(w.admin(), store.IssueFilter{States: []sinew.IssueState{sinew.IssueGone}}, "", 10); len(got) != 1 || got[0].ID != id {
		t.Errorf("gone ones: %+v", got)
	}
	// A person's word on what is not there yet, as a log that is replayed may have it.
	w.stage(func(s *store.Stage) {
		s.ChangeIssue(store.IssueWork{ID: identity.IssueKey(bank, "x"), Unit: bank, Cause: "x", Actor: "p7", Owner: &owner})
	})
	if d, err := w.db.Issue(t.Context(), w.admin(), w.issueID(bank, "x")); err != nil || d.State != sinew.IssueGone || d.Owner != owner {
		t.Errorf("%+v, %v", d, err)
	}
}

func testIssueList(t *testing.T, e *env) {
	w := e.project()
	w.change(func(i int, f *store.FindingRow) bool {
		f.Cause = fmt.Sprintf("code pattern R%d 50%%_Ä", f.Line%4)
		if f.Line%5 == 0 {
			f.Cause = "upgrade lib (npm)"
		}
		return true
	})
	owner := "Team_A"
	w.stage(func(s *store.Stage) {
		s.ChangeIssue(store.IssueWork{ID: identity.IssueKey(shop, "upgrade lib (npm)"), Unit: shop, Cause: "upgrade lib (npm)", Actor: "p7", Owner: &owner})
	})
	for who, r := range map[string]sinew.Reader{"administrator": w.admin(), "reader of the shop": w.reader(shop), "of two": w.reader(bank, 0), "of nothing": w.reader()} {
		for _, sort := range append(slices.Clone(store.IssueSorts), "") {
			name, _ := strings.CutPrefix(sort, "-")
			whole := w.allIssues(r, everyState, sort, 1000)
			if paged := w.allIssues(r, everyState, sort, 2); !reflect.DeepEqual(paged, whole) {
				t.Errorf("%s by %q: pages say %d issues, a list %d", who, sort, len(paged), len(whole))
			}
			keys := make([][2]int64, len(whole))
			for i, one := range whole {
				keys[i] = [2]int64{one.Active, one.Presences}
				switch name {
				case "presences":
					keys[i] = [2]int64{one.Presences, one.Active}
				case "severity":
					keys[i] = [2]int64{int64(one.Worst.Rank()), one.Active}
				}
			}
			if !slices.IsSortedFunc(keys, func(a, b [2]int64) int {
				c := slices.Compare(a[:], b[:])
				if sort == "" || sort != name {
					return -c
				}
				return c
			}) {
				t.Errorf("%s by %q: %v", who, sort, keys)
			}
		}
	}
	for _, tt := range []struct {
		name string
		f    store.IssueFilter
		want int
	}{
		{"all", everyState, 15},
		{"to be done", store.IssueFilter{}, 15},
		{"an application", store.IssueFilter{Applications: []string{"SHOP"}}, 5},
		{"two", store.IssueFilter{Applications: []string{"shop", "none"}}, 10},
		{"a pattern is none", store.IssueFilter{Applications: []string{"sho%", "sho_", "s*"}}, 0},
		{"a kind", store.IssueFilter{Kinds: []sinew.IssueKind{sinew.IssueUpgrade}}, 3},
		{"another", store.IssueFilter{Kinds: []sinew.IssueKind{sinew.IssueSecret, sinew.IssueCode}}, 12},
		{"a state", store.IssueFilter{States: []sinew.IssueState{sinew.IssueDone}}, 0},
		{"an owner", store.IssueFilter{Owners: []string{"team_a"}}, 1},
		{"nobody", store.IssueFilter{Owners: []string{"none"}}, 14},
		{"reopened", store.IssueFilter{Reopened: true}, 0},
		{"words", store.IssueFilter{Text: "pattern r1"}, 3},
		{"signs", store.IssueFilter{Text: "50%_ä"}, 0},
		{"signs as they are", store.IssueFilter{Text: "50%_Ä"}, 12},
	} {
		if got := w.allIssues(w.admin(), tt.f, "", 4); len(got) != tt.want {
			t.Errorf("%s: %d issues, want %d", tt.name, len(got), tt.want)
		}
	}
	for name, ask := range map[string]func() error{
		"another sort": func() error {
			_, _, err := w.db.Issues(t.Context(), w.admin(), store.IssueFilter{}, store.Page{Sort: "title"})
			return err
		},
		"another kind": func() error {
			_, _, err := w.db.Issues(t.Context(), w.admin(), store.IssueFilter{Kinds: []sinew.IssueKind{"x"}}, store.Page{})
			return err
		},
		"another state": func() error {
			_, _, err := w.db.Issues(t.Context(), w.admin(), store.IssueFilter{States: []sinew.IssueState{"x"}}, store.Page{})
			return err
		},
	} {
		e.code(ask(), sinew.CodeInvalid, name)
	}
	_, next, err := w.db.Issues(t.Context(), w.admin(), everyState, store.Page{Limit: 2})
	e.ok(err)
	_, _, err = w.db.Issues(t.Context(), w.admin(), store.IssueFilter{}, store.Page{After: next})
	e.code(err, sinew.CodeInvalid, "the cursor of another filter")
	for _, forged := range forgeries(t, next) {
		if _, _, err := w.db.Issues(t.Context(), w.admin(), everyState, store.Page{After: forged}); err != nil && sinew.CodeOf(err) != sinew.CodeInvalid {
			t.Errorf("a forged cursor: %v", err)
		}
	}
}

// testIssueAdvice: the least version, what is known of a base image, a title
// (ING5).
func testIssueAdvice(t *testing.T, e *env) {
	w := e.project()
	spot := func(image string, extra map[string]any, kind string, fixed ...string) string {
		return identity.Spot(&sinew.Observation{Image: image, Extra: extra, Package: &sinew.Package{Name: "p", PURL: "pkg:" + kind + "/p@1", Fixed: fixed}})
	}
	w.change(func(_ int, f *store.FindingRow) bool {
		if f.Unit != shop {
			return false
		}
		f.State, f.Spot = sinew.StateOpen, ""
		switch f.Line {
		case 0, 1:
			f.Cause, f.Version, f.Spot = "upgrade lib (npm)", "1.2.0", spot("", nil, "npm", fmt.Sprintf("1.2.%d", 9+f.Line))
		case 2:
			f.Cause, f.Version, f.Spot = "upgrade lib (npm)", "2.0.0", spot("", nil, "npm", "1.2.11", "2.0.1")
		case 3:
			f.Cause, f.Version = "upgrade lib (npm)", "2.0.0"
		case 4, 5:
			f.Cause, f.Spot = "base image of r/web", spot("r/web:1", map[string]any{"os": fmt.Sprintf("debian 12.%d", f.Line)}, "deb", "2")
		case 6:
			f.Cause, f.Spot = "base image of r/web", spot("r/web:1", map[string]any{"os": "debian 12.4"}, "deb")
		default:
			f.Cause = "code pattern sqli"
		}
		return true
	})
	show := func(cause string) sinew.Issue {
		t.Helper()
		d, err := w.db.Issue(t.Context(), w.reader(shop), w.issueID(shop, cause))
		e.ok(err)
		for _, i := range w.allIssues(w.reader(shop), everyState, "", 10) {
			if i.ID == d.ID && !reflect.DeepEqual(i, d.Issue) {
				t.Errorf("%s is listed as %+v, and shown as %+v", cause, i, d.Issue)
			}
		}
		return d.Issue
	}
	// Of the shop there are two of each line.
	want := &sinew.Upgrade{
		Package: "lib", Ecosystem: "npm", To: "2.0.1", Closes: 6, Of: 8, Unfixed: 2,
		Installed: []sinew.InstalledVersion{{Version: "1.2.0", To: "1.2.10", Closes: 4, Of: 4}, {Version: "2.0.0", To: "2.0.1", Closes: 2, Of: 4}},
	}
	if got := show("upgrade lib (npm)"); !reflect.DeepEqual(got.Upgrade, want) || got.Kind != sinew.IssueUpgrade {
		t.Errorf("upgrade %+v", got.Upgrade)
	}
	base := &sinew.BaseImage{Image: "r/web", Names: []string{"debian 12.4", "debian 12.5"}, Fixable: 4, Of: 6}
	if got := show("base image of r/web"); !reflect.DeepEqual(got.BaseImage, base) || got.Upgrade != nil {
		t.Errorf("base image %+v", got.BaseImage)
	}
	// A tool that is shown does not tell what repairs it, one that is part of it does.
	w.change(func(i int, f *store.FindingRow) bool {
		if f.Unit == shop && f.Line == 3 {
			f.Lead = store.LeadsOthers
			return true
		}
		if f.Unit == shop && f.Line == 9 {
			f.Lead, f.Cause, f.Spot = f.ID-6, "upgrade lib (npm)", spot("", nil, "npm", "2.0.4")
			return true
		}
		return false
	})
	want.To, want.Closes, want.Unfixed = "2.0.4", 8, 0
	want.Installed[1] = sinew.InstalledVersion{Version: "2.0.0", To: "2.0.4", Closes: 4, Of: 4}
	if got := show("upgrade lib (npm)"); !reflect.DeepEqual(got.Upgrade, want) {
		t.Errorf("as several tools tell it: upgrade %+v", got.Upgrade)
	}
	if got := show("code pattern sqli"); !strings.HasPrefix(got.Title, "Title H of shop/") {
		t.Errorf("title %q", got.Title)
	}
}
