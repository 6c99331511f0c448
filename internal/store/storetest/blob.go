package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func testBlobs(t *testing.T, e *env) {
	db := e.open()
	rng := rand.New(rand.NewPCG(1, 2))
	line := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + rng.IntN(26))
		}
		return string(b)
	}
	many := &strings.Builder{}
	for range 30_000 {
		many.WriteString(line(rng.IntN(300)) + "\n")
	}
	for _, tc := range []struct {
		name, text string
		frames     int64 // at least
	}{
		{"empty", "", 0},
		{"no line end", "abc", 1},
		{"one line", "abc\n", 1},
		{"empty lines", "\n\n\nx\n\n", 1},
		{"ends exactly at a frame", strings.Repeat("x", 1<<20-1) + "\nnext\n", 2},
		{"a frame of one line without end", strings.Repeat("x", 1<<20), 1},
		{"a line over several frames", "first\n" + line(3<<20) + "\nlast\n" + line(2<<20), 5},
		{"many lines", many.String(), 4},
		{"many empty lines", strings.Repeat("\n", 3<<20), 3},
	} {
		w, err := db.NewBlob(t.Context(), e.ws.ID, store.BlobBody)
		e.ok(err)
		for rest := tc.text; len(rest) > 0; { // in pieces of every size
			n := min(1+rng.IntN(70_000), len(rest))
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		digest, size, err := w.Commit()
		e.ok(err)
		if size != int64(len(tc.text)) || digest != sha256.Sum256([]byte(tc.text)) {
			t.Fatalf("%s: %d bytes %x", tc.name, size, digest)
		}
		ref := store.BlobRef{Kind: store.BlobBody, Digest: digest}
		r, err := db.OpenBlob(t.Context(), e.ws.ID, ref)
		e.ok(err)
		back, err := io.ReadAll(r)
		e.ok(err)
		if string(back) != tc.text {
			t.Fatalf("%s: read back %d bytes of %d", tc.name, len(back), len(tc.text))
		}
		info, err := db.Blob(t.Context(), e.ws.ID, ref)
		e.ok(err)
		if info.Size != size || info.Lines != int64(strings.Count(tc.text, "\n")) || !info.Deleted.IsZero() {
			t.Errorf("%s: %+v", tc.name, info)
		}
		if n := e.query(`SELECT COUNT(*) FROM blob_frame f JOIN blob b ON b.id = f.blob_id WHERE b.digest = $1`, digest[:]); n < tc.frames {
			t.Errorf("%s: %d frames", tc.name, n)
		}
		lines := strings.Split(tc.text, "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		for _, n := range []int{0, 1, 2, 3, len(lines) / 3, len(lines) / 2, len(lines) - 2, len(lines) - 1} {
			if n < 0 || n >= len(lines) {
				continue
			}
			got, err := db.BlobLine(t.Context(), e.ws.ID, ref, int64(n))
			e.ok(err)
			if string(got) != lines[n] {
				t.Errorf("%s: line %d has %d bytes, want %d", tc.name, n, len(got), len(lines[n]))
			}
		}
		for _, n := range []int64{-1, int64(len(lines)), int64(len(lines)) + 7} {
			_, err := db.BlobLine(t.Context(), e.ws.ID, ref, n)
			e.code(err, sinew.CodeNotFound, fmt.Sprintf("%s: line %d", tc.name, n))
		}
	}
	_, err := db.OpenBlob(t.Context(), e.ws.ID, store.BlobRef{Kind: store.BlobBody, Digest: [32]byte{1}})
	e.code(err, sinew.CodeNotFound, "open a blob that is not there")
	_, err = db.OpenBlob(t.Context(), e.ws.ID, store.BlobRef{Kind: store.BlobEvidence, Digest: sha256.Sum256([]byte("abc\n"))})
	e.code(err, sinew.CodeNotFound, "open a blob of another kind")
	_, err = db.OpenBlob(t.Context(), e.ws.ID+1, store.BlobRef{Kind: store.BlobBody, Digest: sha256.Sum256([]byte("abc\n"))})
	e.code(err, sinew.CodeNotFound, "open a blob of another workspace")
}

