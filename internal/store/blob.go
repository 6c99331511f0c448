package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sinewsec/sinew/internal/sinew"
)

// BlobKind says what a blob is, and with it how long it is kept.
type BlobKind string

// The blob kinds.
const (
	BlobBody       BlobKind = "body"       // a snapshot's observations, assets and relations
	BlobEvidence   BlobKind = "evidence"   // the redacted report
	BlobAssignment BlobKind = "assignment" // which observation is which finding
	BlobDump       BlobKind = "dump"       // of projections, at a checkpoint
	BlobAttachment BlobKind = "attachment"
	BlobIntel      BlobKind = "intel" // what others publish, as we need it
)

// BlobKinds lists every blob kind.
var BlobKinds = []BlobKind{BlobBody, BlobEvidence, BlobAssignment, BlobDump, BlobAttachment, BlobIntel}

// BlobRef names a blob: its kind, and the SHA-256 of its bytes.
type BlobRef struct {
	Kind   BlobKind
	Digest [32]byte
}

func (r BlobRef) String() string { return string(r.Kind) + " " + hex.EncodeToString(r.Digest[:]) }

const (
	frameSize   = 1 << 20        // of uncompressed bytes, at most
	framesPerTx = 8              // written in one transaction, at most
	orphanAge   = 24 * time.Hour // after which a blob that no entry names is swept
	sweepBytes  = 4 << 20        // of frames deleted in one transaction, about
	zstdMemory  = 2 * frameSize  // window and buffers
)

var errBlobGone = errors.New("the blob was deleted")

// BlobWriter writes one blob. It is not safe for concurrent use. What is not
// committed is swept after a day.
type BlobWriter struct {
	ctx       context.Context
	db        *DB
	workspace int64
	kind      BlobKind

	id    int64 // of the row, 0 before the first frame is written
	hash  hash.Hash
	enc   *zstd.Encoder
	buf   []byte // bytes of the next frame
	out   []frame
	n     int64 // frames cut so far
	size  int64
	lines int64 // newlines in frames that were cut
	err   error
}

type frame struct {
	n, firstLine int64
	data         []byte
}

// NewBlob begins a blob of a workspace. The caller ends it by Commit or Abort.
func (db *DB) NewBlob(ctx context.Context, workspace int64, kind BlobKind) (*BlobWriter, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithWindowSize(frameSize), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("new blob: %w", err)
	}
	return &BlobWriter{
		ctx: ctx, db: db, workspace: workspace, kind: kind,
		hash: sha256.New(), enc: enc, buf: make([]byte, 0, frameSize),
	}, nil
}

// Write adds p. Frames are cut after the last line end that fits, so that most
// lines lie in one frame; a line longer than a frame spans several.
func (w *BlobWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n := len(p)
	w.hash.Write(p)
	w.size += int64(n)
	for len(p) > 0 {
		take := min(len(p), frameSize-len(w.buf))
		w.buf = append(w.buf, p[:take]...)
		p = p[take:]
		if len(w.buf) < frameSize {
			break
		}
		cut := bytes.LastIndexByte(w.buf, '\n') + 1
		if cut == 0 {
			cut = len(w.buf)
		}
		if w.err = w.cut(cut); w.err != nil {
			return 0, w.err
		}
	}
	return n, nil
}

// cut makes the first n buffered bytes a frame.
func (w *BlobWriter) cut(n int) error {
	w.out = append(w.out, frame{n: w.n, firstLine: w.lines, data: w.enc.EncodeAll(w.buf[:n], nil)})
	w.n++
	w.lines += int64(bytes.Count(w.buf[:n], []byte{'\n'}))
	w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	if len(w.out) < framesPerTx {
		return nil
	}
	return w.flush(false)
}

// flush writes the frames that were cut. The last flush of a blob completes it.
func (w *BlobWriter) flush(last bool) error {
	err := w.db.write(w.ctx, func(t *tx) error {
		if w.id == 0 {
			err := t.QueryRowContext(w.ctx, `
				INSERT INTO blob (workspace_id, kind, digest, size, lines, created_at, complete, named_at)
				VALUES ($1, $2, $3, 0, 0, $4, 0, 0) RETURNING id`,
				w.workspace, string(w.kind), []byte{}, micros(w.db.Now())).Scan(&w.id)
			if err != nil {
				return err
			}
		}
		for _, f := range w.out {
			if _, err := t.ExecContext(w.ctx, `INSERT INTO blob_frame (blob_id, n, first_line, data) VALUES ($1, $2, $3, $4)`,
				w.id, f.n, f.firstLine, f.data); err != nil {
				return err
			}
		}
		if last {
			return w.complete(t)
		}
		return nil
	})
	w.out = w.out[:0]
	if err != nil {
		return fmt.Errorf("write %s: %w", w.kind, err)
	}
	return nil
}

