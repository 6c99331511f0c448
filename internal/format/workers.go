package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Rows are framed by one goroutine and worked on by several: they go out in
// batches, and what came of them is taken in the order of the rows, so that a
// report gives the same whatever the number of processors. Decoding, programs
// and encoding happen in the workers; what is left is little more than finding
// where a row ends.

const (
	batchRows  = 64
	batchBytes = 512 << 10
	maxWorkers = 4
	smallFile  = 1 << 20
)

// each does something to every row of a file, in the workers, and takes what
// came of it, here. It returns how many rows there were.
func (m *mapper) each(doc document, size int64, do func(*worker, *row, int, *batch) error, take func(*batch) error) (n int, err error) {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	if size < smallFile {
		workers = 1
	}
	p := newPool(m, workers, do, take)
	defer p.stop()
	b := p.batch(0)
	err = doc.rows(func(r *row) error {
		if n == 0 {
			if err := r.decode(&decoder{limits: m.limits, notes: &m.notes}); err != nil {
				return r.failed(err)
			}
			m.first = r.value
		}
		b.add(r)
		n++
		if len(b.rows) < batchRows && b.bytes < batchBytes {
			return nil
		}
		full := b
		b = p.batch(n)
		return p.give(full)
	})
	if err != nil {
		return n, err
	}
	if err := p.give(b); err != nil {
		return n, err
	}
	return n, p.drain(0)
}

// decode makes the value of a row that was only framed.
func (r *row) decode(d *decoder) error {
	if r.raw == nil {
		return nil
	}
	d.where = r.place
	v, err := d.decode(r.raw)
	if err == nil {
		r.value, r.raw = v, nil
	}
	return err
}

// failed explains an error of decoding or of a program.
func (r *row) failed(err error) error {
	if r.fault != nil {
		err = r.fault(err, r)
	}
	return rowError(err, r)
}

// batch is a run of rows, and what came of them once it is done.
type batch struct {
	number int // of the first row
	rows   []row
	text   []byte // of rows that are not decoded yet
	bytes  int64

	out     said
	secrets []foundSecret
	notes   notes
	err     error
	bad     row // that err is about
	done    chan struct{}
}

// add takes a row, which its reader may forget now.
func (b *batch) add(r *row) {
	own := *r
	if own.raw != nil {
		at := len(b.text)
		b.text = append(b.text, own.raw...)
		own.raw = b.text[at:len(b.text):len(b.text)]
	}
	b.rows = append(b.rows, own)
	b.bytes += r.end - r.start
}

// reset makes b fit for other rows, with the memory that it has.
func (b *batch) reset(number int) {
	clear(b.rows)
	clear(b.secrets)
	clear(b.out.observations)
	clear(b.out.later)
	if cap(b.text) > 2*batchBytes {
		b.text = nil
	}
	*b = batch{
		number: number, rows: b.rows[:0], text: b.text[:0], secrets: b.secrets[:0],
		out: said{observations: b.out.observations[:0], later: b.out.later[:0], lines: b.out.lines},
	}
	b.out.lines.reset()
}

// pool works on batches. Its methods are called by one goroutine, which is also
// the one that takes what came of them.
type pool struct {
	do      func(*worker, *row, int, *batch) error
	taken   func(*batch) error
	work    chan *batch
	waiting []*batch
	free    []*batch
	limit   int
	inline  *worker
	ended   atomic.Bool
	wg      sync.WaitGroup
}

func newPool(m *mapper, workers int, do func(*worker, *row, int, *batch) error, take func(*batch) error) *pool {
	p := &pool{do: do, taken: take, limit: workers + 1}
	if workers == 1 {
		p.inline = m.worker()
		return p
	}
	p.work = make(chan *batch, p.limit)
	for range workers {
		w := m.worker()
		p.wg.Go(func() {
			for b := range p.work {
				if !p.ended.Load() {
					w.run(b, do)
				}
				close(b.done)
			}
		})
	}
	return p
}

func (p *pool) stop() {
	if p.work != nil {
		close(p.work)
		p.ended.Store(true) // workers need not begin what nobody wants
		p.wg.Wait()
	}
}

// batch gives an empty batch whose first row has that number.
func (p *pool) batch(number int) *batch {
	n := len(p.free)
	if n == 0 {
		return &batch{number: number}
	}
	b := p.free[n-1]
	p.free = p.free[:n-1]
	b.reset(number)
	return b
}

// give has a batch worked on, now or soon. A large one is waited for, so that few
// large rows are in memory at a time.
func (p *pool) give(b *batch) error {
	if p.inline != nil {
		p.inline.run(b, p.do)
		return p.take(b)
	}
	b.done = make(chan struct{})
	p.waiting = append(p.waiting, b)
	p.work <- b
	if b.bytes > 2*batchBytes {
		return p.drain(0)
	}
	return p.drain(p.limit)
}

// drain takes finished batches until at most left are waiting.
func (p *pool) drain(left int) error {
	for len(p.waiting) > left {
		b := p.waiting[0]
		<-b.done
		p.waiting = p.waiting[1:]
		if err := p.take(b); err != nil {
			return err
		}
	}
	return nil
}

func (p *pool) take(b *batch) error {
	if b.err != nil {
		return b.bad.failed(b.err)
	}
	if err := p.taken(b); err != nil {
		return err
	}
	p.free = append(p.free, b)
	return nil
}

// worker works on one batch after the other.
type worker struct {
	m       *mapper
	machine *machine
	decoder decoder
	around  surroundings
	veil    *veil // of rows without secrets of their own
}

func (m *mapper) worker() *worker {
	return &worker{m: m, machine: m.env.machine.fork(), decoder: decoder{limits: m.limits}, veil: m.veil(nil)}
}

func (w *worker) run(b *batch, do func(*worker, *row, int, *batch) error) {
	defer w.machine.clock.idle(w.machine.slot)
	w.decoder.notes = &b.notes
	for i := range b.rows {
		r := &b.rows[i]
		err := r.decode(&w.decoder)
		if err == nil {
			err = do(w, r, b.number+i, b)
		}
		if err != nil {
			b.err, b.bad = err, *r
			return
		}
		r.value = nil // large rows are in memory one at a time
	}
}

// input is what a program sees of a row. Rows that follow each other mostly have
// the same surroundings.
func (w *worker) input(r *row, n int) map[string]any {
	if !w.around.of(r) {
		w.around = r.surroundings()
	}
	return r.input(&w.around, w.m.head, n)
}

// lineBatch holds lines of a snapshot's body as text: JSON, each with a newline.
type lineBatch struct {
	buf  *bytes.Buffer
	enc  *json.Encoder
	ends []int
}

// add writes a line as the body has it.
func (l *lineBatch) add(body sinew.SnapshotBody) error {
	if l.enc == nil {
		l.buf = &bytes.Buffer{}
		l.enc = json.NewEncoder(l.buf)
		l.enc.SetEscapeHTML(false)
	}
	if err := l.enc.Encode(body); err != nil {
		return fmt.Errorf("write a line: %w", err)
	}
	l.ends = append(l.ends, l.buf.Len())
	return nil
}

func (l *lineBatch) reset() {
	if l.buf != nil && l.buf.Cap() > 2*batchBytes {
		*l = lineBatch{}
	}
	if l.buf != nil {
		l.buf.Reset()
	}
	l.ends = l.ends[:0]
}

// all gives the lines, each valid until the batch is used again.
func (l *lineBatch) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := 0
		for _, end := range l.ends {
			if !yield(l.buf.Bytes()[at:end]) {
				return
			}
			at = end
		}
	}
}