func testBlobOnce(t *testing.T, e *env) {
	db := e.open()
	first, second := e.blob(store.BlobBody, "same\n"), e.blob(store.BlobBody, "same\n")
	if first != second {
		t.Errorf("%s and %s", first, second)
	}
	if n := e.query(`SELECT COUNT(*) FROM blob`); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if n := e.query(`SELECT COUNT(*) FROM blob_frame`); n != 1 {
		t.Errorf("%d frames, want 1", n)
	}
	w, err := db.NewBlob(t.Context(), e.ws.ID, store.BlobBody)
	e.ok(err)
	_, err = w.Write(bytes.Repeat([]byte("x\n"), 8<<20))
	e.ok(err)
	w.Abort()
	if n := e.query(`SELECT COUNT(*) FROM blob_frame`); n != 1 {
		t.Errorf("%d frames after an abort, want 1", n)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("an aborted blob takes more")
	}
	if _, _, err := w.Commit(); err == nil {
		t.Error("an aborted blob commits")
	}
}

func testSweep(t *testing.T, e *env) {
	db := e.open()
	named, orphan := e.blob(store.BlobBody, "named\n"), e.blob(store.BlobBody, "orphan\n")
	accept := func(ref store.BlobRef) error {
		_, err := db.Accept(t.Context(), e.admin(), store.Accept{
			Kind: sinew.EntrySnapshot, Units: []int64{0}, Blobs: []store.BlobRef{ref},
			Payload: sinew.Snapshot{Body: fmt.Sprintf("%x", ref.Digest)},
		})
		return err
	}
	e.ok(accept(named))
	sweep := func(want int) {
		t.Helper()
		n, err := db.SweepBlobs(t.Context(), e.ws.ID)
		e.ok(err)
		if n != want {
			t.Errorf("swept %d, want %d", n, want)
		}
	}
	e.clock.move(23 * time.Hour)
	sweep(0)
	e.blob(store.BlobBody, "orphan\n") // sent again: young again
	e.clock.move(2 * time.Hour)
	sweep(0)
	e.clock.move(23 * time.Hour)
	sweep(1)
	sweep(0)
	e.code(accept(orphan), sinew.CodeUnavailable, "name a blob that was swept")
	if n := e.query(`SELECT COUNT(*) FROM blob_frame`); n != 1 {
		t.Errorf("%d frames, want 1", n)
	}
	report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	e.ok(report.Err())
}

