package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// awkward are values that a filter must find to the letter: patterns, other
// cases, quotes, words with a meaning, nothing at all.
var awkward = []string{"", "none", "None", "a*", "A*", "a_b", "a%b", `say "no"`, `back\slash`, "a, b", "with space", "-x", "==", "~x", ">=high", "ünï"}

// testGroups: the groups of a filter are disjoint, together they are its
// findings, and the filter of each finds exactly as many as it counts.
func testGroups(t *testing.T, e *env) {
	w := e.project()
	w.change(func(i int, f *store.FindingRow) bool {
		if i >= len(awkward) {
			return false
		}
		f.Rule, f.File, f.Package, f.Cause, f.Tool = awkward[i], awkward[i], awkward[i], awkward[i], "tool "+awkward[i]
		return true
	})
	readers := map[string]sinew.Reader{"everything": w.admin(), "the shop": w.reader(shop), "nothing": w.reader()}
	for who, r := range readers {
		for _, text := range []string{"", "is:open", "severity:>=medium -rule:CVE-2026-6", "openssl"} {
			f, err := filter.Parse(text)
			e.ok(err)
			want := w.found(r, f)
			for _, by := range store.Groupings() {
				var got []string
				groups := w.allGroups(r, f, by, 3)
				for i, g := range groups {
					q, err := filter.Parse(g.Filter)
					e.ok(err)
					members := w.found(r, q)
					if int64(len(members)) != g.Count {
						t.Errorf("%s, %q by %s: group %q counts %d, and %s finds %d", who, text, by, g.Key, g.Count, g.Filter, len(members))
					}
					var sum int64
					for _, n := range g.Severities {
						sum += n
					}
					if sum != g.Count || g.Severities[g.Worst] == 0 {
						t.Errorf("%s, %q by %s: group %+v does not add up", who, text, by, g)
					}
					if i > 0 && (groups[i-1].Worst.Rank() < g.Worst.Rank() || groups[i-1].Worst == g.Worst && groups[i-1].Count < g.Count) {
						t.Errorf("%q by %s: %+v comes after %+v", text, by, g, groups[i-1])
					}
					got = append(got, members...)
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s, %q by %s: the groups have %d findings, the filter %d", who, text, by, len(got), len(want))
				}
			}
		}
	}
	_, _, err := w.db.Groups(t.Context(), w.admin(), nil, "colour", store.Page{})
	e.code(err, sinew.CodeInvalid, "group by something else")
	_, next, err := w.db.Groups(t.Context(), w.admin(), nil, "rule", store.Page{Limit: 1})
	e.ok(err)
	_, _, err = w.db.Groups(t.Context(), w.admin(), nil, "file", store.Page{After: next})
	e.code(err, sinew.CodeInvalid, "the cursor of another grouping")
	for _, forged := range forgeries(t, next) {
		if _, _, err := w.db.Groups(t.Context(), w.admin(), nil, "rule", store.Page{After: forged}); err != nil && sinew.CodeOf(err) != sinew.CodeInvalid {
			t.Errorf("a forged cursor: %v", err)
		}
	}
}

// change stages other rows of the findings that fn changes, and flips.
func (w *world) change(fn func(i int, f *store.FindingRow) bool) {
	w.Helper()
	targets := map[int64]string{}
	for target, seq := range w.snapshots {
		targets[seq<<28] = target
	}
	lease, err := w.db.AcquireLease(w.Context(), w.ws.ID, "test")
	w.ok(err)
	s, err := w.db.BeginStage(w.Context(), lease, w.ws.ID, w.space.ID)
	w.ok(err)
	for i := range w.findings {
		now := w.findings[i]
		if fn(i, &now) {
			w.ok(s.ChangeFinding(w.Context(), &w.findings[i], &now, targets[now.Family]))
			w.findings[i] = now
		}
	}
	_, err = s.Flip(w.Context(), store.Flip{Projected: w.head()})
	w.ok(err)
	w.ok(lease.Release(w.Context()))
}

// found lists the findings of a filter, by id.
func (w *world) found(r sinew.Reader, f *filter.Query) []string {
	w.Helper()
	list, next, err := w.db.Findings(w.Context(), r, f, store.Page{Limit: 1000})
	w.ok(err)
	if next != "" {
		w.Fatal("more than a page")
	}
	out := []string{}
	for _, one := range list {
		out = append(out, one.ID)
	}
	targets, more, err := w.db.Targets(w.Context(), r, f, 1000)
	w.ok(err)
	if len(targets) != len(out) || more {
		w.Errorf("%s lists %d findings and is about %d", f, len(out), len(targets))
	}
	slices.Sort(out)
	return out
}

