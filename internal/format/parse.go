package format

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/itchyny/gojq"

	"github.com/sinewsec/sinew/internal/sinew"
)

// parse is the work on one report.
type parse struct {
	engine *Engine
	in     Input
	opt    Options
	limits Limits
	sink   Sink

	clock      *clock
	redactor   Redactor
	notes      notes
	findings   int
	secrets    Secrets
	secretRows bitmap           // of the file being mapped: rows that name secrets
	innocent   bool             // taken to tell no secret: see onePass
	spent      int64            // bytes unpacked from archives
	store      *Spool           // what is unpacked and transcoded
	later      spill            // assets, relations and withdrawals, until the observations are out
	marks      map[byte][]int64 // where they are in later, per kind of line: a, r, w
	seen       map[string]bool
	closers    []func() error
}

func newParse(e *Engine, in Input, opt Options, sink Sink) *parse {
	p := &parse{
		engine: e, in: in, opt: opt, limits: opt.Limits.WithDefaults(), sink: sink, redactor: opt.Redactor,
		marks: map[byte][]int64{}, seen: map[string]bool{},
	}
	if p.redactor == nil {
		p.redactor = &localRedactor{n: map[string]int{}}
	}
	return p
}

func (p *parse) run(ctx context.Context) (res *Result, err error) {
	if p.in.Size > p.limits.Total {
		return nil, tooLarge("", "the report has %s, more than the limit of %s", size(p.in.Size), size(p.limits.Total)).
			Hint("split it, or raise the limit in the configuration")
	}
	p.clock = newClock(ctx, p.limits.RowTime, p.limits.FileTime)
	defer p.clock.stop()
	defer func() { err = errors.Join(err, p.close()) }()
	var want *Format
	if p.opt.Format != "" {
		if want, err = p.engine.Format(p.opt.Format); err != nil {
			return nil, err
		}
	}
	us, err := p.units(p.in, "", want, 0)
	if err != nil {
		return nil, err
	}
	return p.all(us, want)
}

func (p *parse) close() error {
	var err error
	for _, c := range slices.Backward(p.closers) {
		err = errors.Join(err, c())
	}
	return err
}

// checked reads through the clock, so that a read loop ends when time is up.
type checked struct {
	Input
	p *parse
}

func (c checked) ReadAt(b []byte, off int64) (int, error) {
	if err := c.p.clock.err(c.p.limits); err != nil {
		return 0, err
	}
	return c.R.ReadAt(b, off)
}

// units lists what is to be mapped in a file: the file itself, or members of an
// archive. A file that says nothing gives none.
func (p *parse) units(in Input, member string, want *Format, nesting int) ([]unit, error) {
	in.R = checked{in, p}
	look, err := p.sniff(in)
	if err != nil {
		return nil, err
	}
	if look.archive != "" {
		return p.archive(look, member, want, nesting)
	}
	v, err := p.choose(look, want)
	if err != nil || v == nil {
		return nil, err
	}
	return []unit{{variant: v, look: look, member: member}}, nil
}

