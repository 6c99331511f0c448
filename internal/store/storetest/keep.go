package storetest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// testHashes: every table of a projection counts in the history hash, what is of
// the world counts in the state hash, and ids do not.
func testHashes(t *testing.T, e *env) {
	w := e.project()
	hash := func() (history, state [32]byte) {
		t.Helper()
		h, err := w.db.HistoryHash(t.Context(), w.space.ID)
		e.ok(err)
		s, err := w.db.StateHash(t.Context(), w.space.ID)
		e.ok(err)
		return h.Root, s.Root
	}
	history, state := hash()
	if again, stateAgain := hash(); again != history || stateAgain != state {
		t.Error("hashes are not the same twice")
	}
	web := w.snapshots["shop/web"] << 28
	one := fmt.Sprintf(` WHERE id = %d`, web+4)
	for _, tc := range []struct {
		do, undo string
		state    bool // of the world
	}{
		{`UPDATE ruleset SET document = document || ' '`, `UPDATE ruleset SET document = TRIM(document)`, false},
		{`UPDATE unit SET organisation = 'X' WHERE name = 'shop'`, `UPDATE unit SET organisation = 'Org' WHERE name = 'shop'`, false},
		{`UPDATE unit SET name = 'shoq' WHERE name = 'shop'`, `UPDATE unit SET name = 'shop' WHERE name = 'shoq'`, true},
		{`UPDATE family SET label = 'x' WHERE target = 'shop/web'`, `UPDATE family SET label = ''`, true},
		{`UPDATE place SET version = 'x'`, `UPDATE place SET version = ''`, false},
		{`UPDATE place SET environment = 'q' WHERE ref = 'feature/x'`, `UPDATE place SET environment = '' WHERE ref = 'feature/x'`, true},
		{`UPDATE place SET seen_at = seen_at + 1`, `UPDATE place SET seen_at = seen_at - 1`, true},
		{`UPDATE snapshot SET result = '{}'`, `UPDATE snapshot SET result = '{"new":1}'`, false},
		{`UPDATE snapshot SET received_at = received_at + 1`, `UPDATE snapshot SET received_at = received_at - 1`, false},
		{`UPDATE finding SET title = title || 'x'` + one, `UPDATE finding SET title = SUBSTR(title, 1, LENGTH(title) - 1)` + one, true},
		{`UPDATE finding SET verdict = 'triaged'` + one, `UPDATE finding SET verdict = ''` + one, true},
		{`UPDATE finding SET verdict_by = 'p9'` + one, `UPDATE finding SET verdict_by = ''` + one, false},
		{`UPDATE finding SET obs_n = obs_n + 1` + one, `UPDATE finding SET obs_n = obs_n - 1` + one, false},
		{`UPDATE presence SET k_near = 0`, `UPDATE presence SET k_near = 5`, true},
		{`UPDATE presence SET pass = 4`, `UPDATE presence SET pass = 3`, false},
		{`UPDATE presence SET basis = ''`, `UPDATE presence SET basis = 'proven'`, true},
		{`UPDATE redirect SET old_id = old_id + 1000`, `UPDATE redirect SET old_id = old_id - 1000`, false},
		{`UPDATE verdict SET actor = 'p2'`, `UPDATE verdict SET actor = 'p1'`, false},
		{`UPDATE verdict SET was_owner = 'x'`, `UPDATE verdict SET was_owner = ''`, false},
		{`UPDATE issue SET owner = 'x'`, `UPDATE issue SET owner = ''`, false},
		{`UPDATE issue SET active = active + 1`, `UPDATE issue SET active = active - 1`, false},
		{`UPDATE decision SET findings = 2`, `UPDATE decision SET findings = 1`, false},
		{`UPDATE snapshot SET coverage = 'partial'`, `UPDATE snapshot SET coverage = 'complete'`, false},
		{`UPDATE event SET cause = cause || 'x'`, `UPDATE event SET cause = SUBSTR(cause, 1, LENGTH(cause) - 1)`, false},
		{`UPDATE counter SET n = n + 1`, `UPDATE counter SET n = n - 1`, false},
		{`UPDATE asset SET ended_at = 1`, `UPDATE asset SET ended_at = 0`, false},
		{`UPDATE asset_fact SET name = name || 'x'`, `UPDATE asset_fact SET name = SUBSTR(name, 1, LENGTH(name) - 1)`, false},
		{`UPDATE relation SET confidence = 1`, `UPDATE relation SET confidence = 0`, false},
		{`UPDATE ref_state SET event = 'merged'`, `UPDATE ref_state SET event = 'deleted'`, false},
		{`UPDATE deployment SET version = 'x'`, `UPDATE deployment SET version = 'abc'`, false},
	} {
		e.exec(tc.do)
		if h, s := hash(); h == history || (s != state) != tc.state {
			t.Errorf("%s: history changed %t, state changed %t", tc.do, h != history, s != state)
		}
		e.exec(tc.undo)
		if h, s := hash(); h != history || s != state {
			t.Fatalf("%s does not undo it", tc.undo)
		}
	}
	// Generations, and counters that are zero, are how we got here, not what is.
	e.exec(`UPDATE finding SET gen_from = 0`)
	e.exec(`INSERT INTO counter (space, unit_id, dim, value, n) VALUES ($1, 77, 'state', 'open', 0)`, w.space.ID)
	if h, s := hash(); h != history || s != state {
		t.Error("generations or empty counters count")
	}
	if text, err := w.db.Difference(t.Context(), w.space.ID, w.space.ID); err != nil || text != "" {
		t.Errorf("it differs from itself: %s %v", text, err)
	}
	// Both engines give the same: the world is made of fixed ids and times.
	if got := fmt.Sprintf("%x", state[:8]); got != worldState {
		t.Errorf("state hash %s, want %s: if the encoding changed on purpose, say so in decision 005", got, worldState)
	}
}