// allGroups reads every page.
func (w *world) allGroups(r sinew.Reader, f *filter.Query, by string, limit int) (all []store.Group) {
	w.Helper()
	p := store.Page{Limit: limit}
	for {
		list, next, err := w.db.Groups(w.Context(), r, f, by, p)
		w.ok(err)
		all = append(all, list...)
		if next == "" {
			return all
		}
		p.After = next
	}
}

func testDecisions(t *testing.T, e *env) {
	w := e.project()
	list, next, err := w.db.Decisions(t.Context(), w.admin(), store.Page{Limit: 3})
	e.ok(err)
	more, end, err := w.db.Decisions(t.Context(), w.admin(), store.Page{Limit: 3, After: next})
	e.ok(err)
	if len(list) != 3 || len(more) != 1 || end != "" || list[0].Seq < list[1].Seq || more[0].Seq > list[2].Seq {
		t.Errorf("decisions %+v, then %+v", list, more)
	}
	own, _, err := w.db.Decisions(t.Context(), w.reader(shop), store.Page{})
	e.ok(err)
	if len(own) != 2 || own[0].Findings != 1 || own[0].Verdict != sinew.VerdictTriaged || own[0].By != "p1" {
		t.Errorf("decisions of the shop: %+v", own)
	}
	// A decision on a birth that was merged is about what the birth is part of.
	seq, on, err := w.db.DecidedOn(t.Context(), w.reader(shop), own[0].ID)
	e.ok(err)
	if seq != own[0].Seq || len(on) != 1 || on[0].Birth != seq<<28+100 || on[0].Finding != seq<<28 || on[0].Unit != shop {
		t.Errorf("decided on %+v", on)
	}
	named, err := w.db.TargetsNamed(t.Context(), w.reader(shop), []string{w.id("shop/web", 100), w.id("shop/web", 0), w.id("shop/web", 2)})
	e.ok(err)
	if len(named) != 2 || named[0].ID != w.id("shop/web", 0) || named[0].Application != "shop" || named[1].State != sinew.StateTriaged {
		t.Errorf("targets %+v", named)
	}
	first, more2, err := w.db.Targets(t.Context(), w.admin(), nil, 7)
	e.ok(err)
	if len(first) != 7 || !more2 {
		t.Errorf("%d targets, more %t", len(first), more2)
	}
}

