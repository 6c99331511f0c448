package storetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"testing"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// forgeries are cursors with other values in them.
func forgeries(t *testing.T, cursor string) (out []string) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []map[string]any{
		{"Numbers": []any{math.MaxInt64, math.MinInt64}},
		{"Numbers": []any{1.5, 2}},
		{"Numbers": []any{1}},
		{"Numbers": []any{1, 2, 3}},
		{"Numbers": "1 OR 1=1"},
		{"Text": "a\x00b"},
		{"Text": "'; DROP TABLE finding; --"},
		{"ID": "faaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{"ID": ""},
		{"v": 2},
		{"of": ""},
	} {
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		maps.Copy(fields, change)
		forged, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, base64.RawURLEncoding.EncodeToString(forged))
	}
	return out
}

func testDetail(t *testing.T, e *env) {
	w := e.project()
	d, err := w.db.Finding(t.Context(), w.reader(shop), w.id("shop/web", 7))
	e.ok(err)
	f := d.Finding
	if f.ID != w.id("shop/web", 7) || f.Application != "shop" || f.Unit != sinew.PublicID(w.ws.UUID, sinew.IDUnit, shop) || f.Target != "shop/web" ||
		f.Severity != sinew.SeverityMedium || f.Package == nil || f.Package.Name != "openssl" || len(f.IDs) != 2 || len(f.CWE) != 1 || f.CWE[0] != 79 ||
		f.FirstSeen.UnixMicro() != day(7) || f.LastSeen.UnixMicro() != day(7) {
		t.Errorf("finding %+v", f)
	}
	if len(d.Presences) != 2 || d.Presences[0].Place.Kind != sinew.PlaceDefault || d.Presences[1].Place.Environment != "prod" ||
		d.Presences[0].Place.Stream != (sinew.Stream{Tool: "trivy", Target: "shop/web", Ref: "main"}) || d.Presences[0].Matched != "content" ||
		d.Presences[1].LastSeen.UnixMicro() != day(2) || d.Presences[0].Snapshot != store.SnapshotID(w.ws.UUID, w.snapshots["shop/web"]) {
		t.Errorf("presences %+v", d.Presences)
	}
	if len(d.Events) != 2 || d.Events[0].Kind != "opened" || d.Events[1].Kind != "moved" || d.Events[1].Place != "main" ||
		d.Events[1].Snapshot != d.Presences[0].Snapshot || d.Events[1].Cause != "it moved in shop/web" {
		t.Errorf("events %+v", d.Events)
	}
	if d.Observation == nil || d.Observation.Title != "shop/web observation 7" {
		t.Errorf("observation %+v", d.Observation)
	}
	if d.Evidence == nil || d.Evidence.Report != "report.json" || d.Evidence.Bytes != int64(len("report of shop/web")) || !d.Evidence.Deleted.IsZero() {
		t.Errorf("evidence %+v", d.Evidence)
	}
	if d.Decision != nil || d.MergedFrom != "" {
		t.Errorf("detail %+v", d)
	}
	// The tool's own word.
	d, err = w.db.Finding(t.Context(), w.reader(shop), w.id("shop/web", 2))
	e.ok(err)
	if d.Decision == nil || d.Decision.By != "tool" || d.Decision.Verdict != sinew.VerdictTriaged || d.Finding.Owner != "team-a" {
		t.Errorf("decision %+v", d.Decision)
	}
	// A resource, an endpoint and an image come back as they went in.
	d, err = w.db.Finding(t.Context(), w.reader(shop), w.id("shop/web", 5))
	e.ok(err)
	if f := d.Finding; f.Resource == nil || f.Resource.ID != "arn:aws:s3:::50%_bucket" || f.Endpoint == nil || f.Endpoint.Method != http.MethodGet ||
		f.Endpoint.URL != "https://example.org/a?b" || f.Image != "registry/x" || f.Package != nil || f.Service != "web" {
		t.Errorf("finding %+v", f)
	}
	// An id that was merged leads to the finding that it is part of now.
	merged := w.id("shop/web", 100)
	d, err = w.db.Finding(t.Context(), w.reader(shop), merged)
	e.ok(err)
	if d.Finding.ID != w.id("shop/web", 0) || d.MergedFrom != merged || len(d.Merged) != 1 || d.Merged[0] != merged || len(d.Decisions) != 1 || d.Decisions[0].By != "p1" {
		t.Errorf("merged: %+v", d)
	}
	for name, id := range map[string]string{
		"mistyped": merged[:9] + map[bool]string{true: "a", false: "b"}[merged[9] != 'a'] + merged[10:], "another kind": store.SnapshotID(w.ws.UUID, 2), "empty": "", "never born": w.id("shop/web", 5000), "long": fmt.Sprint(make([]int, 5000)),
	} {
		_, err := w.db.Finding(t.Context(), w.admin(), id)
		e.code(err, sinew.CodeNotFound, name)
	}
	// When the evidence was deleted, that is told; the finding stays.
	digest, err := store.ParseDigest(d.Evidence.Digest)
	e.ok(err)
	n, err := w.db.DeleteBlobs(t.Context(), w.admin(), store.BlobEvidence, [][32]byte{digest}, "a request")
	e.ok(err)
	d, err = w.db.Finding(t.Context(), w.reader(shop), merged)
	e.ok(err)
	if n != 1 || d.Evidence == nil || d.Evidence.Deleted.IsZero() || d.Observation == nil {
		t.Errorf("after the deletion: %+v", d.Evidence)
	}
	s, err := w.db.Snapshot(t.Context(), w.reader(shop), d.Evidence.Snapshot)
	e.ok(err)
	if s.State != store.SnapshotProjected || string(s.Result) != `{"new":1}` || s.Snapshot.Stream.Target != "shop/web" || s.Evidence.Deleted.IsZero() {
		t.Errorf("snapshot %+v", s)
	}
	// While it is pending, its sender sees it and other people do not.
	sender := sinew.Reader{Workspace: w.ws.ID, Principal: "sender", Units: map[int64]sinew.Role{shop: sinew.RoleDeveloper}}
	a, err := w.db.Accept(t.Context(), sender, store.Accept{Kind: sinew.EntrySnapshot, Units: []int64{shop}, Payload: sinew.Snapshot{Schema: sinew.SnapshotSchema}})
	e.ok(err)
	id := store.SnapshotID(w.ws.UUID, a.Seq)
	if s, err := w.db.Snapshot(t.Context(), sender, id); err != nil || s.State != store.SnapshotPending {
		t.Errorf("pending: %+v %v", s, err)
	}
	_, err = w.db.Snapshot(t.Context(), w.reader(shop), id)
	e.code(err, sinew.CodeNotFound, "another's pending snapshot")
}