// worldState begins the state hash of the world on every engine.
const worldState = "99738eb310d31320"

// testBackup: a backup made while others write is of one moment, and restores on
// either engine (TRU3).
func testBackup(t *testing.T, e *env) {
	w := e.project()
	p, err := w.db.CreatePrincipal(t.Context(), w.admin(), store.NewPrincipal{Login: "ann", PasswordHash: "h", All: sinew.RoleAdmin})
	e.ok(err)
	_, err = w.db.CreateToken(t.Context(), w.admin(), store.NewToken{Principal: p.Pseudonym, Name: "ci", Role: sinew.RoleViewer, Hash: [32]byte{1}, Expires: monday.Add(time.Hour)})
	e.ok(err)
	e.ok(w.db.CreateInvite(t.Context(), w.admin(), sinew.RoleViewer, [32]byte{2}, monday.Add(time.Hour)))
	_, err = w.db.Accept(t.Context(), w.admin(), store.Accept{Kind: sinew.EntryRef, Payload: "x\u2028<é>", Units: []int64{0}, Idempotency: "k", Request: [32]byte{3}})
	e.ok(err)
	_, err = w.db.CreateWorkspace(t.Context(), "demo")
	e.ok(err)
	big := e.blob(store.BlobBody, strings.Repeat("0123456789abcdef\n", 300_000))
	head := w.head()

	// Somebody writes all the time.
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				done <- n
				return
			default:
			}
			if _, err := w.db.Accept(t.Context(), w.admin(), store.Accept{Kind: sinew.EntryRef, Payload: n, Units: []int64{0}}); err == nil {
				n++
			}
		}
	}()
	var saved bytes.Buffer
	manifest, err := w.db.Backup(t.Context(), &saved, map[string][]byte{"key": []byte("secret key\n")})
	close(stop)
	n := <-done
	e.ok(err)
	if m := manifest.Workspaces[0]; m.Name != "default" || m.Seq < head || m.Seq > head+int64(n) || len(manifest.Workspaces) != 2 {
		t.Errorf("manifest %+v, %d entries meanwhile", manifest, n)
	}

	into := e.handle(e.fresh(t))
	got, err := into.Restore(t.Context(), bytes.NewReader(saved.Bytes()))
	e.ok(err)
	if string(got.Files["key"]) != "secret key\n" || len(got.Reports) != 2 || got.Manifest.Workspaces[0].Seq != manifest.Workspaces[0].Seq {
		t.Errorf("restored %+v", got.Manifest)
	}
	ws, err := into.Workspace(t.Context(), "default")
	e.ok(err)
	if ws.UUID != e.ws.UUID || !ws.Created.Equal(e.ws.Created) {
		t.Errorf("workspace %+v, want %+v", ws, e.ws)
	}
	if _, _, err := into.TokenByHash(t.Context(), [32]byte{1}); err != nil {
		t.Errorf("token: %v", err)
	}
	if _, _, err := into.Invite(t.Context(), [32]byte{2}); err != nil {
		t.Errorf("invitation: %v", err)
	}
	if a, err := into.Earlier(t.Context(), store.System(ws.ID), "k", [32]byte{3}); err != nil || a.Seq == 0 {
		t.Errorf("idempotency: %+v %v", a, err)
	}
	if line, err := into.BlobLine(t.Context(), ws.ID, big, 299_999); err != nil || string(line) != "0123456789abcdef" {
		t.Errorf("blob: %q %v", line, err)
	}
	behind, err := into.Behind(t.Context())
	e.ok(err)
	if len(behind) != 2 {
		t.Errorf("behind %v: everything is to be projected again", behind)
	}
	// Life goes on there: ids do not collide.
	_, err = into.CreateWorkspace(t.Context(), "third")
	e.ok(err)
	_, err = into.Accept(t.Context(), store.System(ws.ID), store.Accept{Kind: sinew.EntryRef, Payload: 1, Units: []int64{0}})
	e.ok(err)
	b, err := into.NewBlob(t.Context(), ws.ID, store.BlobBody)
	e.ok(err)
	_, err = b.Write([]byte("new"))
	e.ok(err)
	_, _, err = b.Commit()
	e.ok(err)
	report, err := into.VerifyLog(t.Context(), ws.ID, store.VerifyOptions{})
	e.ok(err)
	e.ok(report.Err())
	_, err = into.Restore(t.Context(), bytes.NewReader(saved.Bytes()))
	e.code(err, sinew.CodeConflict, "restore into a database that is in use")
}

