package format

import "strings"

// Which values a report calls secrets; redact.go keeps them out of what is kept.

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
func (p *parse) collectSecrets(e *env, doc document, size int64) error {
	p.notes.quiet = true
	defer func() { p.notes.quiet = false }()
	p.secretRows = nil
	m := &mapper{parse: p, env: e, head: doc.head()}
	_, err := m.each(doc, size, (*worker).findSecrets, func(b *batch) error {
		for i := range b.secrets {
			s := &b.secrets[i]
			p.secretRows.set(s.n)
			if err := p.secrets.add(s.text, s.number, p.redactor, &s.row); err != nil {
				return rowError(err, &s.row)
			}
		}
		return nil
	})
	return err
}

// mayTell reports whether rows of a file may call something a secret.
func mayTell(e *env, doc document) (bool, error) {
	if !e.variant.hasSecrets() || e.variant.secrets == nil {
		return e.variant.hasSecrets(), nil
	}
	has, err := e.machine.one(e.variant.secrets, map[string]any{"head": doc.head()}, nil)
	return err == nil && has != nil && has != false, err
}

// foundSecret is a value that a row calls a secret.
type foundSecret struct {
	rowSecret
	n   int
	row row // without its value
}

// findSecrets runs the programs of a row that tell its secrets.
func (w *worker) findSecrets(r *row, n int, b *batch) error {
	for _, i := range r.specs {
		prog := w.m.env.variant.rows[i].secret
		if prog == nil {
			continue
		}
		err := w.machine.secretsOf(prog, r, w.input(r, n), func(s rowSecret) error {
			at := *r
			at.value, at.raw = nil, nil
			b.secrets = append(b.secrets, foundSecret{s, n, at})
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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