func testCounts(t *testing.T, e *env) {
	w := e.project()
	for _, tc := range []struct {
		filter        string
		r             sinew.Reader
		total, active int64
		severities    map[sinew.Severity]int64
	}{
		{"", w.admin(), 40, 36, map[sinew.Severity]int64{"critical": 8, "high": 8, "medium": 8, "low": 4, "info": 8}},
		{"", w.reader(shop), 20, 18, map[sinew.Severity]int64{"critical": 4, "high": 4, "medium": 4, "low": 2, "info": 4}},
		{"", w.reader(), 0, 0, map[sinew.Severity]int64{}},
		{"is:open", w.admin(), 36, 36, map[sinew.Severity]int64{"critical": 8, "high": 8, "medium": 8, "low": 4, "info": 8}},
		{"app:shop is:open", w.admin(), 18, 18, map[sinew.Severity]int64{"critical": 4, "high": 4, "medium": 4, "low": 2, "info": 4}},
		{"-app:shop", w.admin(), 20, 18, map[sinew.Severity]int64{"critical": 4, "high": 4, "medium": 4, "low": 2, "info": 4}},
		{"app:none", w.admin(), 10, 9, map[sinew.Severity]int64{"critical": 2, "high": 2, "medium": 2, "low": 1, "info": 2}},
		{"severity:critical", w.admin(), 8, 8, map[sinew.Severity]int64{"critical": 8}},
		{"openssl", w.reader(shop), 16, 14, map[sinew.Severity]int64{"critical": 2, "high": 4, "medium": 4, "low": 4, "info": 2}},
	} {
		q, err := filter.Parse(tc.filter)
		e.ok(err)
		c, err := w.db.Counts(t.Context(), tc.r, q)
		e.ok(err)
		if c.Total != tc.total || c.Active != tc.active || !maps.Equal(c.Severities, tc.severities) {
			t.Errorf("%q: %+v", tc.filter, c)
		}
		var targets int64
		for _, n := range c.Targets {
			targets += n
		}
		if targets != c.Active && targets != c.Total {
			t.Errorf("%q: %d by target", tc.filter, targets)
		}
	}
}