// testCoverage: the matrix tells application x test, last run, by what, scope,
// due and gap (ING9).
func testCoverage(t *testing.T, e *env) {
	w := e.project()
	cell := func(r sinew.Reader, app string, test identity.Test) *store.CoverageCell {
		t.Helper()
		list, err := w.db.Coverage(t.Context(), r)
		e.ok(err)
		for i := range list {
			if list[i].Application == app && list[i].Test == test {
				return &list[i]
			}
		}
		return nil
	}
	rules := func(coverage string) {
		e.exec(`UPDATE ruleset SET document = $1`, "schema: rules/v1\napplications:\n- name: shop\n- name: "+secretWord+
			"\n  match: [{target: "+secretWord+"/**}, {target: shop/api, path: vault}]\n"+coverage)
	}
	web := w.snapshots["shop/web"]
	rules("")
	c := cell(w.reader(shop), "shop", identity.TestDependency)
	if c == nil || !c.Required || c.Every != 30 || c.Gap != identity.GapNone || !slices.Equal(c.Tools, []string{"trivy"}) || c.Streams != 2 ||
		len(c.StreamIDs) != 2 || c.Scope != sinew.CoverageComplete || c.Basis != sinew.BasisDeclared || c.Last.UnixMicro() != day(1) ||
		!c.Due.Equal(c.Last.AddDate(0, 0, 30)) || c.Organisation != "Org" {
		t.Errorf("dependencies of the shop: %+v", c)
	}
	if c := cell(w.reader(shop), "shop", identity.TestSecret); c == nil || c.Gap != identity.GapNever || c.Streams != 0 {
		t.Errorf("secrets of the shop: %+v", c)
	}
	if c := cell(w.reader(shop), "shop", identity.TestWeb); c == nil || c.Gap != identity.GapNotRequired || c.Required {
		t.Errorf("web of the shop: %+v", c)
	}
	// A part of a repository is the bank's by the rules, though it has no finding
	// there; the stream is the shop's, whose reader alone sees its id.
	c = cell(w.reader(bank), secretWord, identity.TestDependency)
	if c == nil || c.Streams != 2 || len(c.StreamIDs) != 1 {
		t.Errorf("dependencies of the bank: %+v", c)
	}
	e.clock.move(40 * 24 * time.Hour)
	if c := cell(w.reader(shop), "shop", identity.TestDependency); c.Gap != identity.GapOverdue {
		t.Errorf("after 40 days: %+v", c)
	}
	rules("coverage:\n- {test: dependency, every: 60d}\n- {application: shop, test: [dependency], every: once}\n- {application: bank*, test: dependency, every: never}\n")
	if c := cell(w.reader(shop), "shop", identity.TestDependency); c.Gap != identity.GapNone || !c.Due.IsZero() || !c.Required {
		t.Errorf("once is enough: %+v", c)
	}
	if c := cell(w.admin(), secretWord, identity.TestDependency); c.Gap != identity.GapNotRequired || c.Required {
		t.Errorf("never for the bank: %+v", c)
	}
	// A scan that failed is no scan: the one before counts, and the gap is told.
	rules("")
	e.exec(`INSERT INTO snapshot (space, seq, family_id, place_id, unit_id, at, received_at, version, commit_id, raw_mac, body, assignment,
		coverage, basis, artifact, observations, result) SELECT space, $1, family_id, place_id, unit_id, at + 1, received_at, version, commit_id, 'x',
		body, assignment, 'failed', 'proven', 0, 0, '' FROM snapshot WHERE seq = $2`, 1000, web)
	e.exec(`DELETE FROM snapshot WHERE seq = $1`, w.snapshots["shop/api"])
	if c := cell(w.reader(shop), "shop", identity.TestDependency); c.Gap != identity.GapFailed || c.Last.UnixMicro() != day(0) || c.Scope != sinew.CoverageFailed {
		t.Errorf("after a failed scan: %+v", c)
	}
	// What belongs to nobody is nobody's duty.
	if c := cell(w.admin(), "", identity.TestDependency); c == nil || c.Required || c.Gap != identity.GapNotRequired || c.Streams != 1 {
		t.Errorf("unassigned: %+v", c)
	}
	streams, _, err := w.db.Streams(t.Context(), w.reader(shop), store.Page{})
	e.ok(err)
	i := slices.IndexFunc(streams, func(s store.StreamInfo) bool { return s.Stream.Target == "shop/web" && s.Stream.Ref == "main" })
	if i < 0 || streams[i].Observations != 10 || streams[i].Coverage != sinew.CoverageComplete || !slices.Contains(streams[i].Tests, identity.TestDependency) {
		t.Errorf("streams %+v", streams)
	}
}

func testSearchLog(t *testing.T, e *env) {
	db := e.open()
	ann, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: "ann", All: sinew.RoleAdmin})
	e.ok(err)
	by := sinew.Reader{Workspace: e.ws.ID, Principal: ann.Pseudonym, All: sinew.RoleAdmin}
	var seqs []int64
	for i := range 300 {
		e.clock.move(time.Minute)
		r := e.admin()
		if i%3 == 0 {
			r = by
		}
		a, err := db.Accept(t.Context(), r, store.Accept{Kind: sinew.EntryDecision, Units: []int64{0}, Payload: map[string]string{"reason": fmt.Sprintf("Because of %d", i)}})
		e.ok(err)
		seqs = append(seqs, a.Seq)
	}
	all := func(s store.LogSearch) (got []int64) {
		t.Helper()
		for {
			list, next, err := db.SearchLog(t.Context(), e.admin(), s)
			e.ok(err)
			for _, entry := range list {
				got = append(got, entry.Seq)
			}
			if next == 0 {
				return got
			}
			s.Start = next
		}
	}
	decisions := []sinew.EntryKind{sinew.EntryDecision}
	if got := all(store.LogSearch{Kinds: decisions, Limit: 7}); !slices.Equal(got, seqs) {
		t.Errorf("decisions %v", got)
	}
	back := all(store.LogSearch{Kinds: decisions, Limit: 50, Newest: true})
	slices.Reverse(back)
	if !slices.Equal(back, seqs) {
		t.Errorf("backwards %v", back)
	}
	if got := all(store.LogSearch{Text: "BECAUSE OF 29", Limit: 4}); !slices.Equal(got, append([]int64{seqs[29]}, seqs[290:]...)) {
		t.Errorf("by text %v", got)
	}
	if got := all(store.LogSearch{Actor: "ann", Limit: 1000}); len(got) != 100 {
		t.Errorf("%d by ann", len(got))
	}
	if got := all(store.LogSearch{Actor: ann.Pseudonym, From: monday.Add(4 * time.Minute), To: monday.Add(7*time.Minute + time.Second), Limit: 10}); !slices.Equal(got, []int64{seqs[3], seqs[6]}) {
		t.Errorf("by time %v", got)
	}
	if list, _, err := db.SearchLog(t.Context(), sinew.Reader{Workspace: e.ws.ID, All: sinew.RoleDeveloper}, store.LogSearch{Limit: 10}); err != nil || len(list) > 0 {
		t.Errorf("a developer finds %d entries, %v", len(list), err)
	}
}

