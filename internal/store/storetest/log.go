package storetest

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// accept records something simple.
func (e *env) accept(r sinew.Reader, payload any) store.Accepted {
	e.Helper()
	a, err := e.open().Accept(e.Context(), r, store.Accept{Kind: sinew.EntryRef, Payload: payload, Units: []int64{0}})
	e.ok(err)
	return a
}

// TRU2: seqs without gaps, each entry on the hash of the one before.
func testChain(t *testing.T, e *env) {
	db := e.open()
	for i := range 5 {
		if a := e.accept(e.admin(), map[string]any{"n": i, "text": "<é>"}); a.Seq != int64(i+2) || a.Duplicate {
			t.Fatalf("accepted %+v, want seq %d", a, i+2)
		}
	}
	var prev sinew.Entry
	for entry, err := range db.Entries(t.Context(), e.ws.ID, 0) {
		e.ok(err)
		if entry.Seq != prev.Seq+1 || entry.Prev != prev.Hash || entry.Digest != sha256.Sum256(entry.Payload) {
			t.Errorf("entry %d does not follow %d", entry.Seq, prev.Seq)
		}
		if hash, err := store.EntryHash(e.ws.UUID, &entry); err != nil || hash != entry.Hash {
			t.Errorf("entry %d has another hash", entry.Seq)
		}
		prev = entry
	}
	if string(prev.Payload) != `{"n":4,"text":"<é>"}` {
		t.Errorf("payload %s", prev.Payload)
	}
	first, err := db.Entry(t.Context(), e.admin(), 1)
	e.ok(err)
	var g store.Genesis
	e.ok(json.Unmarshal(first.Payload, &g))
	if first.Kind != sinew.EntryGenesis || first.Prev != [32]byte{} || g.UUID != e.ws.UUID || g.Name != "default" || g.Version != "test" {
		t.Errorf("genesis %+v %+v", first, g)
	}
	report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	if !report.OK() || report.Entries != 6 || report.Head != fmt.Sprintf("%x", prev.Hash) {
		t.Errorf("report %+v", report)
	}
}

func testClock(t *testing.T, e *env) {
	e.open()
	e.clock.move(-time.Hour)
	if a := e.accept(e.admin(), 1); !a.At.Equal(monday) {
		t.Errorf("entry at %s, want %s", a.At, monday)
	}
	e.clock.move(3 * time.Hour)
	if a := e.accept(e.admin(), 2); !a.At.Equal(monday.Add(2 * time.Hour)) {
		t.Errorf("entry at %s", a.At)
	}
}

func testConcurrentAccept(t *testing.T, e *env) {
	db, other := e.open(), e.handle(e.dsn)
	var wg sync.WaitGroup
	errs := make(chan error, 40)
	for i := range 40 {
		wg.Go(func() {
			use := db
			if i%2 == 0 {
				use = other
			}
			_, err := use.Accept(context.Background(), e.admin(), store.Accept{Kind: sinew.EntryRef, Payload: i, Units: []int64{0}})
			errs <- err
		})
	}
	wg.Wait()
	for range 40 {
		e.ok(<-errs)
	}
	report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	e.ok(report.Err())
	if report.Entries != 41 {
		t.Errorf("%d entries, want 41", report.Entries)
	}
}

