package storetest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// testIsolation asks everything that can be asked on behalf of a reader, about
// the bank, as somebody who may see the shop only. A method of the store that
// takes a reader and has no case here fails the test (GRA13).
func testIsolation(t *testing.T, e *env) {
	w := e.project()
	db, ctx := w.db, t.Context()
	bankFinding, bankMerged := w.id(secretWord+"/core", 3), w.id(secretWord+"/core", 100)
	bankSnapshot := store.SnapshotID(w.ws.UUID, w.snapshots[secretWord+"/core"])
	bankAsset := sinew.PublicID(w.ws.UUID, sinew.IDAsset, 101)
	bankStream := sinew.PublicID(w.ws.UUID, sinew.IDStream, w.places["main of "+secretWord+"/core"])
	admin, err := db.CreatePrincipal(ctx, w.admin(), store.NewPrincipal{Login: secretWord, All: sinew.RoleAdmin})
	e.ok(err)
	bankSession, err := db.CreateSession(ctx, sinew.Reader{Workspace: w.ws.ID, Principal: admin.Pseudonym}, store.NewSession{Hash: [32]byte{9}, Agent: secretWord})
	e.ok(err)
	bankProvider := keycloak()
	bankProvider.Name = secretWord
	e.ok(db.CreateProvider(ctx, w.admin(), bankProvider))
	e.exec(`UPDATE finding SET unit_id = $1 WHERE obs_seq = $2 AND obs_n = 9`, bank, w.snapshots["shop/api"])
	core := w.snapshots[secretWord+"/core"]
	e.exec(`UPDATE finding SET tool = $1 WHERE obs_seq = $2 AND obs_n = 8`, secretWord, core)
	e.exec(`INSERT INTO finding_join (space, a_id, b_id, rule, fields, seq, gen_from) VALUES ($1, $2, $3, 1, '[]', $4, 1)`, w.space.ID, core<<28+8, core<<28+9, core)
	e.exec(`INSERT INTO link (space, seq, kind, a_id, b_id, a_rule, b_rule, at, actor, undone) VALUES ($1, $2, 'never', 0, $3, $4, 'b', 1, 'p1', 0)`,
		w.space.ID, core, bank, secretWord+"\nrule")
	bankDecision := sinew.PublicID(w.ws.UUID, sinew.IDDecision, w.snapshots[secretWord+"/core"]<<28)
	bankView, err := db.CreateView(ctx, w.admin(), store.SavedView{Name: secretWord, Scope: store.ViewUnit, Application: secretWord})
	e.ok(err)
	query, err := filter.Parse("app:" + secretWord)
	e.ok(err)
	page := store.Page{Limit: 1000}
	list := func(v any, next string, err error) (any, error) { return []any{v, next}, err }

	// What a method answers: a value that must not hold the secret word, and an
	// error that must be one of refusal.
	cases := map[string]func(sinew.Reader) (any, error){
		"Findings": func(r sinew.Reader) (any, error) { return list(db.Findings(ctx, r, nil, page)) },
		"Findings of the bank": func(r sinew.Reader) (any, error) {
			got, _, err := db.Findings(ctx, r, query, page)
			if len(got) > 0 {
				t.Errorf("%d findings of the bank", len(got))
			}
			return got, err
		},
		"Finding":        func(r sinew.Reader) (any, error) { return db.Finding(ctx, r, bankFinding) },
		"Finding merged": func(r sinew.Reader) (any, error) { return db.Finding(ctx, r, bankMerged) },
		"Counts":         func(r sinew.Reader) (any, error) { return db.Counts(ctx, r, nil) },
		"Counts of the bank": func(r sinew.Reader) (any, error) {
			got, err := db.Counts(ctx, r, query)
			if got != nil && got.Total > 0 {
				t.Errorf("%d findings of the bank", got.Total)
			}
			return got, err
		},
		"Counts of a filter": func(r sinew.Reader) (any, error) {
			q, err := filter.Parse("openssl")
			e.ok(err)
			return db.Counts(ctx, r, q)
		},
		"Applications": func(r sinew.Reader) (any, error) { return list(db.Applications(ctx, r, page)) },
		"UnitByName":   func(r sinew.Reader) (any, error) { return db.UnitByName(ctx, r, secretWord) },
		"UnitNames":    func(r sinew.Reader) (any, error) { return db.UnitNames(ctx, r) },
		"Rules": func(r sinew.Reader) (any, error) {
			document, _, err := db.Rules(ctx, r)
			return document, err
		},
		"Streams":   func(r sinew.Reader) (any, error) { return list(db.Streams(ctx, r, page)) },
		"Snapshots": func(r sinew.Reader) (any, error) { return list(db.Snapshots(ctx, r, store.SnapshotFilter{}, page)) },
		"Snapshots of a target": func(r sinew.Reader) (any, error) {
			return list(db.Snapshots(ctx, r, store.SnapshotFilter{Target: secretWord + "/core"}, page))
		},
		"Snapshots of a stream": func(r sinew.Reader) (any, error) {
			return list(db.Snapshots(ctx, r, store.SnapshotFilter{Stream: bankStream}, page))
		},
		"Groups": func(r sinew.Reader) (any, error) { return list(db.Groups(ctx, r, nil, "file", page)) },
		"Groups by application": func(r sinew.Reader) (any, error) {
			return list(db.Groups(ctx, r, nil, "application", page))
		},
		"DedupStats": func(r sinew.Reader) (any, error) { return db.DedupStats(ctx, r) },
		"LinksSeen":  func(r sinew.Reader) (any, error) { return db.LinksSeen(ctx, r) },
		"Scanners":   func(r sinew.Reader) (any, error) { return db.Scanners(ctx, r) },
		"Decisions":  func(r sinew.Reader) (any, error) { return list(db.Decisions(ctx, r, page)) },
		"Issues":     func(r sinew.Reader) (any, error) { return list(db.Issues(ctx, r, store.IssueFilter{}, page)) },
		"Issues of the bank": func(r sinew.Reader) (any, error) {
			got, _, err := db.Issues(ctx, r, store.IssueFilter{Applications: []string{secretWord}, States: sinew.IssueStates}, page)
			if len(got) > 0 {
				t.Errorf("%d issues of the bank", len(got))
			}
			return got, err
		},
		"Issue": func(r sinew.Reader) (any, error) { return db.Issue(ctx, r, w.issueID(bank, "upgrade openssl 1.0")) },
		"IssueNamed": func(r sinew.Reader) (any, error) {
			return db.IssueNamed(ctx, r, w.issueID(bank, "upgrade openssl 1.0"))
		},
		"DecidedOn": func(r sinew.Reader) (any, error) {
			_, got, err := db.DecidedOn(ctx, r, bankDecision)
			return got, err
		},
		"Targets of the bank": func(r sinew.Reader) (any, error) {
			got, _, err := db.Targets(ctx, r, query, 100)
			if len(got) > 0 {
				t.Errorf("%d findings of the bank", len(got))
			}
			return got, err
		},
		"Targets": func(r sinew.Reader) (any, error) {
			got, _, err := db.Targets(ctx, r, nil, 100)
			return got, err
		},
		"TargetsNamed":  func(r sinew.Reader) (any, error) { return db.TargetsNamed(ctx, r, []string{bankMerged}) },
		"FindingSource": func(r sinew.Reader) (any, error) { return db.FindingSource(ctx, r, bankFinding) },
		"Coverage":      func(r sinew.Reader) (any, error) { return db.Coverage(ctx, r) },
		"Onboarding":    func(r sinew.Reader) (any, error) { return db.Onboarding(ctx, r) },
		"Views":         func(r sinew.Reader) (any, error) { return list(db.Views(ctx, r, page)) },
		"View":          func(r sinew.Reader) (any, error) { return db.View(ctx, r, bankView.ID) },
		"UpdateView": func(r sinew.Reader) (any, error) {
			return db.UpdateView(ctx, r, bankView.ID, store.SavedView{Name: "x", Scope: store.ViewPrivate})
		},
		"DeleteView": func(r sinew.Reader) (any, error) { return nil, db.DeleteView(ctx, r, bankView.ID) },
		"CreateView": func(r sinew.Reader) (any, error) {
			return db.CreateView(ctx, r, store.SavedView{Name: "x", Scope: store.ViewUnit, Application: secretWord})
		},
		"Projection": func(r sinew.Reader) (any, error) { return db.Projection(ctx, r) },
		"SearchLog": func(r sinew.Reader) (any, error) {
			got, _, err := db.SearchLog(ctx, r, store.LogSearch{Limit: 100})
			return got, err
		},
		"Deployed": func(r sinew.Reader) (any, error) { return list(db.Deployed(ctx, r, page)) },
		"Refs":     func(r sinew.Reader) (any, error) { return list(db.Refs(ctx, r, page)) },
		"OpenEvidence of a repository with a part that is the bank's": func(r sinew.Reader) (any, error) {
			return db.OpenEvidence(ctx, r, store.SnapshotID(w.ws.UUID, w.snapshots["shop/api"]))
		},
		"Snapshot":     func(r sinew.Reader) (any, error) { return db.Snapshot(ctx, r, bankSnapshot) },
		"OpenEvidence": func(r sinew.Reader) (any, error) { return db.OpenEvidence(ctx, r, bankSnapshot) },
		"Assets":       func(r sinew.Reader) (any, error) { return list(db.Assets(ctx, r, store.AssetFilter{}, page)) },
		"Asset":        func(r sinew.Reader) (any, error) { return db.Asset(ctx, r, bankAsset) },
		"Asset with a neighbour in the bank": func(r sinew.Reader) (any, error) {
			return db.Asset(ctx, r, sinew.PublicID(w.ws.UUID, sinew.IDAsset, 100))
		},
		"Log":     func(r sinew.Reader) (any, error) { return list(db.Log(ctx, r, store.LogFilter{}, page)) },
		"Entry":   func(r sinew.Reader) (any, error) { return refused(db.Entry(ctx, r, w.snapshots[secretWord+"/core"])) },
		"Earlier": func(r sinew.Reader) (any, error) { return db.Earlier(ctx, r, "key", [32]byte{}) },
		"Accept": func(r sinew.Reader) (any, error) {
			return db.Accept(ctx, r, store.Accept{Kind: sinew.EntryDecision, Payload: 1, Units: []int64{bank}})
		},
		"Principals": func(r sinew.Reader) (any, error) { return db.Principals(ctx, r) },
		"Principal":  func(r sinew.Reader) (any, error) { return db.Principal(ctx, r, admin.Pseudonym) },
		"CreatePrincipal": func(r sinew.Reader) (any, error) {
			return db.CreatePrincipal(ctx, r, store.NewPrincipal{Login: "eve", All: sinew.RoleAdmin})
		},
		"SetRole":          func(r sinew.Reader) (any, error) { return nil, db.SetRole(ctx, r, r.Principal, sinew.RoleAdmin) },
		"SetGrant":         func(r sinew.Reader) (any, error) { return nil, db.SetGrant(ctx, r, r.Principal, bank, sinew.RoleAdmin) },
		"SetPassword":      func(r sinew.Reader) (any, error) { return nil, db.SetPassword(ctx, r, admin.Pseudonym, "x") },
		"DisablePrincipal": func(r sinew.Reader) (any, error) { return nil, db.DisablePrincipal(ctx, r, admin.Pseudonym) },
		"EnablePrincipal":  func(r sinew.Reader) (any, error) { return nil, db.EnablePrincipal(ctx, r, admin.Pseudonym) },
		"ErasePrincipal":   func(r sinew.Reader) (any, error) { return nil, db.ErasePrincipal(ctx, r, admin.Pseudonym) },
		"CreateToken": func(r sinew.Reader) (any, error) {
			return db.CreateToken(ctx, r, store.NewToken{Principal: admin.Pseudonym, Name: "x", Role: sinew.RoleAdmin, Expires: monday.AddDate(1, 0, 0)})
		},
		"Tokens":      func(r sinew.Reader) (any, error) { return db.Tokens(ctx, r) },
		"RevokeToken": func(r sinew.Reader) (any, error) { return nil, db.RevokeToken(ctx, r, 1) },
		"ChangePassword": func(r sinew.Reader) (any, error) {
			return nil, db.ChangePassword(ctx, r, admin.Pseudonym, "x", "")
		},
		"CreateSession": func(r sinew.Reader) (any, error) {
			return db.CreateSession(ctx, r, store.NewSession{Hash: [32]byte{1}}) // these readers are nobody
		},
		"Sessions":   func(r sinew.Reader) (any, error) { return db.Sessions(ctx, r) },
		"EndSession": func(r sinew.Reader) (any, error) { return nil, db.EndSession(ctx, r, bankSession.ID) },
		"Providers":  func(r sinew.Reader) (any, error) { return db.Providers(ctx, r) },
		"Provider":   func(r sinew.Reader) (any, error) { return db.Provider(ctx, r, "keycloak") },
		"CreateProvider": func(r sinew.Reader) (any, error) {
			p := keycloak()
			p.ID, p.Issuer = "mine", "https://mine.example.org"
			return nil, db.CreateProvider(ctx, r, p)
		},
		"UpdateProvider": func(r sinew.Reader) (any, error) { return nil, db.UpdateProvider(ctx, r, bankProvider) },
		"DeleteProvider": func(r sinew.Reader) (any, error) { return nil, db.DeleteProvider(ctx, r, "keycloak") },
		"CreateInvite": func(r sinew.Reader) (any, error) {
			return nil, db.CreateInvite(ctx, r, sinew.RoleAdmin, [32]byte{1}, monday.AddDate(1, 0, 0))
		},
		"SetRetention": func(r sinew.Reader) (any, error) { return nil, db.SetRetention(ctx, r, store.BlobEvidence, 1) },
		"DeleteBlobs": func(r sinew.Reader) (any, error) {
			return db.DeleteBlobs(ctx, r, store.BlobEvidence, [][32]byte{{1}}, "because")
		},
	}
	for method := range reflect.TypeFor[*store.DB]().Methods() {
		takesReader := false
		for in := range method.Type.Ins() {
			takesReader = takesReader || in == reflect.TypeFor[sinew.Reader]()
		}
		if _, ok := cases[method.Name]; takesReader && !ok {
			t.Errorf("(*store.DB).%s takes a reader: give it a case here", method.Name)
		}
	}

	demo, err := db.CreateWorkspace(ctx, "demo")
	e.ok(err)
	readers := map[string]sinew.Reader{
		"reader of the shop":          w.reader(shop),
		"reader of nothing":           w.reader(),
		"role none":                   {Workspace: w.ws.ID, Principal: "p", Units: map[int64]sinew.Role{bank: sinew.RoleNone}},
		"administrator of the shop":   {Workspace: w.ws.ID, Principal: "p", Units: map[int64]sinew.Role{shop: sinew.RoleAdmin}},
		"the zero reader":             {},
		"administrator of no one":     {All: sinew.RoleAdmin, Principal: "p"},
		"reader of the demo":          {Workspace: demo.ID, Principal: "p", All: sinew.RoleDeveloper},
		"reader of a lost workspace":  {Workspace: 999, Principal: "p", All: sinew.RoleDeveloper},
		"bank in the wrong workspace": {Workspace: demo.ID, Principal: "p", Units: map[int64]sinew.Role{bank: sinew.RoleDeveloper}},
	}
	for who, r := range readers {
		for name, ask := range cases {
			got, err := ask(r)
			switch code := sinew.CodeOf(err); {
			case err == nil:
			case code == sinew.CodeNotFound, code == sinew.CodeDenied:
			default:
				t.Errorf("%s by %s: %v", name, who, err)
			}
			// The caller's own words may come back in an error.
			text, jerr := json.Marshal(got)
			if jerr != nil {
				text = fmt.Append(nil, got)
			}
			if strings.Contains(string(text), secretWord) {
				t.Errorf("%s by %s tells of the bank: %.300s", name, who, text)
			}
		}
	}
	if _, err := cases["OpenEvidence of a repository with a part that is the bank's"](w.reader(shop)); sinew.CodeOf(err) != sinew.CodeNotFound {
		t.Errorf("a report with findings of the bank is given to a reader of the shop: %v", err)
	}
	if _, err := db.OpenEvidence(ctx, w.reader(shop), store.SnapshotID(w.ws.UUID, w.snapshots["shop/web"])); err != nil {
		t.Errorf("the shop's own report: %v", err)
	}
	// The same questions are answered to who may ask.
	may := w.admin()
	for _, name := range []string{
		"Groups", "Groups by application", "DedupStats", "LinksSeen", "Scanners", "Issues", "Issue", "Coverage", "Views", "View", "Finding", "Finding merged", "Findings", "Applications", "UnitByName", "UnitNames", "Rules", "Streams", "Snapshots",
		"Snapshot", "OpenEvidence", "Deployed", "Refs", "Assets", "Asset", "Log", "Entry", "Principals", "Principal", "Counts",
	} {
		got, err := cases[name](may)
		if err != nil {
			t.Errorf("%s by the administrator: %v", name, err)
			continue
		}
		text, _ := json.Marshal(got)
		if r, ok := got.(io.Reader); ok {
			text, _ = io.ReadAll(r)
		}
		if !slices.Contains([]string{"UnitByName", "Entry", "Log"}, name) && !strings.Contains(string(text), secretWord) {
			t.Errorf("%s by the administrator does not tell of the bank: %.300s", name, text)
		}
	}
}

