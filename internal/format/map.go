package format

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sinewsec/sinew/internal/sinew"
)

// mapper runs the programs of a variant over the rows of a file and gives what
// they say to the sink, in the order of the rows. Large files are mapped by
// several workers: rows go out in batches, and come back in order.
type mapper struct {
	*parse
	env   *env
	head  any
	first any // the first row, for programs about the whole report
	count int // findings of this file
}

const (
	batchRows  = 64
	batchBytes = 512 << 10
	maxWorkers = 4
	smallFile  = 1 << 20
)

// mapped maps all rows of a file.
func (p *parse) mapped(e *env, doc document, size int64) (*Result, error) {
	m := &mapper{parse: p, env: e, head: doc.head()}
	n := 0
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	if size < smallFile {
		workers = 1
	}
	pool := newPool(m, workers)
	defer pool.stop()
	b := &batch{}
	err := doc.rows(func(r *row) error {
		if n == 0 {
			m.first = r.value
		}
		b.rows, b.bytes = append(b.rows, *r), b.bytes+r.end-r.start
		n++
		if len(b.rows) < batchRows && b.bytes < batchBytes {
			return nil
		}
		full := b
		b = &batch{number: n}
		return pool.give(full)
	})
	if err != nil {
		return nil, err
	}
	if err := pool.give(b); err != nil {
		return nil, err
	}
	if err := pool.drain(0); err != nil {
		return nil, err
	}
	return m.finish(n)
}

// batch is a run of rows, and what they say once it is done.
type batch struct {
	number int // of the first row
	rows   []row
	bytes  int64
	out    said
	notes  notes
	err    error
	done   chan struct{}
}

// said is what rows say.
type said struct {
	observations []*sinew.Observation
	later        []laterLine
}

// laterLine is a line that comes after the observations, under a key that is the
// same for the same fact.
type laterLine struct {
	key  string
	body sinew.SnapshotBody
}

// pool maps batches. Its methods are called by one goroutine, which is also the
// one that calls the sink.
type pool struct {
	m       *mapper
	work    chan *batch
	waiting []*batch
	limit   int
	inline  *worker
	ended   atomic.Bool
	wg      sync.WaitGroup
}