func testOnboarding(t *testing.T, e *env) {
	db := e.open()
	steps := func(r sinew.Reader) string {
		t.Helper()
		list, err := db.Onboarding(t.Context(), r)
		e.ok(err)
		var out []string
		for _, s := range list {
			if s.Done {
				out = append(out, s.ID)
			} else {
				out = append(out, "-"+s.ID)
			}
		}
		return strings.Join(out, " ")
	}
	if got := steps(e.admin()); got != "-first_report -applications -first_decision -ci_token -second_user -provider" {
		t.Errorf("at first: %s", got)
	}
	w := e.project()
	for _, login := range []string{"ann", "bob"} {
		_, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: login, PasswordHash: "h", All: sinew.RoleAdmin})
		e.ok(err)
	}
	robot, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Name: "ci", Grants: map[int64]sinew.Role{shop: sinew.RoleDeveloper}})
	e.ok(err)
	_, err = db.CreateToken(t.Context(), e.admin(), store.NewToken{Principal: robot.Pseudonym, Name: "short", Role: sinew.RoleDeveloper, Hash: [32]byte{1}, Expires: monday.Add(12 * time.Hour)})
	e.ok(err)
	if got := steps(e.admin()); got != "first_report applications first_decision -ci_token second_user -provider" {
		t.Errorf("of the world: %s", got)
	}
	_, err = db.CreateToken(t.Context(), e.admin(), store.NewToken{Principal: robot.Pseudonym, Name: "ci", Role: sinew.RoleDeveloper, Hash: [32]byte{2}, Expires: monday.AddDate(0, 0, 90)})
	e.ok(err)
	if got := steps(e.admin()); got != "first_report applications first_decision ci_token second_user -provider" {
		t.Errorf("with a token: %s", got)
	}
	// Others learn only of what is theirs.
	if got := steps(w.reader(bank)); got != "first_report applications first_decision -ci_token" {
		t.Errorf("of a reader of the bank: %s", got)
	}
	if got := steps(w.reader()); got != "" {
		t.Errorf("of a reader of nothing: %s", got)
	}
}