func testBadBackup(t *testing.T, e *env) {
	w := e.project()
	var saved bytes.Buffer
	_, err := w.db.Backup(t.Context(), &saved, nil)
	e.ok(err)
	into := e.handle(e.fresh(t))
	repack := func(change func([]byte) []byte) []byte {
		dec, err := zstd.NewReader(nil)
		e.ok(err)
		defer dec.Close()
		plain, err := dec.DecodeAll(saved.Bytes(), nil)
		e.ok(err)
		enc, err := zstd.NewWriter(nil)
		e.ok(err)
		defer enc.Close()
		return enc.EncodeAll(change(plain), nil)
	}
	replace := func(old, new string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("the backup has no %q", old)
			}
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
	}
	for name, data := range map[string][]byte{
		"empty":                    nil,
		"no backup":                []byte("hello, this is no backup"),
		"cut off":                  saved.Bytes()[:saved.Len()/2],
		"cut off in the tar":       repack(func(b []byte) []byte { return b[:len(b)-4096] }),
		"cut off before the end":   repack(func(b []byte) []byte { return b[:bytes.LastIndex(b, []byte("end.json"))] }),
		"an entry's kind changed":  repack(replace(`"snapshot"`, `"decision"`)),
		"an entry's actor changed": repack(replace(`"system"`, `"systen"`)),
		"another name":             repack(replace(`"default"`, `"defaulT"`)),
		"another schema":           repack(replace(`backup/v1`, `backup/v9`)),
	} {
		_, err := into.Restore(t.Context(), bytes.NewReader(data))
		if code := sinew.CodeOf(err); err == nil || (code != sinew.CodeInvalid && code != sinew.CodeUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
		list, err := into.Workspaces(t.Context())
		e.ok(err)
		if len(list) != 0 {
			t.Fatalf("%s: left %d workspaces behind", name, len(list))
		}
	}
	_, err = into.Restore(t.Context(), bytes.NewReader(saved.Bytes()))
	e.ok(err)
}