// refused keeps the payload, which is base64 in JSON, readable.
func refused(entry sinew.Entry, err error) (any, error) { return string(entry.Payload), err }

// titles are "target number" of findings.
func (w *world) titles(list []sinew.Finding) []string {
	var out []string
	for _, f := range list {
		n := strings.Index(f.Title, " of ")
		out = append(out, fmt.Sprintf("%s %d", f.Target, f.Title[n-1]-'A'))
	}
	return out
}

func testFilters(t *testing.T, e *env) {
	w := e.project()
	for _, tc := range []struct {
		filter string
		want   string // findings of shop/web by number
	}{
		{"", "0 1 2 3 4 5 6 7 8 9"},
		{"is:open", "0 2 3 4 5 6 7 8 9"},
		{"is:closed", "1"},
		{"is:fixed", "1"},
		{"-is:open", "1"},
		{"is:triaged,fixed", "1 2"},
		{"is:reopened", "3"},
		{"is:reopened,triaged", "2 3"},
		{"is:not_observed", "3"},
		{"is:untriaged", "0 4 5 6 7 8 9"},
		{"severity:critical", "4 9"},
		{"severity:>=high", "3 4 8 9"},
		{"severity:<low", "0 5"},
		{"-severity:info,low", "2 3 4 7 8 9"},
		{"tool:TRIVY", "0 1 2 3 4 5 6 7 8 9"},
		{"tool:tri", ""},
		{"tool:~ri", "0 1 2 3 4 5 6 7 8 9"},
		{"-tool:trivy", ""},
		{"rule:CVE-2026-3", "3"},
		{"rule:cve-2026-*", "0 1 2 3 4 5 6 7 8 9"},
		{"rule:CVE_2026_3", ""}, // _ is no wildcard
		{"app:shop", "0 1 2 3 4 5 6 7 8 9"},
		{"app:SHOP is:fixed", "1"},
		{"app:none", ""},
		{"app:" + secretWord, ""},
		{"service:web", "5"},
		{"service:none id:CVE-2026-4", "4"},
		{"class:host", "4"},
		{"target:shop/web", "0 1 2 3 4 5 6 7 8 9"},
		{"target:*/web", "0 1 2 3 4 5 6 7 8 9"},
		{"target:shop/*", "0 1 2 3 4 5 6 7 8 9"},
		{"-target:shop/*", ""},
		{"source:none", "0 1 2 3 4 5 6 7 8 9"},
		{"source:ci", ""},
		{"ref:main", "0 1 2 3 4 5 6 7 8 9"},
		{"ref:feature/*", "6"},
		{"-ref:feature/x severity:low", "1"},
		{"ref:nowhere", ""},
		{"env:prod", "7"},
		{"env:none severity:medium", "2"},
		{"-env:none", "7"},
		{"env:none,prod severity:medium", "2 7"},
		{"env:prod,test", "7"},
		{"env:test", ""},
		{"place:branch", "6"},
		{"place:deployed,branch", "6 7"},
		{"cwe:79 severity:info", "0"},
		{"cwe:CWE-79 severity:info", "0"},
		{"cwe:7", ""},
		{"cwe:none", "5"},
		{"id:cve-2026-7", "7"},
		{"id:CVE-2026-*,GHSA-1 is:fixed", "1"},
		{"id:CVE-2026", ""},
		{"id:~2026-7", "7"},
		{"file:src/shop/web/*", "0 1 2 3 4 5 6 7 8 9"},
		{"file:none", ""},
		{"line:>7", "8 9"},
		{"line:7", "7"},
		{"line:<=1", "0 1"},
		{"package:openssl", "0 1 2 3 6 7 8 9"},
		{"package:none", "4 5"},
		{"purl:pkg:generic/*", "0 1 2 3 6 7 8 9"},
		{"host:host-4.EXAMPLE.org", "4"},
		{"resource:*50%_bucket", "5"},
		{"resource:*50_bucket", ""},
		{`endpoint:*example.org/a?b`, "5"},
		{"image:registry/x", "5"},
		{"owner:team-a", "2"},
		{"-owner:none", "2"},
		{"kev:true", ""},
		{"kev:false", ""},
		{"-kev:true", ""},
		{"title", "0 1 2 3 4 5 6 7 8 9"},
		{`"title b"`, "1"},
		{"OPENSSL is:fixed", "1"},
		{`"50%_b"`, "5"},
		{`"5%b"`, ""},
		{`'`, ""},
		{`"x' OR 1=1 --"`, ""},
		{`file:"'; DROP TABLE finding; --"`, ""},
		{"first:<=2026-01-06", "0 1"},
		{"first:2026-01-08", "3"},
		{"first:>2026-01-12", "8 9"},
		{"-first:>2026-01-06", "0 1"},
		{"since:>=2026-01-13", "8 9"},
		{"first:<36h", "0 1 2 3 4 5 6 7 8 9"}, // all are in the future of the clock
		{"first:>1d", ""},
		// 1 and 3 have their own last time; the others are seen as long as the
		// place is, day 0, and not before they were first seen.
		{"last:>=2026-01-26", "1"},
		{"last:2026-01-25", "3"},
		{"last:2026-01-05", "0"},
		{"last:2026-01-09", "4"},
		{"last:<2026-01-10", "0 2 4"},
	} {
		q, err := filter.Parse(tc.filter)
		if err != nil {
			t.Errorf("%s: %v", tc.filter, err)
			continue
		}
		for _, sort := range []string{"recorded", "-severity", "title", "-last_seen"} {
			got := []string{}
			list, next, err := w.db.Findings(t.Context(), w.admin(), q, store.Page{Sort: sort, Limit: 1000})
			e.ok(err)
			if next != "" {
				t.Errorf("%s by %s: there are more", tc.filter, sort)
			}
			for _, title := range w.titles(list) {
				if n, ok := strings.CutPrefix(title, "shop/web "); ok {
					got = append(got, n)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tc.want {
				t.Errorf("%q by %s: %v, want %s", tc.filter, sort, got, tc.want)
			}
		}
		c, err := w.db.Counts(t.Context(), w.reader(shop), q)
		e.ok(err)
		list, _, err := w.db.Findings(t.Context(), w.reader(shop), q, store.Page{Limit: 1000})
		e.ok(err)
		if c.Total != int64(len(list)) || c.Capped {
			t.Errorf("%q: counted %d, listed %d", tc.filter, c.Total, len(list))
		}
	}
}

// testPages walks every order in pages of every size: each finding once, in
// order, however ties fall.
func testPages(t *testing.T, e *env) {
	w := e.project()
	seen := func(f store.FindingRow) int64 {
		target := 0
		for i, name := range []string{"shop/web", "shop/api", secretWord + "/core", "stray/thing"} {
			if w.snapshots[name] == f.ObsSeq {
				target = i
			}
		}
		if f.LastSeen != 0 {
			return f.LastSeen
		}
		return max(day(target), f.FirstSeen)
	}
	active := func(f store.FindingRow) int {
		if f.State.Active() {
			return 1
		}
		return 0
	}
	by := map[string]func(a, b store.FindingRow) int{
		"-severity": func(a, b store.FindingRow) int {
			return cmp.Or(active(b)-active(a), b.Severity-a.Severity, cmp.Compare(b.ID, a.ID))
		},
		"severity": func(a, b store.FindingRow) int {
			return cmp.Or(active(b)-active(a), a.Severity-b.Severity, cmp.Compare(a.ID, b.ID))
		},
		"recorded": func(a, b store.FindingRow) int { return cmp.Compare(a.ID, b.ID) },
		"first_seen": func(a, b store.FindingRow) int {
			return cmp.Or(cmp.Compare(a.FirstSeen, b.FirstSeen), cmp.Compare(a.ID, b.ID))
		},
		"last_seen": func(a, b store.FindingRow) int { return cmp.Or(cmp.Compare(seen(a), seen(b)), cmp.Compare(a.ID, b.ID)) },
		"since":     func(a, b store.FindingRow) int { return cmp.Or(cmp.Compare(a.Since, b.Since), cmp.Compare(a.ID, b.ID)) },
		"title":     func(a, b store.FindingRow) int { return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.ID, b.ID)) },
	}
	for _, sort := range store.FindingSorts {
		less := by[sort]
		if less == nil {
			less = func(a, b store.FindingRow) int { return by[sort[1:]](b, a) }
		}
		want := slices.SortedFunc(slices.Values(w.findings), less)
		for _, size := range []int{1, 3, 40, 1000} {
			var got []string
			page := store.Page{Sort: sort, Limit: size}
			for {
				list, next, err := w.db.Findings(t.Context(), w.admin(), nil, page)
				e.ok(err)
				for _, f := range list {
					got = append(got, f.ID)
				}
				if next == "" {
					break
				}
				if len(list) != size {
					t.Fatalf("%s: a page of %d with a next one has %d", sort, size, len(list))
				}
				page.After = next
			}
			if len(got) != len(want) {
				t.Errorf("%s in pages of %d: %d findings, want %d", sort, size, len(got), len(want))
				continue
			}
			for i := range want {
				if id := sinew.PublicID(w.ws.UUID, sinew.IDFinding, want[i].ID); got[i] != id {
					t.Errorf("%s in pages of %d: number %d is %s, want %s", sort, size, i, got[i], id)
					break
				}
			}
		}
	}
	// Other lists are paged alike.
	all := map[string]func(store.Page) (int, string, error){
		"applications": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Applications(t.Context(), w.admin(), p)
			return len(l), n, err
		},
		"streams": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Streams(t.Context(), w.admin(), p)
			return len(l), n, err
		},
		"snapshots": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Snapshots(t.Context(), w.admin(), store.SnapshotFilter{}, p)
			return len(l), n, err
		},
		"deployments": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Deployed(t.Context(), w.admin(), p)
			return len(l), n, err
		},
		"refs": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Refs(t.Context(), w.admin(), p)
			return len(l), n, err
		},
		"assets": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Assets(t.Context(), w.admin(), store.AssetFilter{Kind: sinew.KindCompute, Text: "-1"}, p)
			return len(l), n, err
		},
		"assets of shop": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Assets(t.Context(), w.admin(), store.AssetFilter{Application: "shop"}, p)
			return len(l), n, err
		},
		"assets of none": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Assets(t.Context(), w.admin(), store.AssetFilter{Application: store.NoApplication}, p)
			return len(l), n, err
		},
		"log": func(p store.Page) (int, string, error) {
			l, n, err := w.db.Log(t.Context(), w.admin(), store.LogFilter{Kinds: []sinew.EntryKind{sinew.EntrySnapshot, sinew.EntryGenesis}}, p)
			return len(l), n, err
		},
	}
	want := map[string]int{"deployments": 3, "refs": 2, "applications": 2, "streams": 5, "snapshots": 4, "assets": 3, "assets of shop": 1, "assets of none": 1, "log": 5}
	for name, read := range all {
		for _, size := range []int{1, 2, 1000} {
			total, after := 0, ""
			for {
				n, next, err := read(store.Page{Limit: size, After: after})
				e.ok(err)
				if total += n; next == "" {
					break
				}
				after = next
			}
			if total != want[name] {
				t.Errorf("%s in pages of %d: %d, want %d", name, size, total, want[name])
			}
		}
	}
}

