package storetest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// The units of the world.
const (
	shop = int64(1) << 28
	bank = int64(2) << 28
)

// world is a small projection: two applications with a repository each, scanned
// on main and, the shop, on a branch and in production; and something that
// belongs to nobody. Everything of the bank is marked: a reader of the shop must
// never meet that word.
type world struct {
	*env
	space     store.Space
	snapshots map[string]int64 // target -> seq
	findings  []store.FindingRow
	places    map[string]int64
}

const secretWord = "bankvault"

// project opens the environment and fills it with the world.
func (e *env) project() *world {
	e.Helper()
	db := e.open()
	w := &world{env: e, snapshots: map[string]int64{}, places: map[string]int64{}}
	for _, target := range []string{"shop/web", "shop/" + "api", secretWord + "/core", "stray/thing"} {
		w.snapshots[target] = w.upload(target)
	}
	lease, err := db.AcquireLease(e.Context(), e.ws.ID, "test")
	e.ok(err)
	w.space, err = db.LiveSpace(e.Context(), e.ws.ID)
	e.ok(err)
	s, err := db.BeginStage(e.Context(), lease, e.ws.ID, w.space.ID)
	e.ok(err)
	s.SaveUnit(store.UnitRow{ID: shop, Name: "shop", Organisation: "Org", Services: `["web","api"]`})
	s.SaveUnit(store.UnitRow{ID: bank, Name: secretWord, Services: `[]`})
	for i, f := range []struct {
		target string
		unit   int64
	}{{"shop/web", shop}, {"shop/api", shop}, {secretWord + "/core", bank}, {"stray/thing", 0}} {
		seq := w.snapshots[f.target]
		id := seq << 28
		s.SaveFamily(store.FamilyRow{ID: id, Tool: "trivy", Target: f.target, Unit: f.unit})
		w.place(s, "main of "+f.target, store.PlaceRow{ID: id + 1, Family: id, Kind: sinew.PlaceDefault, Ref: "main", Head: seq, SeenAt: day(i)})
		s.SaveSnapshot(store.SnapshotRow{
			Seq: seq, Family: id, Place: id + 1, Unit: f.unit, At: day(i), Received: day(i), Body: []byte{1}, Assignment: []byte{1}, Result: `{"new":1}`,
			Coverage: sinew.CoverageComplete, Basis: sinew.BasisDeclared, Observed: 10,
		})
	}
	web := w.snapshots["shop/web"] << 28
	w.place(s, "feature", store.PlaceRow{ID: web + 2, Family: web, Kind: sinew.PlaceBranch, Ref: "feature/x", SeenAt: day(1)})
	w.place(s, "prod", store.PlaceRow{ID: web + 3, Family: web, Kind: sinew.PlaceDeployed, Environment: "prod", Service: "shop/web", SeenAt: day(2)})
	w.fill(s)
	e.ok(s.Flush(e.Context()))
	_, err = s.Flip(e.Context(), store.Flip{Projected: w.head()})
	e.ok(err)
	w.assets()
	e.ok(lease.Release(e.Context()))
	w.space, err = db.LiveSpace(e.Context(), e.ws.ID)
	e.ok(err)
	return w
}

func day(n int) int64 { return monday.AddDate(0, 0, n).UnixMicro() }

func (w *world) head() int64 {
	seq, _, err := w.db.Head(w.Context(), w.ws.ID)
	w.ok(err)
	return seq
}

func (w *world) place(s *store.Stage, name string, p store.PlaceRow) {
	w.places[name] = p.ID
	s.SavePlace(p)
}

// upload accepts a snapshot with a body of ten observations, and evidence.
func (w *world) upload(target string) int64 {
	var body strings.Builder
	for i := range 10 {
		line, err := json.Marshal(sinew.SnapshotBody{Observation: &sinew.Observation{Tool: "trivy", Title: fmt.Sprintf("%s observation %d", target, i)}})
		w.ok(err)
		body.Write(append(line, '\n'))
	}
	b, ev := w.blob(store.BlobBody, body.String()), w.blob(store.BlobEvidence, "report of "+target)
	a, err := w.db.Accept(w.Context(), w.admin(), store.Accept{
		Kind: sinew.EntrySnapshot, Units: []int64{0}, Blobs: []store.BlobRef{b, ev},
		Payload: sinew.Snapshot{
			Schema: sinew.SnapshotSchema, Stream: sinew.Stream{Tool: "trivy", Target: target, Ref: "main"}, Mode: sinew.ModeComplete,
			Body: fmt.Sprintf("%x", b.Digest), Evidence: fmt.Sprintf("%x", ev.Digest), ReportName: "report.json",
		},
	})
	w.ok(err)
	return a.Seq
}