// TRU3: what a killed process wrote of a blob is never seen, keeps nobody from
// writing the same, and goes away.
func testKilledWriter(t *testing.T, e *env) {
	db := e.open()
	text := strings.Repeat("0123456789abcde\n", 1<<20)
	other, err := store.Open(t.Context(), e.dsn, store.Options{Now: e.clock.Now})
	e.ok(err)
	killed, err := other.NewBlob(t.Context(), e.ws.ID, store.BlobBody)
	e.ok(err)
	_, err = io.WriteString(killed, text)
	e.ok(err)
	e.ok(other.Close()) // without Commit or Abort
	if n := e.query(`SELECT COUNT(*) FROM blob_frame`); n < 8 {
		t.Fatalf("%d frames: nothing was written before the end", n)
	}
	ref := store.BlobRef{Kind: store.BlobBody, Digest: sha256.Sum256([]byte(text))}
	_, err = db.OpenBlob(t.Context(), e.ws.ID, ref)
	e.code(err, sinew.CodeNotFound, "open what is not complete")
	if got := e.blob(store.BlobBody, text); got != ref {
		t.Errorf("blob %s", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cut, err := db.NewBlob(ctx, e.ws.ID, store.BlobBody)
	e.ok(err)
	_, err = io.WriteString(cut, text)
	e.ok(err)
	cancel()
	if _, _, err := cut.Commit(); err == nil {
		t.Error("a cancelled blob commits")
	}
	_, err = db.Accept(t.Context(), e.admin(), store.Accept{
		Kind: sinew.EntrySnapshot, Units: []int64{0}, Blobs: []store.BlobRef{ref}, Payload: sinew.Snapshot{Body: fmt.Sprintf("%x", ref.Digest)},
	})
	e.ok(err)
	e.clock.move(25 * time.Hour)
	n, err := db.SweepBlobs(t.Context(), e.ws.ID)
	e.ok(err)
	if left := e.query(`SELECT COUNT(*) FROM blob`); left != 1 || n < 1 {
		t.Errorf("swept %d, %d rows left", n, left)
	}
	report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
	e.ok(err)
	e.ok(report.Err())
}

// TRU2: old evidence goes, and the log tells of it and stays valid.
func testRetention(t *testing.T, e *env) {
	db := e.open()
	var refs []store.BlobRef
	for i := range 3 {
		body, evidence := e.blob(store.BlobBody, fmt.Sprint("body ", i)), e.blob(store.BlobEvidence, fmt.Sprint("evidence ", i/2))
		refs = append(refs, evidence)
		_, err := db.Accept(t.Context(), e.admin(), store.Accept{
			Kind: sinew.EntrySnapshot, Units: []int64{0}, Blobs: []store.BlobRef{body, evidence},
			Payload: sinew.Snapshot{Body: fmt.Sprintf("%x", body.Digest), Evidence: fmt.Sprintf("%x", evidence.Digest)},
		})
		e.ok(err)
		e.clock.move(200 * 24 * time.Hour)
	}
	retain := func(want int) {
		t.Helper()
		n, err := db.Retain(t.Context(), e.ws.ID)
		e.ok(err)
		if n != want {
			t.Errorf("deleted %d, want %d", n, want)
		}
		report, err := db.VerifyLog(t.Context(), e.ws.ID, store.VerifyOptions{})
		e.ok(err)
		e.ok(report.Err())
	}
	// Day 600: evidence 0 was named again on day 200, evidence 1 on day 400.
	e.clock.move(-10 * 24 * time.Hour)
	retain(0)
	e.clock.move(11 * 24 * time.Hour)
	retain(1)
	retain(0)
	_, err := db.OpenBlob(t.Context(), e.ws.ID, refs[0])
	e.code(err, sinew.CodeNotFound, "open deleted evidence")
	info, err := db.Blob(t.Context(), e.ws.ID, refs[0])
	e.ok(err)
	if !info.Deleted.Equal(e.clock.Now()) || info.Size == 0 {
		t.Errorf("deleted evidence: %+v", info)
	}
	if n := e.query(`SELECT COUNT(*) FROM blob_frame f JOIN blob b ON b.id = f.blob_id WHERE b.deleted_seq IS NOT NULL`); n != 0 {
		t.Errorf("%d frames of deleted evidence", n)
	}
	// The same report once more is kept anew.
	if again := e.blob(store.BlobEvidence, "evidence 0"); again != refs[0] {
		t.Errorf("%s, want %s", again, refs[0])
	}
	if _, err := db.OpenBlob(t.Context(), e.ws.ID, refs[0]); err != nil {
		t.Error(err)
	}
	e.ok(db.SetRetention(t.Context(), e.admin(), store.BlobEvidence, 7))
	retain(1)
	e.code(db.SetRetention(t.Context(), e.admin(), store.BlobAssignment, 7), sinew.CodeInvalid, "assignments are kept")
	e.code(db.SetRetention(t.Context(), e.admin(), "reports", 7), sinew.CodeInvalid, "an unknown kind")
	e.ok(db.SetRetention(t.Context(), e.admin(), store.BlobBody, 7)) // which the store alone deletes none of
	e.code(db.SetRetention(t.Context(), sinew.Reader{Workspace: e.ws.ID, All: sinew.RoleDeveloper}, store.BlobEvidence, 7), sinew.CodeDenied, "by a developer")
	// The hourly maintenance does the same.
	e.clock.move(30 * 24 * time.Hour)
	e.ok(db.Maintain(t.Context()))
	if n := e.query(`SELECT COUNT(*) FROM blob WHERE kind = 'evidence' AND deleted_seq IS NULL`); n != 0 {
		t.Errorf("%d reports are left", n)
	}
	e.verified()
	days, err := db.Retention(t.Context(), e.ws.ID)
	e.ok(err)
	if n := e.query(`SELECT COUNT(*) FROM blob WHERE kind = 'body' AND deleted_seq IS NULL`); n != 3 {
		t.Errorf("%d bodies are left, want 3", n)
	}
	if days[store.BlobEvidence] != 7 || days[store.BlobBody] != 7 || days[store.BlobAssignment] != 0 {
		t.Errorf("retention %v", days)
	}
}