// testCursors: what was altered, or belongs to another list, is refused.
func testCursors(t *testing.T, e *env) {
	w := e.project()
	find := func(query, sort, after string) error {
		q, err := filter.Parse(query)
		e.ok(err)
		_, _, err = w.db.Findings(t.Context(), w.admin(), q, store.Page{Sort: sort, Limit: 2, After: after})
		return err
	}
	_, next, err := w.db.Findings(t.Context(), w.admin(), nil, store.Page{Limit: 2})
	e.ok(err)
	e.ok(find("", "", next))
	for name, err := range map[string]error{
		"another sort":     find("", "title", next),
		"another filter":   find("is:open", "", next),
		"no base64":        find("", "", "!!!"),
		"no JSON":          find("", "", "AAAA"),
		"cut off":          find("", "", next[:len(next)-4]),
		"far too long":     find("", "", strings.Repeat("A", 100_000)),
		"an unknown sort":  find("", "price", ""),
		"a sort that says": find("", "title; DROP TABLE finding", ""),
	} {
		e.code(err, sinew.CodeInvalid, name)
	}
	_, _, err = w.db.Streams(t.Context(), w.admin(), store.Page{After: next})
	e.code(err, sinew.CodeInvalid, "the cursor of another list")
	for _, limit := range []int{-1, 1001, 1 << 40} {
		_, _, err := w.db.Findings(t.Context(), w.admin(), nil, store.Page{Limit: limit})
		e.code(err, sinew.CodeInvalid, fmt.Sprintf("a page of %d", limit))
	}
	// Values of a cursor are only ever compared with: any are harmless.
	for i, forged := range forgeries(t, next) {
		err := find("", "", forged)
		if err != nil && sinew.CodeOf(err) != sinew.CodeInvalid {
			t.Errorf("forgery %d: %v", i, err)
		}
	}
	// A cursor of another workspace names no row here.
	demo, err := w.db.CreateWorkspace(context.Background(), "demo")
	e.ok(err)
	_, _, err = w.db.Findings(t.Context(), store.System(demo.ID), nil, store.Page{After: next})
	e.code(err, sinew.CodeInvalid, "the cursor of another workspace")
}
