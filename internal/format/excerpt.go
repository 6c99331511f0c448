package format

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Excerpt is the row of a report that an observation was mapped from.
type Excerpt struct {
	Text      string // of the row; JSON is indented
	Media     string // application/json, application/xml, text/csv, text/plain
	Line      int    // of the row's first line in the report, 0 where it has no lines
	Member    string // file inside an archive
	Truncated bool   // the text is the beginning
}

// MaxExcerpt bounds the text of an excerpt.
const MaxExcerpt = 64 << 10

// ErrNoRow says that no row of the report gives the observation that was asked
// for: the mapping has changed, or it is another report.
var ErrNoRow = sinew.Errorf(sinew.CodeNotFound, "no row of the report gives this finding any more").
	Hint("the mapping of the format has changed since; download the whole report")

// Excerpt finds the row that an observation of a report was mapped from. want is
// asked about the observations one after the other, in report order, until it
// says yes. The report is the redacted one: no secrets are looked for, because
// none is in it. Work and memory are bounded by the limits, as in [Engine.Parse].
func (e *Engine) Excerpt(ctx context.Context, in Input, opt Options, want func(n int64, o *sinew.Observation) bool) (x *Excerpt, err error) {
	in.Name = path.Base(strings.ReplaceAll(in.Name, `\`, "/"))
	p := newParse(e, in, opt, nil)
	defer func() { err = errors.Join(err, p.close()) }()
	p.opt.Lines = nil
	p.clock = newClock(ctx, p.limits.RowTime, p.limits.FileTime)
	defer p.clock.stop()
	p.secrets.seal()
	var named *Format
	if p.opt.Format != "" {
		if named, err = e.Format(p.opt.Format); err != nil {
			return nil, err
		}
	}
	us, err := p.units(p.in, "", named, 0)
	if err != nil {
		return nil, located(err, in.Name)
	}
	f := &rowFinder{parse: p, want: want}
	for _, u := range us {
		if err := p.unit(u, func(e *env, doc document) error { return f.find(e, doc, u) }); err != nil {
			return nil, located(err, in.Name)
		}
		if f.found != nil {
			return f.found, nil
		}
	}
	return nil, ErrNoRow
}

// rowFinder looks for a row.
type rowFinder struct {
	*parse
	want  func(int64, *sinew.Observation) bool
	seen  int64 // observations of the files before, and of the rows before
	found *Excerpt
}

var errRowFound = errors.New("the row was found")

// find looks in one file: its rows are mapped until one gives what is wanted,
// then framed once more up to that one.
func (f *rowFinder) find(e *env, doc document, u unit) error {
	m := &mapper{parse: f.parse, env: e, head: doc.head()}
	var mu sync.Mutex
	gave := map[int]int{} // row -> observations, of batches that are under way
	hit := -1
	_, err := m.each(doc, u.look.in.Size, func(w *worker, r *row, n int, b *batch) error {
		before := len(b.out.observations)
		err := w.mapRow(r, n, b)
		mu.Lock()
		defer mu.Unlock()
		gave[n] = len(b.out.observations) - before
		return err
	}, func(b *batch) error {
		next := 0
		for i := range b.rows {
			n := b.number + i
			mu.Lock()
			count := gave[n]
			delete(gave, n)
			mu.Unlock()
			for _, o := range b.out.observations[next : next+count] {
				if f.want(f.seen, o) {
					hit = n
					return errRowFound
				}
				f.seen++
			}
			next += count
		}
		return nil
	})
	if !errors.Is(err, errRowFound) {
		return err
	}
	n := 0
	err = doc.rows(func(r *row) error {
		if n < hit {
			n++
			return nil
		}
		if err := r.decode(&decoder{limits: f.limits, notes: &f.notes}); err != nil {
			return r.failed(err)
		}
		if f.found, err = excerptOf(r, u); err != nil {
			return err
		}
		return errRowFound
	})
	if errors.Is(err, errRowFound) {
		return nil
	}
	return err
}

// excerptOf shows a row: as it stands in the file where that is text, else as
// the value that programs see.
func excerptOf(r *row, u unit) (*Excerpt, error) {
	x := &Excerpt{Member: u.member}
	if r.member != "" {
		x.Member = r.member
	}
	in := u.look.in
	inPlace := r.end > r.start && r.end <= in.Size && x.Member == u.member
	switch kind := u.variant.kind; {
	case inPlace && (kind == kindXML || kind == kindCSV || kind == kindText):
		x.Media = map[string]string{kindXML: "application/xml", kindCSV: "text/csv", kindText: "text/plain"}[kind]
		text := make([]byte, min(r.end-r.start, MaxExcerpt+utf8.UTFMax))
		if _, err := in.R.ReadAt(text, r.start); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the row: %w", err)
		}
		x.Text = strings.TrimRight(string(text), "\r\n")
	default:
		x.Media = "application/json"
		b := &capped{left: MaxExcerpt + utf8.UTFMax}
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r.value); err != nil {
			return nil, fmt.Errorf("write the row: %w", err)
		}
		x.Text = strings.TrimRight(b.String(), "\n")
		inPlace = inPlace && (kind == kindJSON || kind == kindJSONL)
	}
	if len(x.Text) > MaxExcerpt {
		x.Text, x.Truncated = strings.ToValidUTF8(x.Text[:MaxExcerpt], ""), true
	}
	x.Text = strings.ToValidUTF8(x.Text, "\ufffd")
	if !inPlace {
		return x, nil
	}
	x.Line = lineOf(in.R, r.start)
	return x, nil
}

// capped keeps the beginning of what is written to it.
type capped struct {
	bytes.Buffer
	left int
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	_, _ = c.Buffer.Write(p[:n]) // a buffer takes everything
	return len(p), nil
}
