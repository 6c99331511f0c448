package pipeline

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// The body of a snapshot: one JSON object a line, observations first in report
// order, then assets, relations and withdrawals. The text is canonical: its
// digest says whether two reports tell the same.

// bodyWriter encodes lines and keeps their order honest.
type bodyWriter struct {
	w         io.Writer
	buf       bytes.Buffer
	enc       *json.Encoder
	rank      int
	count     int64 // observations
	assets    int64 // and relations
	withdrawn int64
}

func newBodyWriter(w io.Writer) *bodyWriter {
	b := &bodyWriter{w: w}
	b.enc = json.NewEncoder(&b.buf)
	b.enc.SetEscapeHTML(false)
	return b
}

var errBodyOrder = errors.New("the lines of the body are out of order")

func (b *bodyWriter) write(line sinew.SnapshotBody) error {
	b.buf.Reset()
	if err := b.enc.Encode(line); err != nil {
		return fmt.Errorf("encode line %d of the body: %w", b.count, err)
	}
	return b.writeText(b.buf.Bytes())
}

// writeText writes a line that is encoded already, as write does it.
func (b *bodyWriter) writeText(line []byte) error {
	rank := 3
	switch {
	case bytes.HasPrefix(line, []byte(`{"o":`)):
		rank = 0
		b.count++
	case bytes.HasPrefix(line, []byte(`{"a":`)):
		rank = 1
		b.assets++
	case bytes.HasPrefix(line, []byte(`{"r":`)):
		rank = 2
		b.assets++
	default:
		b.withdrawn++
	}
	if rank < b.rank {
		return errBodyOrder
	}
	b.rank = rank
	_, err := b.w.Write(line)
	return err
}

// bodyReader reads the lines of a body. What it gives belongs to the caller
// until the next call, the decoded line for good.
type bodyReader struct {
	close io.Closer
	r     *bufio.Reader
	long  []byte
	n     int64 // lines read
}

// openBody reads the body of a snapshot; the digest of all zeros is the empty
// body.
func (p *Pipeline) openBody(ctx context.Context, ws int64, digest [32]byte) (*bodyReader, error) {
	if digest == ([32]byte{}) {
		return &bodyReader{close: io.NopCloser(nil), r: bufio.NewReader(bytes.NewReader(nil))}, nil
	}
	f, err := p.db.OpenBlob(ctx, ws, store.BlobRef{Kind: store.BlobBody, Digest: digest})
	if err != nil {
		return nil, err
	}
	return &bodyReader{close: f, r: bufio.NewReaderSize(f, 256<<10)}, nil
}

// next gives the text of the next line, io.EOF after the last.
func (b *bodyReader) next() ([]byte, error) {
	b.long = b.long[:0]
	for {
		part, err := b.r.ReadSlice('\n')
		if err == nil {
			b.n++
			if len(b.long) == 0 {
				return part[:len(part)-1], nil
			}
			b.long = append(b.long, part...)
			return b.long[:len(b.long)-1], nil
		}
		b.long = append(b.long, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if errors.Is(err, io.EOF) && len(b.long) > 0 {
			return nil, fmt.Errorf("line %d of the body is cut off", b.n)
		}
		return nil, err
	}
}

func (b *bodyReader) decode(text []byte) (sinew.SnapshotBody, error) {
	var line sinew.SnapshotBody
	if err := json.Unmarshal(text, &line); err != nil {
		return line, fmt.Errorf("decode line %d of the body: %w", b.n, err)
	}
	return line, nil
}

// observation decodes the text of a line that must hold one.
func (b *bodyReader) observation(text []byte) (*sinew.Observation, error) {
	line, err := b.decode(text)
	if err != nil {
		return nil, err
	}
	if line.Observation == nil {
		return nil, fmt.Errorf("line %d of the body holds no observation", b.n)
	}
	return line.Observation, nil
}

func (b *bodyReader) Close() error { return b.close.Close() }