// TRU3: a sender that repeats itself is recorded once.
func testIdempotency(t *testing.T, e *env) {
	db := e.open()
	ask := store.Accept{Kind: sinew.EntryRef, Payload: "first", Units: []int64{0}, Idempotency: "key", Request: [32]byte{1}}
	first, err := db.Accept(t.Context(), e.admin(), ask)
	e.ok(err)
	ask.Payload = "again"
	second, err := db.Accept(t.Context(), e.admin(), ask)
	e.ok(err)
	if second.Seq != first.Seq || !second.Duplicate || first.Duplicate || !second.At.Equal(first.At) {
		t.Errorf("first %+v, second %+v", first, second)
	}
	found, err := db.Earlier(t.Context(), e.admin(), "key", [32]byte{1})
	e.ok(err)
	if found.Seq != first.Seq {
		t.Errorf("earlier %+v", found)
	}
	ask.Request = [32]byte{2}
	_, err = db.Accept(t.Context(), e.admin(), ask)
	e.code(err, sinew.CodeConflict, "another request with the key")
	other := e.admin()
	other.Principal = "another"
	third, err := db.Accept(t.Context(), other, ask)
	e.ok(err)
	if third.Seq != first.Seq+1 {
		t.Errorf("the key of another principal gave entry %d", third.Seq)
	}
	if none, err := db.Earlier(t.Context(), e.admin(), "unused", [32]byte{}); err != nil || none.Seq != 0 {
		t.Errorf("earlier %+v %v", none, err)
	}
	// At the same moment, one wins and the others learn of it.
	var wg sync.WaitGroup
	seqs := make([]int64, 8)
	for i := range seqs {
		wg.Go(func() {
			a, err := db.Accept(context.Background(), e.admin(), store.Accept{
				Kind: sinew.EntryRef, Payload: i, Units: []int64{0}, Idempotency: "race", Request: [32]byte{9},
			})
			if err == nil {
				seqs[i] = a.Seq
			}
		})
	}
	wg.Wait()
	for _, seq := range seqs {
		if seq != third.Seq+1 {
			t.Errorf("seqs %v, want all %d", seqs, third.Seq+1)
		}
	}
}