// all maps the units and joins what they say.
func (p *parse) all(us []unit, want *Format) (*Result, error) {
	if len(us) == 0 {
		return p.ambiguous(want)
	}
	for _, u := range us[1:] {
		if u.variant.format != us[0].variant.format {
			return nil, sinew.Errorf(sinew.CodeUnsupported, "the archive holds reports of several tools: %s is %s, %s is %s",
				us[0].member, us[0].variant.format.ID, u.member, u.variant.format.ID).Hint("upload them one by one")
		}
	}
	p.later.dir = p.opt.SpoolDir
	p.closers = append(p.closers, p.later.close)
	if len(us) > 1 {
		// All values are learned before the first row is mapped; each file then
		// learns its own again, to know its rows.
		for _, u := range us {
			if u.variant.hasSecrets() {
				err := p.unit(u, func(e *env, doc document) error {
					tells, err := mayTell(e, doc)
					if err == nil && tells {
						err = p.collectSecrets(e, doc, u.look.in.Size)
					}
					return err
				})
				if err != nil {
					return nil, err
				}
			}
		}
		p.secrets.seal()
		if err := p.clean(); err != nil {
			return nil, err
		}
	}
	var res *Result
	for _, u := range us {
		err := p.unit(u, func(e *env, doc document) error {
			r, err := p.file(e, doc, u.look.in.Size, len(us) == 1)
			if err == nil {
				res, err = p.join(res, r, u)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(us) == 1 {
		res.Member = us[0].member
	}
	return res, p.flush(res)
}

// file learns the secrets of a file and maps its rows. The values of one that is
// not alone are known already.
func (p *parse) file(e *env, doc document, size int64, alone bool) (*Result, error) {
	p.secretRows = nil
	tells, err := mayTell(e, doc)
	if err != nil {
		return nil, err
	}
	if tells && alone && p.mayOnePass(size) {
		res, err := p.onePass(e, doc, size)
		if !errors.Is(err, errTwoPasses) {
			return res, err
		}
	}
	if tells {
		if err := p.collectSecrets(e, doc, size); err != nil {
			return nil, err
		}
	}
	if alone {
		p.secrets.seal()
		if err := p.clean(); err != nil {
			return nil, err
		}
	}
	return p.mapped(e, doc, size)
}

// clean says that there are no secrets, if there are none.
func (p *parse) clean() error {
	if p.opt.Clean == nil || p.secrets.Count() > 0 {
		return nil
	}
	if err := p.opt.Clean(); err != nil {
		return &sinkError{err}
	}
	return nil
}

// unit opens a file for f.
func (p *parse) unit(u unit, f func(*env, document) error) (err error) {
	if u.member != "" {
		defer func() {
			if err != nil {
				err = located(err, u.member)
			}
		}()
	}
	t := newTables(p.opt.SpoolDir, p.limits)
	defer func() { err = errors.Join(err, t.close()) }()
	m := newMachine(p.clock, p.limits, t)
	e := &env{variant: u.variant, machine: m, limits: p.limits, notes: &p.notes, dir: p.opt.SpoolDir, tables: t, member: u.member}
	doc, err := p.open(e, u.look)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, doc.close()) }()
	return f(e, doc)
}

// ambiguous is the result for a file that says nothing.
func (p *parse) ambiguous(want *Format) (*Result, error) {
	r := &Result{Format: want, Secrets: &p.secrets}
	r.Snapshot = sinew.Snapshot{Schema: sinew.SnapshotSchema, Mode: sinew.ModeComplete, ReportName: p.in.Name}
	if want != nil {
		r.Snapshot.Stream.Tool, r.Snapshot.ToolName = want.ID, want.Name
		r.Snapshot.Format, r.Snapshot.FormatSHA = want.Ref(), want.Digest
	}
	r.Snapshot.Notes = append(p.notes.list(), "the file is empty or holds an empty value: it could be any tool's, so it closes nothing")
	return r, nil
}

// rowError adds the place of a row to an error that has none.
func rowError(err error, r *row) error {
	var e *sinew.Error
	if errors.As(err, &e) && e.Where == "" {
		c := *e
		c.Where = r.where()
		return &c
	}
	return err
}

func (r *row) where() string {
	if r.member != "" {
		return r.member + " " + r.place()
	}
	return r.place()
}

// fill puts an element into the tables whose path ends at n.
func (e *env) fill(n *pathNode, r *row) error {
	for _, i := range n.index {
		ix := e.variant.index[i]
		value := r.value
		if ix.value != nil {
			v, err := e.machine.one(ix.value, r.value, r.keys)
			if err != nil {
				return rowError(err, r)
			}
			value = v
		}
		text, err := gojq.Marshal(value)
		if err != nil {
			return fmt.Errorf("write table %s: %w", ix.name, err)
		}
		err = e.machine.run(ix.key, r.value, r.keys, func(k any) error {
			if k == nil {
				return nil
			}
			return e.tables.put(ix.name, textOf(k), text)
		})
		if err != nil {
			return rowError(err, r)
		}
	}
	return nil
}
