package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestWriting sends reports and decisions (ING1, OUT3).
func TestWriting(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.run(t, "decideByFilter", testDecideByFilter)
		w.run(t, "idempotency", testIdempotency)
		w.run(t, "events", testEvents)
		w.run(t, "watchPending", testWatchPending)
		w.run(t, "upload", testUpload)
		w.run(t, "rulesRoutes", testRulesRoutes)
	})
}

func testDecideByFilter(t *testing.T, w *world) {
	ask := object{"filter": "class:code app:shop", "verdict": "accepted", "reason": "a test"}
	var preview decisionPreview
	w.ok("developer", "POST", "/api/v1/decisions/preview", ask, &preview)
	if preview.Count != 3 || preview.States[sinew.StateOpen] != 3 || len(preview.Items) != 3 {
		t.Errorf("%+v", preview)
	}
	var done accepted
	w.ok("developer", "POST", "/api/v1/decisions", ask, &done)
	if done.Findings != 3 {
		t.Errorf("%+v", done)
	}
	var c counts
	w.ok("developer", "GET", "/api/v1/findings/counts?filter=is:accepted", nil, &c)
	if c.Total != 3 {
		t.Errorf("%d are accepted", c.Total)
	}
	var d findingDetail
	w.ok("developer", "GET", "/api/v1/findings/"+preview.Items[0].ID, nil, &d)
	if d.Decision == nil || d.Decision.Reason != "a test" || d.Decision.By != w.users["developer"] || d.State != sinew.StateAccepted {
		t.Errorf("%+v", d.Decision)
	}
	w.problem("developer", "POST", "/api/v1/decisions", object{"filter": "app:bank", "verdict": "triaged"}, 404)
}

func testIdempotency(t *testing.T, w *world) {
	decide := object{"findings": []string{w.own.finding}, "verdict": "triaged"}
	var first, second accepted
	w.ok("developer", "POST", "/api/v1/decisions", decide, &first, "Idempotency-Key", "k1")
	w.ok("developer", "POST", "/api/v1/decisions", decide, &second, "Idempotency-Key", "k1")
	if first.Seq == 0 || second.Seq != first.Seq || second.ID != first.ID || !second.Duplicate || first.Duplicate {
		t.Errorf("first %+v, second %+v", first, second)
	}
	w.ok("mixed", "POST", "/api/v1/decisions", decide, &second, "Idempotency-Key", "k1")
	if second.Seq == first.Seq {
		t.Error("somebody else's key was taken for ours")
	}
	other := object{"findings": []string{w.own.finding}, "verdict": "in_progress"}
	if p := w.problem("developer", "POST", "/api/v1/decisions", other, 409, "Idempotency-Key", "k1"); p.Code != sinew.CodeConflict {
		t.Errorf("%+v", p)
	}
	path := "/api/v1/imports?name=p.json"
	var one, two importInfo
	w.ok("developer", "POST", path, probe(w.own, 2), &one, "Idempotency-Key", "k2")
	w.ok("developer", "POST", path, probe(w.own, 2), &two, "Idempotency-Key", "k2")
	if one.ID == "" || two.ID != one.ID || !two.Duplicate {
		t.Errorf("one %+v, two %+v", one, two)
	}
	w.problem("developer", "POST", path, probe(w.own, 1), 409, "Idempotency-Key", "k2")
	w.problem("developer", "POST", path+"&ref=other", probe(w.own, 2), 409, "Idempotency-Key", "k2")
}

func testEvents(t *testing.T, w *world) {
	a := w.ok("developer", "POST", "/api/v1/imports?wait=true&name=p.json", probe(w.own, 4), nil, "Accept", eventStream)
	got := readEvents(t, bytes.NewReader(a.body))
	var names []string
	for _, e := range got {
		if e.name != "progress" {
			names = append(names, e.name)
		}
	}
	if !slices.Equal(names, []string{"accepted", "result"}) || a.header.Get("Content-Type") != eventStream {
		t.Fatalf("events are %v as %s", got, a.header.Get("Content-Type"))
	}
	var done importInfo
	if err := json.Unmarshal([]byte(got[len(got)-1].data), &done); err != nil || done.State != "projected" || done.Result == nil {
		t.Errorf("result is %+v, %v", done, err)
	}
	a = w.ok("developer", "GET", "/api/v1/imports/"+done.ID+"/events", nil, nil)
	if got = readEvents(t, bytes.NewReader(a.body)); len(got) != 1 || got[0].name != "result" {
		t.Errorf("events of what is done: %v", got)
	}
	a = w.ok("developer", "POST", "/api/v1/imports?name=p.json", `{"hello": 1}`, nil, "Accept", eventStream)
	got = readEvents(t, bytes.NewReader(a.body))
	var p Problem
	if len(got) != 1 || got[0].name != "problem" || json.Unmarshal([]byte(got[0].data), &p) != nil || p.Code != sinew.CodeUnsupported {
		t.Errorf("events of a bad report: %v", got)
	}
}