func testAcceptRoles(t *testing.T, e *env) {
	db := e.open()
	developer := sinew.Reader{Workspace: e.ws.ID, Principal: "p", Units: map[int64]sinew.Role{7: sinew.RoleDeveloper, 8: sinew.RoleViewer}}
	for _, tc := range []struct {
		name   string
		r      sinew.Reader
		kind   sinew.EntryKind
		units  []int64
		denied bool
	}{
		{"own unit", developer, sinew.EntrySnapshot, []int64{7}, false},
		{"viewer only", developer, sinew.EntrySnapshot, []int64{8}, true},
		{"one of two", developer, sinew.EntryDecision, []int64{7, 8}, true},
		{"foreign unit", developer, sinew.EntryDecision, []int64{9}, true},
		{"unassigned", developer, sinew.EntrySnapshot, []int64{0}, true},
		{"no unit at all", developer, sinew.EntrySnapshot, nil, true},
		{"rules", developer, sinew.EntryRules, []int64{7}, true},
		{"rules by an administrator", e.admin(), sinew.EntryRules, nil, false},
		{"outcomes are the store's own", e.admin(), sinew.EntryOutcome, nil, true},
		{"tombstones too", e.admin(), sinew.EntryTombstone, nil, true},
		{"an unknown kind", e.admin(), "gossip", nil, true},
		{"nobody", sinew.Reader{}, sinew.EntrySnapshot, []int64{7}, true},
	} {
		_, err := db.Accept(t.Context(), tc.r, store.Accept{Kind: tc.kind, Payload: struct{}{}, Units: tc.units})
		if tc.denied {
			e.code(err, sinew.CodeDenied, tc.name)
		} else if err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TRU3: what was accepted is projected, also by a process that starts later.
func testJobs(t *testing.T, e *env) {
	db := e.open()
	e.accept(e.admin(), 1)
	got := make(chan int64, 100)
	project := func(ctx context.Context, workspace int64) error {
		lease, err := db.AcquireLease(ctx, workspace, "test")
		if err != nil {
			return err
		}
		space, err := db.LiveSpace(ctx, workspace)
		if err != nil {
			return err
		}
		head, _, err := db.Head(ctx, workspace)
		if err != nil {
			return err
		}
		if err := db.SkipTo(ctx, lease, space.ID, head); err != nil {
			return err
		}
		got <- head
		return lease.Release(ctx)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- db.RunJobs(ctx, project) }()
	wait := func(seq int64) {
		t.Helper()
		for {
			select {
			case head := <-got:
				if head == seq {
					return
				}
			case err := <-done:
				t.Fatalf("jobs ended: %v", err)
			case <-time.After(20 * time.Second):
				t.Fatalf("entry %d was not projected", seq)
			}
		}
	}
	wait(2)
	// While another process holds the lease, the job waits.
	other := e.handle(e.dsn)
	lease, err := other.AcquireLease(t.Context(), e.ws.ID, "another")
	for sinew.CodeOf(err) == sinew.CodeConflict {
		lease, err = other.AcquireLease(t.Context(), e.ws.ID, "another")
	}
	e.ok(err)
	e.accept(e.admin(), 2)
	e.ok(lease.Release(t.Context()))
	wait(3)
	stop()
	e.ok(<-done)
	behind, err := db.Behind(t.Context())
	e.ok(err)
	if len(behind) != 0 {
		t.Errorf("behind %v", behind)
	}
}

// TRU2: one changed byte anywhere in what the log vouches for is found.
func testTampering(t *testing.T, e *env) {
	db := e.open()
	body := e.blob(store.BlobBody, "one\ntwo\n")
	p, err := db.CreatePrincipal(t.Context(), e.admin(), store.NewPrincipal{Login: "ann", All: sinew.RoleViewer, Grants: map[int64]sinew.Role{3: sinew.RoleDeveloper}})
	e.ok(err)
	_, err = db.CreateToken(t.Context(), e.admin(), store.NewToken{
		Principal: p.Pseudonym, Name: "ci", Role: sinew.RoleDeveloper, Units: []int64{3}, Hash: [32]byte{5}, Expires: monday.Add(time.Hour),
	})
	e.ok(err)
	_, err = db.Accept(t.Context(), e.admin(), store.Accept{
		Kind: sinew.EntrySnapshot, Units: []int64{0}, Blobs: []store.BlobRef{body},
		Payload: sinew.Snapshot{Schema: sinew.SnapshotSchema, Body: fmt.Sprintf("%x", body.Digest)},
	})
	e.ok(err)
	e.accept(e.admin(), "the last")
	check := func() *store.VerifyReport {
		t.Helper()
		report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
		e.ok(err)
		return report
	}
	e.ok(check().Err())
	last := e.query(`SELECT MAX(seq) FROM log`)
	snapshot := last - 1
	for _, tc := range []struct {
		name string // table.column; of bytes when text begins with WHERE, and then one bit is flipped
		text string
		seq  int64
	}{
		{"log.at", `UPDATE log SET at = at + 1 WHERE seq = 2`, 2},
		{"log.kind", `UPDATE log SET kind = 'decision' WHERE seq = 2`, 2},
		{"log.actor", `UPDATE log SET actor = 'systen' WHERE seq = 2`, 2},
		{"log.digest", `WHERE seq = 2`, 2},
		{"log.prev", `WHERE seq = 2`, 2},
		{"log.hash", `WHERE seq = 2`, 2},
		{"log.hash", fmt.Sprintf(`WHERE seq = %d`, last), last},
		{"log: an entry less", `DELETE FROM log WHERE seq = 3`, 4},
		{"log: a seq moved", `UPDATE log SET seq = 99 WHERE seq = ` + fmt.Sprint(last), 99},
		{"log_payload.payload", `WHERE seq = 2`, 2},
		{"log_payload: a payload less", `DELETE FROM log_payload WHERE seq = 3`, 3},
		{"blob.digest", `WHERE 1 = 1`, snapshot},
		{"blob.kind", `UPDATE blob SET kind = 'evidence'`, snapshot},
		{"blob.size", `UPDATE blob SET size = size - 1`, snapshot},
		{"blob.lines", `UPDATE blob SET lines = lines + 1`, snapshot},
		{"blob.complete", `UPDATE blob SET complete = 0`, snapshot},
		{"blob.deleted_seq", `UPDATE blob SET deleted_seq = 2`, snapshot},
		{"blob_frame.data", `WHERE 1 = 1`, snapshot},
		{"blob_frame.first_line", `UPDATE blob_frame SET first_line = 5`, snapshot},
		{"blob_frame.n", `UPDATE blob_frame SET n = 1`, snapshot},
		{"workspace.uuid", `UPDATE workspace SET uuid = '00000000000000000000000000000000'`, 1},
		{"workspace.name", `UPDATE workspace SET name = 'defaulT'`, 1},
		{"principal.role_all", `UPDATE principal SET role_all = 'admin'`, 0},
		{"principal.disabled_at", `UPDATE principal SET disabled_at = 5`, 0},
		{"principal: one more", `INSERT INTO principal (workspace_id, pseudonym, role_all, created_at) VALUES (1, 'x', 'admin', 0)`, 0},
		{"access_grant.role", `UPDATE access_grant SET role = 'admin'`, 0},
		{"access_grant.unit_id", `UPDATE access_grant SET unit_id = 4`, 0},
		{"token.role", `UPDATE token SET role = 'admin'`, 0},
		{"token.units", `UPDATE token SET units = ''`, 0},
		{"token.hash", `WHERE 1 = 1`, 0},
		{"token.expires_at", `UPDATE token SET expires_at = expires_at + 1`, 0},
		{"token.revoked_at", `UPDATE token SET revoked_at = 1`, 0},
	} {
		var saved strings.Builder
		if _, err := db.Backup(t.Context(), &saved, nil); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(tc.text, "WHERE") {
			e.flip(tc.name, tc.text)
		} else {
			e.exec(tc.text)
		}
		w, err := db.WorkspaceByID(t.Context(), e.ws.ID)
		e.ok(err)
		report, err := db.VerifyLog(t.Context(), w.ID, store.VerifyOptions{})
		e.ok(err)
		if report.OK() {
			t.Errorf("%s: not found", tc.name)
		} else if got := report.Problems[0].Seq; got != tc.seq {
			t.Errorf("%s: first bad entry %d (%s), want %d", tc.name, got, report.Problems[0].What, tc.seq)
		}
		e.reload(saved.String())
		if err := check().Err(); err != nil {
			t.Fatalf("%s: after the repair: %v", tc.name, err)
		}
	}
}

// flip changes one bit of the bytes in a column.
func (e *env) flip(column, where string) {
	e.Helper()
	table, column, _ := strings.Cut(column, ".")
	e.ok(e.try(`SELECT 1`))
	var value []byte
	e.ok(e.raw.QueryRowContext(e.Context(), `SELECT `+column+` FROM `+table+` `+where).Scan(&value))
	value[len(value)/2] ^= 1
	e.exec(`UPDATE `+table+` SET `+column+` = $1 `+where, value)
}

// reload empties the database and restores a backup into it.
func (e *env) reload(saved string) {
	e.Helper()
	for _, table := range []string{
		"workspace", "space", "log", "log_payload", "blob", "blob_frame", "principal", "access_grant", "token",
		"invite", "idempotency", "retention", "lease", "river_job",
	} {
		e.exec(`DELETE FROM ` + table)
	}
	_, err := e.db.Restore(e.Context(), strings.NewReader(saved))
	e.ok(err)
}

func testCheckpoint(t *testing.T, e *env) {
	db := e.open()
	lease, err := db.AcquireLease(t.Context(), e.ws.ID, "test")
	e.ok(err)
	space, err := db.LiveSpace(t.Context(), e.ws.ID)
	e.ok(err)
	e.ok(db.SkipTo(t.Context(), lease, space.ID, 1))
	public, private, err := ed25519.GenerateKey(nil)
	e.ok(err)
	c, seq, err := db.AppendCheckpoint(t.Context(), lease, store.SystemActor, private)
	e.ok(err)
	if seq != 2 || c.Seq != 1 {
		t.Errorf("checkpoint %d of entry %d", seq, c.Seq)
	}
	report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{Key: public})
	e.ok(err)
	if !report.OK() || report.Checkpoints != 1 {
		t.Errorf("report %+v", report)
	}
	stranger, _, err := ed25519.GenerateKey(nil)
	e.ok(err)
	report, err = db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{Key: stranger})
	e.ok(err)
	if report.OK() || report.Problems[0].Seq != 2 {
		t.Errorf("a checkpoint by another key passes: %+v", report)
	}
	// A checkpoint whose words were changed is signed by nobody, even in a
	// chain that was computed anew.
	c.State = strings.Repeat("0", 64)
	payload, err := json.Marshal(c)
	e.ok(err)
	digest := sha256.Sum256(payload)
	entry, err := db.Entry(t.Context(), e.admin(), 2)
	e.ok(err)
	entry.Digest = digest
	hash, err := store.EntryHash(e.ws.UUID, &entry)
	e.ok(err)
	e.exec(`UPDATE log_payload SET payload = $1 WHERE seq = 2`, payload)
	e.exec(`UPDATE log SET digest = $1, hash = $2 WHERE seq = 2`, digest[:], hash[:])
	report, err = db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	if report.OK() || !strings.Contains(report.Problems[0].What, "signature") {
		t.Errorf("a forged checkpoint passes: %+v", report)
	}
}
