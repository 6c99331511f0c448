package storetest

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// testDump makes a projection from what a checkpoint holds: it is the one that was
// dumped, and anything altered is found before it is seen (TRU2).
func testDump(t *testing.T, e *env) {
	w := e.project()
	db, ctx := w.db, t.Context()
	lease, err := db.AcquireLease(ctx, w.ws.ID, "test")
	e.ok(err)
	public, private, err := ed25519.GenerateKey(nil)
	e.ok(err)
	if c, _, err := db.NewestDump(ctx, w.ws.ID, public); err != nil || c != nil {
		t.Errorf("a checkpoint before the first: %+v, %v", c, err)
	}
	c, seq, err := db.AppendCheckpoint(ctx, lease, store.SystemActor, private)
	e.ok(err)
	before, err := db.HistoryHash(ctx, w.space.ID)
	e.ok(err)
	if c.Dump == "" || c.History != before.String() {
		t.Errorf("checkpoint %+v, want history %s", c, before)
	}
	newest, at, err := db.NewestDump(ctx, w.ws.ID, public)
	e.ok(err)
	if at != seq || *newest != *c {
		t.Errorf("the newest is %+v of entry %d, want %+v of %d", newest, at, c, seq)
	}
	stranger, _, err := ed25519.GenerateKey(nil)
	e.ok(err)
	_, _, err = db.NewestDump(ctx, w.ws.ID, stranger)
	e.code(err, sinew.CodeConflict, "a dump signed by another key")

	space, err := db.NewSpace(ctx, lease)
	e.ok(err)
	for range 2 { // the second time over what an attempt left that was killed
		e.exec(`UPDATE space SET live_gen = 0, projected_seq = 0 WHERE id = $1`, space.ID)
		same, err := db.LoadDump(ctx, lease, space.ID, c)
		e.ok(err)
		after, err := db.HistoryHash(ctx, space.ID)
		e.ok(err)
		if !same || after.Root != before.Root {
			what, err := db.Difference(ctx, w.space.ID, space.ID)
			t.Errorf("the loaded projection differs: %s %v", what, err)
		}
	}
	_, err = db.LoadDump(ctx, lease, w.space.ID, c)
	e.code(err, sinew.CodeInternal, "over a projection that is live")
	if now, err := db.HistoryHash(ctx, w.space.ID); err != nil || now.Root != before.Root {
		t.Errorf("the live projection was touched: %v", err)
	}
	status, err := db.Projection(ctx, e.admin())
	e.ok(err)
	if status.Checkpoint == nil || status.Checkpoint.Entry != seq || status.Checkpoint.Seq != c.Seq || status.Checkpoint.Bytes == 0 ||
		!status.Rebuilding || status.Rebuilt != c.Seq || status.Holder == "" || status.Head != seq {
		t.Errorf("status %+v, checkpoint %+v", status, status.Checkpoint)
	}
	e.verified()

	// A dump whose bytes are others, and one that is of another history.
	e.exec(`UPDATE space SET live_gen = 0, projected_seq = 0 WHERE id = $1`, space.ID)
	wrong := *c
	wrong.History = strings.Repeat("0", 64)
	_, err = db.LoadDump(ctx, lease, space.ID, &wrong)
	e.code(err, sinew.CodeConflict, "a dump of another history")
	e.flip("blob_frame.data", `WHERE blob_id = (SELECT id FROM blob WHERE kind = 'dump')`)
	if _, err := db.LoadDump(ctx, lease, space.ID, c); err == nil {
		t.Error("an altered dump is loaded")
	}
	if n := e.query(`SELECT live_gen FROM space WHERE id = $1`, space.ID); n != 0 {
		t.Error("an altered dump is to be seen")
	}
	report, err := db.VerifyLog(ctx, w.ws.ID, store.VerifyOptions{})
	e.ok(err)
	if report.OK() || report.Problems[0].Seq != seq {
		t.Errorf("an altered dump verifies: %+v", report.Problems)
	}
}

// testOldDumps: dumps go by their age but for the newest, and the log verifies
// (TRU2).
func testOldDumps(t *testing.T, e *env) {
	w := e.project()
	db, ctx := w.db, t.Context()
	lease, err := db.AcquireLease(ctx, w.ws.ID, "test")
	e.ok(err)
	public, private, err := ed25519.GenerateKey(nil)
	e.ok(err)
	var last int64
	for range 3 {
		e.ok(db.SkipTo(ctx, lease, w.space.ID, w.head()))
		_, last, err = db.AppendCheckpoint(ctx, lease, store.SystemActor, private)
		e.ok(err)
	}
	e.clock.move(40 * 24 * time.Hour)
	n, err := db.Retain(ctx, w.ws.ID)
	e.ok(err)
	if n != 2 {
		t.Errorf("%d dumps were deleted, want 2", n)
	}
	if _, at, err := db.NewestDump(ctx, w.ws.ID, public); err != nil || at != last {
		t.Errorf("the newest dump is of entry %d, want %d: %v", at, last, err)
	}
	e.verified()
}