// testWatchPending follows a report that nobody has projected yet.
func testWatchPending(t *testing.T, w *world) {
	a := w.ok("developer", "POST", "/api/v1/imports?name=p.json", probe(w.own, 6), nil)
	var info importInfo
	if err := json.Unmarshal(a.body, &info); err != nil {
		t.Fatal(err)
	}
	a = w.ok("developer", "GET", "/api/v1/imports/"+info.ID+"/events", nil, nil)
	got := readEvents(t, bytes.NewReader(a.body))
	if len(got) == 0 || got[len(got)-1].name != "result" {
		t.Errorf("events are %v", got)
	}
}

// testUpload sends reports in every way there is (ING1, OUT3).
func testUpload(t *testing.T, w *world) {
	var before list[importInfo]
	w.ok("developer", "GET", "/api/v1/snapshots?target="+w.own.target, nil, &before)
	var got importInfo
	a := w.ok("developer", "POST", "/api/v1/imports?name=p.json", probe(w.own, 3), &got)
	if a.status != http.StatusAccepted || got.State != "accepted" || got.Report != "p.json" || a.header.Get("Location") != "/api/v1/imports/"+got.ID {
		t.Errorf("%d %s: %+v", a.status, a.header.Get("Location"), got)
	}
	w.ok("developer", "GET", "/api/v1/imports/"+got.ID, nil, &got)

	var form bytes.Buffer
	mw := multipart.NewWriter(&form)
	mw.WriteField("scan_type", "ignored")
	part, _ := mw.CreateFormFile("file", "q.json")
	io.WriteString(part, probe(w.own, 8))
	mw.Close()
	a = w.ok("developer", "POST", "/api/v1/imports?wait=true", &form, &got, "Content-Type", mw.FormDataContentType())
	if a.status != http.StatusOK || got.State != "projected" || got.Report != "q.json" || got.Result == nil || got.Result.New != 2 {
		t.Errorf("%d: %+v", a.status, got)
	}
	w.problem("developer", "POST", "/api/v1/imports", "--b\r\n\r\nx\r\n--b--\r\n", 400, "Content-Type", "multipart/form-data; boundary=b")
	w.problem("developer", "POST", "/api/v1/imports", "nothing of the kind", 400, "Content-Type", "multipart/form-data; boundary=b")
	w.problem("developer", "POST", "/api/v1/imports", "x", 400, "Content-Type", "multipart/form-data")

	// Too large, with and without the length told in advance.
	huge := strings.Repeat(" ", 2<<20)
	for name, body := range map[string]any{"told": huge, "not told": io.MultiReader(strings.NewReader(huge))} {
		if p := w.problem("developer", "POST", "/api/v1/imports", body, 413); p.Code != sinew.CodeTooLarge {
			t.Errorf("%s: %+v", name, p)
		}
	}
	var after list[importInfo]
	w.ok("developer", "GET", "/api/v1/snapshots?target="+w.own.target, nil, &after)
	if len(after.Items) != len(before.Items)+2 || after.Items[0].ID != got.ID {
		t.Errorf("snapshots were %+v, are %+v", before.Items, after.Items)
	}
}

// event is a server-sent event.
type event struct{ name, data string }

func readEvents(t *testing.T, r io.Reader) (list []event) {
	t.Helper()
	var e event
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if lines.Text() == "" && e.name != "" {
				list = append(list, e)
				e = event{}
			}
		default:
			t.Errorf("line %q", lines.Text())
		}
	}
	return list
}

func testRulesRoutes(t *testing.T, w *world) {
	more := strings.Replace(rules, "name: bank", "name: vault", 1)
	var change rulesChange
	w.ok("admin", "POST", "/api/v1/rules/preview", object{"document": more}, &change)
	if change.Moved != 4 || !change.Preview || change.Seq != 0 {
		t.Errorf("preview %+v", change)
	}
	w.ok("admin", "PUT", "/api/v1/rules", object{"document": more}, &change)
	if change.Moved != 4 || change.Seq == 0 {
		t.Errorf("change %+v", change)
	}
	if p := w.problem("admin", "PUT", "/api/v1/rules", object{"document": rules, "base": change.Seq - 1}, 409); p.Code != sinew.CodeConflict {
		t.Errorf("rules over newer ones: %+v", p)
	}
	var doc rulesDocument
	w.ok("admin", "GET", "/api/v1/rules", nil, &doc)
	if doc.Document != more || doc.Seq != change.Seq {
		t.Errorf("rules are %+v", doc)
	}
	var c counts
	w.ok("admin", "GET", "/api/v1/findings/counts?filter=app:vault", nil, &c)
	if c.Total != 4 {
		t.Errorf("vault has %d findings", c.Total)
	}
}