// testGenerations: nothing of what is staged is seen before the flip, and all of
// it afterwards (TRU3).
func testGenerations(t *testing.T, e *env) {
	w := e.project()
	db := w.db
	before, err := db.HistoryHash(t.Context(), w.space.ID)
	e.ok(err)
	state, err := db.StateHash(t.Context(), w.space.ID)
	e.ok(err)
	look := func() (title string, total int64, detail string) {
		t.Helper()
		list, _, err := db.Findings(t.Context(), w.admin(), nil, store.Page{Sort: "recorded", Limit: 1000})
		e.ok(err)
		d, err := db.Finding(t.Context(), w.admin(), w.id("shop/web", 0))
		e.ok(err)
		c, err := db.Counts(t.Context(), w.admin(), nil)
		e.ok(err)
		return fmt.Sprint(len(list), " ", list[0].Title), c.Total, fmt.Sprint(d.Finding.Title, len(d.Presences), len(d.Events))
	}
	was, wasTotal, wasDetail := look()
	lease, err := db.AcquireLease(t.Context(), e.ws.ID, "test")
	e.ok(err)
	stage := func() *store.Stage {
		s, err := db.BeginStage(t.Context(), lease, e.ws.ID, w.space.ID)
		e.ok(err)
		old := w.findings[0]
		for _, f := range w.findings {
			if f.ID == w.snapshots["shop/web"]<<28 {
				old = f
			}
		}
		next := old
		next.Title = "Title changed of shop/web"
		e.ok(s.ChangeFinding(t.Context(), &old, &next, "shop/web"))
		more := next
		more.ID += 50
		e.ok(s.NewFinding(t.Context(), &more, "shop/web"))
		e.ok(s.EndPresence(t.Context(), old.ID, old.Place))
		e.ok(s.Event(t.Context(), &store.EventRow{Finding: old.ID, Seq: 99, At: 1, KnownAt: 1, Kind: "reworded"}))
		e.ok(s.Flush(t.Context()))
		return s
	}
	same := func(when string) {
		t.Helper()
		if title, total, detail := look(); title != was || total != wasTotal || detail != wasDetail {
			t.Errorf("%s: %s, %d, %s; was %s, %d, %s", when, title, total, detail, was, wasTotal, wasDetail)
		}
		if hash, err := db.HistoryHash(t.Context(), w.space.ID); err != nil || hash.Root != before.Root {
			t.Errorf("%s: another history hash (%v)", when, err)
		}
		if hash, err := db.StateHash(t.Context(), w.space.ID); err != nil || hash.Root != state.Root {
			t.Errorf("%s: another state hash (%v)", when, err)
		}
	}
	stage()
	same("while it is staged")
	_, err = db.BeginStage(t.Context(), lease, e.ws.ID, w.space.ID) // after a kill
	e.ok(err)
	same("after it was undone")
	s := stage()
	_, err = s.Flip(t.Context(), store.Flip{Projected: w.head()})
	e.ok(err)
	if title, total, detail := look(); title != "41 Title changed of shop/web" || total != 41 || detail != "Title changed of shop/web0 3" {
		t.Errorf("after the flip: %s, %d, %s", title, total, detail)
	}
	e.ok(db.Sweep(t.Context(), lease, w.space.ID))
	if title, total, detail := look(); title != "41 Title changed of shop/web" || total != 41 || detail != "Title changed of shop/web0 3" {
		t.Errorf("after the sweep: %s, %d, %s", title, total, detail)
	}
	e.ok(lease.Release(t.Context()))
}