func newPool(m *mapper, workers int) *pool {
	p := &pool{m: m, limit: workers + 1}
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
					w.batch(b)
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

// give maps a batch, now or soon. A large one is waited for, so that few large
// rows are in memory at a time.
func (p *pool) give(b *batch) error {
	if p.inline != nil {
		p.inline.batch(b)
		return p.m.emit(b)
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
		if err := p.m.emit(b); err != nil {
			return err
		}
	}
	return nil
}

// emit gives a finished batch to the sink.
func (m *mapper) emit(b *batch) error {
	m.notes.merge(&b.notes)
	if b.err != nil {
		return b.err
	}
	return m.take(&b.out)
}

func (m *mapper) take(l *said) error {
	for _, o := range l.observations {
		if m.findings >= m.limits.Findings {
			return tooLarge("", "the report has more than %d findings", m.limits.Findings).Hint("split the report")
		}
		m.findings++
		m.count++
		if err := m.sink(sinew.SnapshotBody{Observation: o}); err != nil {
			return &sinkError{err}
		}
	}
	for i := range l.later {
		if err := m.keep(&l.later[i]); err != nil {
			return err
		}
	}
	return nil
}

const maxSeen = 200_000

// keep stores a line that comes after the observations. The same asset is told
// by many rows; it is kept once, as long as what was seen fits in memory.
func (p *parse) keep(l *laterLine) error {
	if p.seen[l.key] {
		return nil
	}
	if len(p.seen) < maxSeen {
		p.seen[l.key] = true
	}
	text, err := json.Marshal(l.body)
	if err != nil {
		return fmt.Errorf("keep %q: %w", l.key, err)
	}
	at, err := p.later.add(text)
	if err != nil {
		return err
	}
	p.marks[l.key[0]] = append(p.marks[l.key[0]], at)
	return nil
}

// flush emits what comes after the observations, and fills in the counts.
func (p *parse) flush(res *Result) error {
	for _, order := range []byte{'a', 'r', 'w'} {
		for _, at := range p.marks[order] {
			text, err := p.later.get(at)
			if err != nil {
				return err
			}
			var b sinew.SnapshotBody
			if err := json.Unmarshal(text, &b); err != nil {
				return fmt.Errorf("read back assets: %w", err)
			}
			if err := p.sink(b); err != nil {
				return &sinkError{err}
			}
		}
	}
	s := &res.Snapshot
	s.Observations, s.AssetCount, s.Withdrawn = p.findings, len(p.marks['a'])+len(p.marks['r']), len(p.marks['w'])
	if s.Withdrawn > 0 {
		s.Mode = sinew.ModeDelta
	}
	s.Notes = p.notes.list()
	s.ReportName = p.in.Name
	return nil
}

// worker maps one batch after the other.
type worker struct {
	m       *mapper
	machine *machine
}

func (m *mapper) worker() *worker {
	return &worker{m: m, machine: m.env.machine.fork()}
}

func (w *worker) batch(b *batch) {
	defer w.machine.clock.idle(w.machine.slot)
	for i := range b.rows {
		r := &b.rows[i]
		n := b.number + i
		in := r.input(w.m.head, n)
		for _, s := range r.specs {
			if err := w.spec(w.m.env.variant.rows[s], r, in, n, b); err != nil {
				b.err = rowError(err, r)
				return
			}
		}
	}
	b.rows = nil
}

// spec runs the programs of one kind of row.
func (w *worker) spec(s *rowSpec, r *row, in map[string]any, n int, b *batch) error {
	token := ""
	var mine []localSecret
	if s.secret != nil && w.m.secretRows.has(n) {
		var values []rowSecret
		if err := w.machine.secretsOf(s.secret, r, in, func(v rowSecret) error { values = append(values, v); return nil }); err != nil {
			return err
		}
		mine = own(values, w.m.redactor)
		if len(values) > 0 {
			token = w.m.redactor.Token(values[0].text)
		}
	}
	v := w.m.veil(mine)
	if s.finding != nil {
		err := w.machine.run(s.finding, in, r.keys, func(out any) error {
			if out == nil {
				return nil
			}
			o, err := observation(out, w.m.env.variant.format.ID, r.where, v, &b.notes)
			if err != nil {
				return err
			}
			if o.Secret == "" {
				o.Secret = token
			}
			b.out.observations = append(b.out.observations, o)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, prog := range []*program{s.asset, s.relation} {
		if prog == nil {
			continue
		}
		if err := w.machine.run(prog, in, r.keys, func(out any) error { return b.out.asset(out, v, &b.notes) }); err != nil {
			return err
		}
	}
	if s.withdraw != nil {
		return w.machine.run(s.withdraw, in, r.keys, func(out any) error {
			if id := cutText(v.text(textOf(out)), maxName); id != "" {
				b.out.later = append(b.out.later, laterLine{"w" + id, sinew.SnapshotBody{Withdraw: id}})
			}
			return nil
		})
	}
	return nil
}

// veil hides the secrets of the whole report, and those of one row.
func (m *mapper) veil(own []localSecret) *veil {
	return &veil{
		token: m.redactor.Token, own: own, key: m.secrets.replaceKey,
		text: func(s string) string { return m.secrets.replace(s, own) },
	}
}

// asset takes what an asset or relation program gave: {kind, key, ...} or
// {kind, from, to}, or an array of them.
func (l *said) asset(out any, v *veil, n *notes) error {
	switch out := out.(type) {
	case nil:
		return nil
	case []any:
		for _, e := range out {
			if err := l.asset(e, v, n); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		f := &fielder{m: out, where: func() string { return "" }, veil: v, notes: n}
		var line laterLine
		var err error
		if _, ok := out["from"]; ok {
			rel := f.relation()
			err = rel.Validate()
			line = laterLine{"r" + string(rel.Kind) + "\x00" + rel.From.String() + "\x00" + rel.To.String(), sinew.SnapshotBody{Relation: rel}}
		} else {
			a := f.asset()
			err = a.Validate()
			line = laterLine{"a" + string(a.Kind) + "\x00" + a.Key, sinew.SnapshotBody{Asset: a}}
		}
		if f.err != nil {
			return f.err
		}
		if err != nil {
			return err
		}
		l.later = append(l.later, line)
		return nil
	}
	return invalid("", "the mapping gives an asset that is %s, expected an object", jqType(out)).Hint("correct the mapping")
}

// bitmap remembers which rows have something.
type bitmap []uint64

func (b *bitmap) set(n int) {
	for len(*b) <= n/64 {
		*b = append(*b, make([]uint64, 1+len(*b)/4)...)
	}
	(*b)[n/64] |= 1 << (n % 64)
}

func (b bitmap) has(n int) bool { return n/64 < len(b) && b[n/64]&(1<<(n%64)) != 0 }

// collectSecrets learns the values of all rows before the first is mapped, since
// a value may be told by an earlier row than the one that calls it a secret.
func (p *parse) collectSecrets(e *env, doc document) error {
	if !e.variant.hasSecrets() {
		return nil
	}
	if e.variant.secrets != nil {
		has, err := e.machine.one(e.variant.secrets, map[string]any{"head": doc.head()}, nil)
		if err != nil || has == nil || has == false {
			return err
		}
	}
	p.notes.quiet = true
	defer func() { p.notes.quiet = false }()
	p.secretRows = nil
	n := 0
	return doc.rows(func(r *row) error {
		for _, i := range r.specs {
			if prog := e.variant.rows[i].secret; prog != nil {
				err := e.machine.secretsOf(prog, r, r.input(doc.head(), n), func(s rowSecret) error {
					p.secretRows.set(n)
					return p.secrets.add(s.text, s.number, p.redactor, r)
				})
				if err != nil {
					return rowError(err, r)
				}
			}
		}
		n++
		return nil
	})
}

// secretsOf gives the values that a row calls secrets and does not hide itself.
func (m *machine) secretsOf(prog *program, r *row, in any, add func(rowSecret) error) error {
	return m.run(prog, in, r.keys, func(v any) error {
		var err error
		each := func(v any, number bool) {
			s := strings.TrimSpace(textOf(v))
			if s != "" && !masked(s) && err == nil {
				err = add(rowSecret{s, number})
			}
		}
		var visit func(v any)
		visit = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, x := range v {
					visit(x)
				}
			case map[string]any:
				for _, k := range sortedKeys(v) {
					visit(v[k])
				}
			case string:
				each(v, false)
			case nil, bool:
			default:
				each(v, true)
			}
		}
		visit(v)
		return err
	})
}
