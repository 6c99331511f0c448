package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sinewsec/sinew/internal/sinew"
)

// BlobInfo is what is known of a blob without reading it.
type BlobInfo struct {
	Ref     BlobRef
	Size    int64
	Lines   int64 // line ends in it
	Created time.Time
	Deleted time.Time // when it was deleted; zero while it is there
}

type blobRow struct {
	id, size, lines, created int64
	deletedSeq               sql.NullInt64
}

// findBlob finds the row of a blob: the living one, else the one that tells of
// its deletion.
func findBlob(ctx context.Context, from queryer, workspace int64, ref BlobRef) (b blobRow, err error) {
	err = from.QueryRowContext(ctx, `
		SELECT id, size, lines, created_at, deleted_seq FROM blob
		WHERE workspace_id = $1 AND digest = $2 AND kind = $3 AND complete = 1
		ORDER BY CASE WHEN deleted_seq IS NULL THEN 0 ELSE 1 END, deleted_seq DESC LIMIT 1`,
		workspace, ref.Digest[:], string(ref.Kind)).Scan(&b.id, &b.size, &b.lines, &b.created, &b.deletedSeq)
	if err != nil {
		return b, notFound(err, "there is no %s", ref)
	}
	return b, nil
}

// Blob tells of a blob of a workspace, also of one that was deleted.
func (db *DB) Blob(ctx context.Context, workspace int64, ref BlobRef) (info BlobInfo, err error) {
	err = db.read(ctx, func(t *tx) error {
		info, err = blobInfo(ctx, t, workspace, ref)
		return err
	})
	return info, err
}

func blobInfo(ctx context.Context, t *tx, workspace int64, ref BlobRef) (BlobInfo, error) {
	b, err := findBlob(ctx, t, workspace, ref)
	if err != nil {
		return BlobInfo{}, err
	}
	info := BlobInfo{Ref: ref, Size: b.size, Lines: b.lines, Created: fromMicros(b.created)}
	if b.deletedSeq.Valid {
		e, err := entry(ctx, t, workspace, b.deletedSeq.Int64)
		if err != nil {
			return BlobInfo{}, err
		}
		info.Deleted = e.At
	}
	return info, nil
}

// OpenBlob reads a blob from its beginning, a frame at a time. One that was
// deleted is not found, and the error says when.
func (db *DB) OpenBlob(ctx context.Context, workspace int64, ref BlobRef) (*BlobReader, error) {
	b, err := livingBlob(ctx, db.reader, workspace, ref)
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	return &BlobReader{ctx: ctx, db: db, id: b.id, size: b.size}, nil
}

func livingBlob(ctx context.Context, from queryer, workspace int64, ref BlobRef) (blobRow, error) {
	b, err := findBlob(ctx, from, workspace, ref)
	if err == nil && b.deletedSeq.Valid {
		err = sinew.Errorf(sinew.CodeNotFound, "the %s was deleted by entry %d: %w", ref.Kind, b.deletedSeq.Int64, errBlobGone).
			Hint("`sinew log show %d` tells why", b.deletedSeq.Int64)
	}
	return b, err
}

// BlobReader reads one blob from its beginning. It is an [io.ReadCloser].
type BlobReader struct {
	ctx  context.Context
	db   *DB
	id   int64
	size int64 // left to read
	n    int64 // next frame
	buf  []byte
	rest []byte // of buf
}

// Read reads on, a frame at a time.
func (r *BlobReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.size == 0 {
			return 0, io.EOF
		}
		if r.db == nil {
			return 0, errors.New("read blob: it is closed")
		}
		var data []byte
		err := r.db.reader.QueryRowContext(r.ctx, `SELECT data FROM blob_frame WHERE blob_id = $1 AND n = $2`, r.id, r.n).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			err = errBlobGone // while we read it
		}
		if err != nil {
			return 0, fmt.Errorf("read blob: frame %d: %w", r.n, err)
		}
		if r.buf, err = decodeFrame(data, r.buf[:0]); err != nil {
			return 0, fmt.Errorf("read blob: frame %d: %w", r.n, err)
		}
		r.n++
		r.rest = r.buf
		if r.size -= int64(len(r.buf)); r.size < 0 || len(r.buf) == 0 {
			return 0, fmt.Errorf("read blob: frame %d is not as long as recorded", r.n-1)
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close ends the reading.
func (r *BlobReader) Close() error {
	r.db, r.buf, r.rest = nil, nil, nil
	return nil
}

// BlobLine reads line n, counted from 0, without its line end.
func (db *DB) BlobLine(ctx context.Context, workspace int64, ref BlobRef, n int64) ([]byte, error) {
	return blobLine(ctx, db.reader, workspace, ref, n)
}

func blobLine(ctx context.Context, from queryer, workspace int64, ref BlobRef, n int64) ([]byte, error) {
	b, err := livingBlob(ctx, from, workspace, ref)
	if err != nil {
		return nil, fmt.Errorf("read line of blob: %w", err)
	}
	// Line n begins after line end n, which lies in the last frame with fewer
	// line ends before it.
	var frame, first int64
	if n > 0 {
		err = from.QueryRowContext(ctx, `
			SELECT n, first_line FROM blob_frame WHERE blob_id = $1 AND first_line < $2 ORDER BY first_line DESC, n DESC LIMIT 1`, b.id, n).Scan(&frame, &first)
	}
	if n < 0 || err != nil {
		return nil, fmt.Errorf("read line of blob: %w", notFound(cmp.Or(err, sql.ErrNoRows), "the %s has no line %d", ref.Kind, n))
	}
	return lineFrom(ctx, from, b.id, frame, n-first, ref)
}

// lineFrom reads the text between line end skip, counted from a frame on, and
// the next one.
func lineFrom(ctx context.Context, from queryer, id, frame, skip int64, ref BlobRef) ([]byte, error) {
	var line, text []byte
	for begun := false; ; frame++ {
		var data []byte
		err := from.QueryRowContext(ctx, `SELECT data FROM blob_frame WHERE blob_id = $1 AND n = $2`, id, frame).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) && begun && len(line) > 0 {
			return line, nil // a last line without line end
		}
		if err != nil {
			return nil, fmt.Errorf("read line of blob: %w", notFound(err, "the %s has fewer lines", ref.Kind))
		}
		if text, err = decodeFrame(data, text[:0]); err != nil {
			return nil, fmt.Errorf("read line of blob: frame %d: %w", frame, err)
		}
		rest := text
		for ; skip > 0; skip-- {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			rest = rest[end+1:]
		}
		if skip > 0 {
			continue
		}
		begun = true
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			return append(line, rest[:end]...), nil
		}
		line = append(line, rest...)
	}
}

var frameDecoders = sync.Pool{New: func() any {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*frameSize), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	return dec
}}

// decodeFrame appends the text of a frame to to. A frame that grows beyond its
// bound was not written by us.
func decodeFrame(data, to []byte) ([]byte, error) {
	dec, ok := frameDecoders.Get().(*zstd.Decoder)
	if !ok {
		return nil, errors.New("no decoder")
	}
	defer frameDecoders.Put(dec)
	text, err := dec.DecodeAll(data, to)
	if err != nil {
		return nil, err
	}
	if len(text) > frameSize {
		return nil, fmt.Errorf("%d bytes in a frame", len(text))
	}
	return text, nil
}

// ParseDigest reads the hexadecimal form of a SHA-256.
func ParseDigest(s string) (digest [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(digest) {
		return digest, sinew.Errorf(sinew.CodeInvalid, "%q is no SHA-256 digest", s)
	}
	copy(digest[:], b)
	return digest, nil
}