// fill stages the findings: of each target ten.
func (w *world) fill(s *store.Stage) {
	for target, unit := range map[string]int64{"shop/web": shop, "shop/api": shop, secretWord + "/core": bank, "stray/thing": 0} {
		seq := w.snapshots[target]
		family := seq << 28
		for n := range int64(10) {
			f := store.FindingRow{
				ID: family + n, Family: family, Unit: unit, Place: family + 1, Class: sinew.ClassDependency, State: sinew.StateOpen,
				Severity: int(n % 5), Tool: "trivy", Rule: fmt.Sprintf("CVE-2026-%d", n), Title: fmt.Sprintf("Title %c of %s", 'A'+n, target),
				CWE: " 79 ", IDs: fmt.Sprintf(" CVE-2026-%d GHSA-%d ", n, n), File: fmt.Sprintf("src/%s/go.sum", target), Line: n,
				Cause: "upgrade openssl 1.0", Package: "openssl", Version: "1.0", PURL: "pkg:generic/openssl@1.0", FirstSeen: day(int(n)), Since: day(int(n)), ObsSeq: seq, ObsN: n,
			}
			switch n {
			case 1:
				f.State, f.LastSeen = sinew.StateFixed, day(30)
			case 2:
				f.State, f.Verdict, f.VerdictBy, f.VerdictSeq, f.Owner = sinew.StateTriaged, sinew.VerdictTriaged, "tool", 0, "team-a"
			case 3:
				f.State, f.LastSeen, f.Reopened = sinew.StateNotObserved, day(20), 2
			case 4:
				f.Class, f.Package, f.PURL, f.Version, f.Host, f.Cause = sinew.ClassHost, "", "", "", "Host-4.example.org", "Rule *"

			case 5:
				f.Class, f.Package, f.PURL, f.Version, f.Cause = sinew.ClassResource, "", "", "", ""
				f.Resource, f.Endpoint, f.Image, f.CWE, f.Service = "arn:aws:s3:::50%_bucket", "GET https://example.org/a?b", "registry/x", "", "web"
			}
			w.ok(s.NewFinding(w.Context(), &f, target))
			w.findings = append(w.findings, f)
			state := map[sinew.FindingState]sinew.PresenceState{sinew.StateFixed: sinew.PresenceFixed, sinew.StateNotObserved: sinew.PresenceNotObserved}[f.State]
			if state == "" {
				state = sinew.PresenceObserved
			}
			p := store.PresenceRow{
				Finding: f.ID, Place: f.Place, State: state, Basis: sinew.BasisProven, FirstSeen: f.FirstSeen, LastSeen: f.LastSeen, Since: f.Since,
				SinceSeq: seq, ObsSeq: seq, ObsN: n, ObsHash: 7 + n, Pass: 3, Line: n, Tool: 1, Content: 2, PlaceKey: 3, Moved: 4, Near: 5,
			}
			w.ok(s.NewPresence(w.Context(), &p))
			if target == "shop/web" && (n == 6 || n == 7) {
				p.Place, p.State = w.places[map[int64]string{6: "feature", 7: "prod"}[n]], sinew.PresenceObserved
				w.ok(s.NewPresence(w.Context(), &p))
			}
			w.ok(s.Event(w.Context(), &store.EventRow{
				Finding: f.ID, Seq: seq, N: n, At: day(int(n)), KnownAt: day(int(n)), Kind: "moved", Place: f.Place, Was: "a", Became: "b",
				Cause: "it moved in " + target, Actor: store.SystemActor,
			}))
		}
		s.NewRedirect(store.RedirectRow{Old: family + 100, New: family})
		w.ok(s.Verdict(w.Context(), &store.VerdictRow{
			Birth: family + 100, Seq: seq, Verdict: sinew.VerdictTriaged, Actor: "p1", At: day(3), Words: seq, WordsBy: "p1",
		}))
		s.SaveDecision(store.DecisionRow{Seq: seq, At: day(3), Actor: "p1", Verdict: sinew.VerdictTriaged, Findings: 1})
	}
}

// assets are written by hand: what tells of them is the pipeline's.
func (w *world) assets() {
	for i, a := range []struct {
		key  string
		unit int64
	}{{"web-1", shop}, {secretWord + "-1", bank}, {"stray-1", 0}} {
		id, place := int64(100+i), w.places["main of shop/web"]
		w.exec(`INSERT INTO asset (space, id, kind, key, unit_id, gen_from, ended_at) VALUES ($1, $2, 'compute', $3, $4, 1, 0)`, w.space.ID, id, a.key, a.unit)
		w.exec(`INSERT INTO asset_fact (space, place_id, asset_id, gen_from, at, known_at, seq, subtype, name, props)
			VALUES ($1, $2, $3, 1, 5, 6, 2, 'vm', $4, '{"os":"debian"}')`, w.space.ID, place, id, a.key)
		w.exec(`INSERT INTO relation (space, place_id, kind, from_id, to_id, gen_from, at, known_at, seq, confidence, method)
			VALUES ($1, $2, 'runs_on', 100, $3, 1, 5, 6, 2, 0, '')`, w.space.ID, place, id)
	}
	w.exec(`INSERT INTO ruleset (space, seq, document) VALUES ($1, 1, $2)`, w.space.ID, `{"schema":"rules/v1","applications":[{"name":"shop","match":[{"target":"shop/**"}]},{"name":"`+secretWord+`","match":[{"target":"`+secretWord+`/**"},{"target":"shop/api","path":"vault"}]}]}`)
	for i, target := range []string{"shop/web", secretWord + "/core"} {
		w.exec(`INSERT INTO ref_state (space, target, ref, event, into_ref, at, seq) VALUES ($1, $2, 'old', 'deleted', '', 1, $3)`, w.space.ID, target, 2+i)
	}
	for i, unit := range []int64{shop, shop, bank} {
		w.exec(`INSERT INTO deployment (space, seq, unit_id, service, environment, version, at, units) VALUES ($1, $2, $3, 'web', 'prod', 'abc', 5, '')`, w.space.ID, 2+i, unit)
	}
}

// id is the public id of finding n of a target.
func (w *world) id(target string, n int64) string {
	return sinew.PublicID(w.ws.UUID, sinew.IDFinding, w.snapshots[target]<<28+n)
}

func (w *world) reader(units ...int64) sinew.Reader {
	r := sinew.Reader{Workspace: w.ws.ID, Principal: "reader", Units: map[int64]sinew.Role{}}
	for _, unit := range units {
		r.Units[unit] = sinew.RoleViewer
	}
	return r
}
