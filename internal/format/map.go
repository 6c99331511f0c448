package format

import (
	"encoding/json"
	"fmt"

	"github.com/sinewsec/sinew/internal/sinew"
)

// mapper runs the programs of a variant over the rows of a file and gives what
// they say to the sink, in the order of the rows.
type mapper struct {
	*parse
	env   *env
	head  any
	first any // the first row, for programs about the whole report
	count int // findings of this file
}

// mapped maps all rows of a file.
func (p *parse) mapped(e *env, doc document, size int64) (*Result, error) {
	m := &mapper{parse: p, env: e, head: doc.head()}
	n, err := m.each(doc, size, (*worker).mapRow, func(b *batch) error {
		m.notes.merge(&b.notes)
		return m.take(&b.out)
	})
	if err != nil {
		return nil, err
	}
	return m.finish(n)
}

// said is what rows say.
type said struct {
	observations []*sinew.Observation
	lines        lineBatch // in their place, if the caller wants text
	later        []laterLine
}

// laterLine is a line that comes after the observations, under a key that is the
// same for the same fact.
type laterLine struct {
	key  string
	body sinew.SnapshotBody
}

func (m *mapper) take(l *said) error {
	for _, o := range l.observations {
		if err := m.counted(); err != nil {
			return err
		}
		if err := m.sink(sinew.SnapshotBody{Observation: o}); err != nil {
			return &sinkError{err}
		}
	}
	for line := range l.lines.all() {
		if err := m.counted(); err != nil {
			return err
		}
		if err := m.opt.Lines(line); err != nil {
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

// counted counts a finding, as long as there may be more.
func (m *mapper) counted() error {
	if m.findings >= m.limits.Findings {
		return tooLarge("", "the report has more than %d findings", m.limits.Findings).Hint("split the report")
	}
	m.findings++
	m.count++
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
			if err := p.give(b); err != nil {
				return err
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

// give hands out a line that comes after the observations.
func (p *parse) give(body sinew.SnapshotBody) error {
	if p.opt.Lines == nil {
		if err := p.sink(body); err != nil {
			return &sinkError{err}
		}
		return nil
	}
	var l lineBatch
	if err := l.add(body); err != nil {
		return err
	}
	for line := range l.all() {
		if err := p.opt.Lines(line); err != nil {
			return &sinkError{err}
		}
	}
	return nil
}

// mapRow runs the programs of a row.
func (w *worker) mapRow(r *row, n int, b *batch) error {
	in := w.input(r, n)
	for _, s := range r.specs {
		if err := w.spec(w.m.env.variant.rows[s], r, in, n, b); err != nil {
			return err
		}
	}
	return nil
}

// spec runs the programs of one kind of row.
func (w *worker) spec(s *rowSpec, r *row, in map[string]any, n int, b *batch) error {
	token := ""
	var mine []localSecret
	if s.secret != nil && (w.m.innocent || w.m.secretRows.has(n)) {
		var values []rowSecret
		if err := w.machine.secretsOf(s.secret, r, in, func(v rowSecret) error { values = append(values, v); return nil }); err != nil {
			return err
		}
		if w.m.innocent && len(values) > 0 {
			return errTwoPasses
		}
		mine = own(values, w.m.redactor)
		if len(values) > 0 {
			token = w.m.redactor.Token(values[0].text)
		}
	}
	v := w.veil
	if len(mine) > 0 {
		v = w.m.veil(mine)
	}
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
			if w.m.opt.Lines != nil {
				return b.out.lines.add(sinew.SnapshotBody{Observation: o})
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