func testViews(t *testing.T, e *env) {
	w := e.project()
	person := func(name string, all sinew.Role, units map[int64]sinew.Role) sinew.Reader {
		t.Helper()
		p, err := w.db.CreatePrincipal(t.Context(), w.admin(), store.NewPrincipal{Login: name, Name: strings.ToUpper(name), All: all, Grants: units})
		e.ok(err)
		r, err := w.db.ReaderFor(t.Context(), w.ws.ID, p.Pseudonym)
		e.ok(err)
		return r
	}
	ann := person("ann", "", map[int64]sinew.Role{shop: sinew.RoleDeveloper, bank: sinew.RoleViewer})
	bob := person("bob", "", map[int64]sinew.Role{shop: sinew.RoleViewer})
	eve := person("eve", "", map[int64]sinew.Role{bank: sinew.RoleDeveloper})
	boss := person("boss", sinew.RoleAdmin, nil)
	names := func(r sinew.Reader) string {
		t.Helper()
		list, _, err := w.db.Views(t.Context(), r, store.Page{})
		e.ok(err)
		var out []string
		for _, v := range list {
			mine := ""
			if v.Mine {
				mine = "*"
			}
			out = append(out, v.Name+mine)
		}
		return strings.Join(out, " ")
	}
	mine, err := w.db.CreateView(t.Context(), ann, store.SavedView{
		Name: "a", Scope: store.ViewPrivate, Filter: "is:open severity:>=high", Tab: "all", Sort: "-severity", Columns: []string{"severity", "title"}, Group: "root_cause",
	})
	e.ok(err)
	if mine.OwnerName != "ANN" || !mine.Mine || mine.Filter != "is:open severity:>=high" || len(mine.Columns) != 2 || mine.Group != "root_cause" || mine.Updated.IsZero() {
		t.Errorf("view %+v", mine)
	}
	shared, err := w.db.CreateView(t.Context(), ann, store.SavedView{Name: "b", Scope: store.ViewUnit, Application: "shop"})
	e.ok(err)
	if shared.Application != "shop" {
		t.Errorf("view %+v", shared)
	}
	all, err := w.db.CreateView(t.Context(), boss, store.SavedView{Name: "c", Scope: store.ViewEveryone})
	e.ok(err)
	for who, want := range map[string]struct {
		r    sinew.Reader
		sees string
	}{"ann": {ann, "a* b* c"}, "bob": {bob, "b c"}, "eve": {eve, "c"}, "boss": {boss, "b c*"}, "nobody": {w.reader(), ""}} {
		if got := names(want.r); got != want.sees {
			t.Errorf("%s sees %q, want %q", who, got, want.sees)
		}
	}
	for name, v := range map[string]store.SavedView{
		"of an application that he only reads": {Name: "x", Scope: store.ViewUnit, Application: secretWord},
		"for everyone":                         {Name: "x", Scope: store.ViewEveryone},
	} {
		_, err := w.db.CreateView(t.Context(), ann, v)
		e.code(err, sinew.CodeDenied, name)
		_, err = w.db.UpdateView(t.Context(), ann, mine.ID, v)
		e.code(err, sinew.CodeDenied, "change into one "+name)
	}
	for name, v := range map[string]store.SavedView{
		"no name": {Scope: store.ViewPrivate}, "no scope": {Name: "x"}, "filter": {Name: "x", Scope: store.ViewPrivate, Filter: "severty:x"},
		"sort": {Name: "x", Scope: store.ViewPrivate, Sort: "colour"}, "group": {Name: "x", Scope: store.ViewPrivate, Group: "colour"},
		"application": {Name: "x", Scope: store.ViewPrivate, Application: "shop"},
	} {
		_, err := w.db.CreateView(t.Context(), ann, v)
		e.code(err, sinew.CodeInvalid, name)
	}
	_, err = w.db.CreateView(t.Context(), bob, store.SavedView{Name: "x", Scope: store.ViewUnit, Application: secretWord})
	e.code(err, sinew.CodeNotFound, "of an application that he does not see")
	e.code(w.db.DeleteView(t.Context(), bob, shared.ID), sinew.CodeDenied, "delete one that others share")
	e.code(w.db.DeleteView(t.Context(), eve, shared.ID), sinew.CodeNotFound, "delete one that is not seen")
	e.code(w.db.DeleteView(t.Context(), boss, mine.ID), sinew.CodeNotFound, "an administrator deletes a private one")
	_, err = w.db.UpdateView(t.Context(), boss, shared.ID, store.SavedView{Name: "b", Scope: store.ViewPrivate})
	e.code(err, sinew.CodeDenied, "make another's view private")
	changed, err := w.db.UpdateView(t.Context(), boss, shared.ID, store.SavedView{Name: "b2", Scope: store.ViewEveryone})
	e.ok(err)
	if changed.Name != "b2" || changed.OwnerName != "ANN" || changed.Application != "" {
		t.Errorf("changed %+v", changed)
	}
	e.ok(w.db.DeleteView(t.Context(), boss, all.ID))
	_, err = w.db.View(t.Context(), boss, all.ID)
	e.code(err, sinew.CodeNotFound, "a deleted view")
	// Who is erased takes his private views with him; what he shared stays.
	e.ok(w.db.ErasePrincipal(t.Context(), w.admin(), ann.Principal))
	if n := e.query(`SELECT COUNT(*) FROM saved_view`); n != 1 || names(eve) != "b2" {
		t.Errorf("%d views, eve sees %q", n, names(eve))
	}
}
