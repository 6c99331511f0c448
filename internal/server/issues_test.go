package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestIssues asks for root causes, opens one, and works on it (ING5).
func TestIssues(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.many()
		var all list[sinew.Issue]
		w.ok("viewer", "GET", "/api/v1/issues?limit=3", nil, &all)
		if len(all.Items) != 3 || all.Next == "" || all.Items[0].Active < all.Items[1].Active || all.Items[1].Active < all.Items[2].Active {
			t.Errorf("the first page %+v", all)
		}
		var more list[sinew.Issue]
		w.ok("viewer", "GET", asking("/api/v1/issues", "limit", "3", "cursor", all.Next), nil, &more)
		if len(more.Items) == 0 || slices.ContainsFunc(more.Items, func(i sinew.Issue) bool { return i.ID == all.Items[0].ID }) {
			t.Errorf("the second page %+v", more)
		}
		var found list[sinew.Issue]
		w.ok("viewer", "GET", asking("/api/v1/issues", "application", "shop", "kind", "upgrade,secret", "text", "LODASH", "owner", "none", "sort", "-severity"), nil, &found)
		if len(found.Items) != 1 {
			t.Fatalf("lodash %+v", found.Items)
		}
		lodash := found.Items[0]
		if up := lodash.Upgrade; lodash.Cause != "upgrade lodash (npm)" || lodash.Active != 2 || lodash.Worst != sinew.SeverityCritical ||
			up == nil || up.To != "4.17.21" || up.Closes != 2 || up.Of != 2 {
			t.Errorf("%+v, upgrade %+v", lodash, lodash.Upgrade)
		}
		if got := w.listed("viewer", lodash.Filter, ""); len(got) != 2 {
			t.Errorf("%s finds %q", lodash.Filter, got)
		}
		for _, bad := range []string{"kind=colour", "state=broken", "sort=title", "cursor=x"} {
			w.problem("viewer", "GET", "/api/v1/issues?"+bad, nil, 400)
		}

		at := "/api/v1/issues/" + lodash.ID
		show := func(sender string) (d issueDetail) {
			w.Helper()
			w.ok(sender, "GET", at, nil, &d)
			return d
		}
		d := show("viewer")
		if d.MayChange || len(d.Events) != 1 {
			t.Errorf("as its viewer sees it %+v", d)
		}
		w.ok("developer", "PATCH", at, object{
			"owner": "team-a", "state": "in_progress", "ticket": object{"key": "SHOP-7", "url": "https://tickets.example.org/7"}, "note": "in the next sprint",
		}, nil)
		d = show("developer")
		if !d.MayChange || d.State != sinew.IssueInProgress || d.Owner != "team-a" || d.Ticket == nil || d.Ticket.URL != "https://tickets.example.org/7" || len(d.Events) != 5 {
			t.Errorf("in progress %+v", d)
		}
		if i := slices.IndexFunc(d.Events, func(e sinew.IssueEvent) bool { return e.Note == "in the next sprint" }); i < 0 || d.Events[i].ActorName == "" {
			t.Errorf("history %+v", d.Events)
		}
		// The same request again changes nothing, another one with its key is refused.
		w.ok("developer", "PATCH", at, object{"note": "once"}, nil, "Idempotency-Key", "issue-1")
		var again accepted
		w.ok("developer", "PATCH", at, object{"note": "once"}, &again, "Idempotency-Key", "issue-1")
		if !again.Duplicate {
			t.Errorf("again %+v", again)
		}
		for name, body := range map[string]object{
			"nothing": {}, "done by hand": {"state": "done"}, "a script": {"ticket": object{"key": "x", "url": "javascript:alert(1)"}},
			"no key": {"ticket": object{"key": "", "url": "https://example.org"}}, "long": {"owner": strings.Repeat("x", 201)},
		} {
			if got := w.do("developer", "PATCH", at, body); got.status != http.StatusBadRequest && got.status != http.StatusUnprocessableEntity && got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		}
		w.problem("developer", "PATCH", "/api/v1/issues/"+"i"+strings.Repeat("a", 26), object{"note": "x"}, 404)

		// What was accepted is not worked on.
		var decided accepted
		w.ok("developer", "POST", "/api/v1/decisions", object{"filter": lodash.Filter, "verdict": "accepted", "reason": "test data"}, &decided)
		d = show("viewer")
		if d.State != sinew.IssueAccepted || d.Active != 0 || d.Accepted != 2 || d.Upgrade != nil {
			t.Errorf("accepted %+v", d)
		}
		w.problem("developer", "PATCH", at, object{"state": "in_progress"}, 409)
		w.ok("developer", "POST", "/api/v1/decisions/"+decided.ID+"/undo", nil, nil)
		d = show("viewer")
		if d.State != sinew.IssueOpen || d.Reopened != 1 || d.Owner != "team-a" {
			t.Errorf("opened again %+v", d)
		}
	})
}