// complete gives the blob its name, unless there is one of that name already:
// then this copy is left to the sweeper, and the other is young again, so that
// it is there when its entry comes.
func (w *BlobWriter) complete(t *tx) error {
	digest := w.hash.Sum(nil)
	now := micros(w.db.Now())
	res, err := t.ExecContext(w.ctx, `
		UPDATE blob SET created_at = $1
		WHERE workspace_id = $2 AND kind = $3 AND digest = $4 AND complete = 1 AND deleted_seq IS NULL`,
		now, w.workspace, string(w.kind), digest)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	// A savepoint by other means: where another process completes the same
	// blob at this moment, the unique index keeps one of the two.
	_, err = t.ExecContext(w.ctx, `UPDATE blob SET digest = $1, size = $2, lines = $3, created_at = $4, complete = 1 WHERE id = $5`,
		digest, w.size, w.lines, now, w.id)
	return err
}

// Commit completes the blob and reports its name and size. A blob of the same
// bytes is kept once.
func (w *BlobWriter) Commit() (digest [32]byte, size int64, err error) {
	if w.err != nil {
		return digest, 0, w.err
	}
	defer w.close(errors.New("the blob was committed"))
	copy(digest[:], w.hash.Sum(nil))
	if len(w.buf) > 0 {
		if err := w.cut(len(w.buf)); err != nil {
			return digest, 0, err
		}
	}
	err = w.flush(true)
	if w.db.dialect.duplicate(err) {
		err = w.flush(true) // the other process has committed: join it
	}
	if err != nil {
		return digest, 0, err
	}
	w.drop()
	return digest, w.size, nil
}

// Abort drops the blob. After Commit it does nothing.
func (w *BlobWriter) Abort() {
	if w.err == nil {
		w.drop()
		w.close(errors.New("the blob was dropped"))
	}
}

// drop deletes the rows if they are incomplete. It may fail: the sweeper
// finds what is left.
func (w *BlobWriter) drop() {
	if w.id == 0 {
		return
	}
	ctx := context.WithoutCancel(w.ctx)
	for {
		if n, err := w.db.deleteFrames(ctx, w.id, `complete = 0`); err != nil || n == 0 {
			break
		}
	}
}

func (w *BlobWriter) close(err error) {
	w.err = err
	w.buf, w.out = nil, nil
	_ = w.enc.Close() // it writes nowhere
}

// deleteFrames deletes some frames of a blob in one transaction, and its row
// with the last ones, as long as the row fulfils the condition. It reports how
// many frames it deleted.
func (db *DB) deleteFrames(ctx context.Context, id int64, condition string) (n int64, err error) {
	err = db.write(ctx, func(t *tx) error {
		var there int
		err := t.QueryRowContext(ctx, `SELECT 1 FROM blob WHERE id = $1 AND `+condition+db.dialect.forUpdate, id).Scan(&there)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if n, err = deleteSomeFrames(ctx, t, id); err != nil || n > 0 {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM blob WHERE id = $1`, id)
		return err
	})
	return n, err
}

func deleteSomeFrames(ctx context.Context, t *tx, id int64) (int64, error) {
	res, err := t.ExecContext(ctx, `DELETE FROM blob_frame WHERE blob_id = $1 AND n IN
		(SELECT n FROM blob_frame WHERE blob_id = $1 ORDER BY n LIMIT $2)`, id, sweepBytes/frameSize*8)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// SweepBlobs deletes what no entry names and nobody has written to for a day:
// leftovers of uploads that were killed or refused. It reports how many.
func (db *DB) SweepBlobs(ctx context.Context, workspace int64) (swept int, err error) {
	const orphan = `named_at = 0 AND deleted_seq IS NULL AND created_at < $2`
	old := micros(db.Now().Add(-orphanAge))
	rows, err := db.reader.QueryContext(ctx, `SELECT id FROM blob WHERE workspace_id = $1 AND `+orphan+` ORDER BY id`, workspace, old)
	if err != nil {
		return 0, fmt.Errorf("sweep blobs: %w", err)
	}
	ids, err := scanColumn[int64](rows)
	if err != nil {
		return 0, fmt.Errorf("sweep blobs: %w", err)
	}
	for _, id := range ids {
		// In one transaction with the check, the blob loses its name: an entry
		// that comes later does not find it and is refused.
		err := db.write(ctx, func(t *tx) error {
			_, err := t.ExecContext(ctx, `UPDATE blob SET complete = 0 WHERE id = $1 AND `+orphan, id, old)
			return err
		})
		for err == nil {
			var n int64
			if n, err = db.deleteFrames(ctx, id, `complete = 0`); n == 0 {
				break
			}
		}
		if err != nil {
			return swept, fmt.Errorf("sweep blobs: %w", err)
		}
		swept++
	}
	return swept, nil
}

// nameBlobs records within t that an entry of this time names blobs, and fails
// when one is not there. The sweeper leaves them alone from now on.
func nameBlobs(ctx context.Context, t *tx, workspace int64, at time.Time, refs []BlobRef) error {
	for _, ref := range refs {
		res, err := t.ExecContext(ctx, `
			UPDATE blob SET named_at = $1 WHERE workspace_id = $2 AND kind = $3 AND digest = $4 AND complete = 1 AND deleted_seq IS NULL`,
			micros(at), workspace, string(ref.Kind), ref.Digest[:])
		if err != nil {
			return fmt.Errorf("name %s: %w", ref, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, sinew.Errorf(sinew.CodeUnavailable, "the %s is no longer there", ref).Hint("send the report again"))
		}
	}
	return nil
}
