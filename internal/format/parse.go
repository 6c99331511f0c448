package format

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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

	clock    *clock
	redactor Redactor
	notes    notes
	findings int
	secrets  Secrets
	spent    int64            // bytes unpacked from archives
	store    *Spool           // what is unpacked and transcoded
	later    spill            // assets, relations and withdrawals, until the observations are out
	marks    map[byte][]int64 // where they are in later, per kind of line: a, r, w
	seen     map[string]bool
	closers  []func() error
}

func newParse(e *Engine, in Input, opt Options, sink Sink) *parse {
	p := &parse{engine: e, in: in, opt: opt, limits: opt.Limits.WithDefaults(), sink: sink, redactor: opt.Redactor,
		marks: map[byte][]int64{}, seen: map[string]bool{}}
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
		for _, u := range us {
			if u.variant.hasSecrets() {
				if err := p.unit(u, p.collectSecrets); err != nil {
					return nil, err
				}
			}
		}
		p.secrets.seal()
	}
	var res *Result
	for _, u := range us {
		err := p.unit(u, func(e *env, doc document) error {
			if len(us) == 1 {
				if u.variant.hasSecrets() {
					if err := p.collectSecrets(e, doc); err != nil {
						return err
					}
				}
				p.secrets.seal()
			}
			r, err := p.mapped(e, doc)
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
	m := &machine{clock: p.clock, limits: p.limits, tables: t}
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

// mapped runs the programs over the rows of a file.
func (p *parse) mapped(e *env, doc document) (*Result, error) {
	mp := &mapper{parse: p, env: e, head: doc.head()}
	n := 0
	if err := doc.rows(func(r *row) error {
		err := mp.row(r, n)
		n++
		return err
	}); err != nil {
		return nil, err
	}
	return mp.finish(n)
}

// join adds the result of one more file of an archive. They are one report, so
// they must be about one thing.
func (p *parse) join(all, r *Result, u unit) (*Result, error) {
	if all == nil {
		return r, nil
	}
	a, b := &all.Snapshot, &r.Snapshot
	if a.Stream != b.Stream {
		return nil, sinew.Errorf(sinew.CodeUnsupported, "the archive holds reports about several targets: %q and, in %s, %q",
			a.Stream.Target, u.member, b.Stream.Target).Hint("upload them one by one")
	}
	if a.Commit != b.Commit {
		a.Commit = ""
	}
	if a.Digest != b.Digest {
		a.Digest = ""
	}
	if b.ReportedAt.After(a.ReportedAt) {
		a.ReportedAt = b.ReportedAt
	}
	a.Coverage = joinCoverage(a.Coverage, b.Coverage)
	return all, nil
}

// joinCoverage is what two scans cover together, as far as both tell.
func joinCoverage(a, b sinew.Coverage) sinew.Coverage {
	worse := func(s sinew.CoverageStatus) int {
		return slices.Index([]sinew.CoverageStatus{sinew.CoverageComplete, sinew.CoverageUnknown, sinew.CoveragePartial, sinew.CoverageFailed}, s)
	}
	if worse(b.Status) > worse(a.Status) {
		a.Status, a.Reason, a.Basis = b.Status, b.Reason, b.Basis
	}
	scope := func(x, y sinew.Scope) sinew.Scope {
		j := sinew.Scope{All: x.All && y.All, Include: append(x.Include, y.Include...), Exclude: append(x.Exclude, y.Exclude...)}
		slices.Sort(j.Include)
		slices.Sort(j.Exclude)
		j.Include, j.Exclude = slices.Compact(j.Include), slices.Compact(j.Exclude)
		return j
	}
	if a.Commit != b.Commit {
		a.Commit = ""
	}
	if a.Digest != b.Digest {
		a.Digest = ""
	}
	a.Rules, a.Paths, a.Hosts = scope(a.Rules, b.Rules), scope(a.Paths, b.Paths), scope(a.Hosts, b.Hosts)
	return a
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

// collectSecrets learns the values of all rows before the first is mapped, since
// a value may be told by an earlier row than the one that calls it a secret.
func (p *parse) collectSecrets(e *env, doc document) error {
	p.notes.quiet = true
	defer func() { p.notes.quiet = false }()
	n := 0
	return doc.rows(func(r *row) error {
		for _, i := range r.specs {
			if prog := e.variant.rows[i].secret; prog != nil {
				if err := e.secretsOf(prog, r, r.input(doc.head(), n), func(s rowSecret) error { return p.secrets.add(s.text, s.number, p.redactor, r) }); err != nil {
					return rowError(err, r)
				}
			}
		}
		n++
		return nil
	})
}

// secretsOf gives the values that a row calls secrets and does not hide itself.
func (e *env) secretsOf(prog *program, r *row, in any, add func(rowSecret) error) error {
	return e.machine.run(prog, in, r.keys, func(v any) error {
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

// mapper gives what the rows say to the sink.
type mapper struct {
	*parse
	env   *env
	head  any
	first any // the first row, for programs about the whole report
	own   []localSecret
	count int // findings of this file
}

func (m *mapper) veil() *veil {
	return &veil{token: m.redactor.Token, text: m.redact, key: m.secrets.replaceKey, own: m.own}
}

func (m *mapper) redact(s string) string { return m.secrets.replace(s, m.own) }

func (m *mapper) row(r *row, n int) error {
	if m.first == nil {
		m.first = r.value
	}
	in := r.input(m.head, n)
	for _, i := range r.specs {
		if err := m.spec(m.env.variant.rows[i], r, in); err != nil {
			return rowError(err, r)
		}
	}
	return nil
}

func (m *mapper) spec(s *rowSpec, r *row, in map[string]any) error {
	m.own = nil
	token := ""
	if s.secret != nil {
		var values []rowSecret
		if err := m.env.secretsOf(s.secret, r, in, func(v rowSecret) error { values = append(values, v); return nil }); err != nil {
			return err
		}
		m.own = own(values, m.redactor)
		if len(values) > 0 {
			token = m.redactor.Token(values[0].text)
		}
	}
	if s.finding != nil {
		if err := m.env.machine.run(s.finding, in, r.keys, func(v any) error { return m.finding(v, r, token) }); err != nil {
			return err
		}
	}
	for _, prog := range []*program{s.asset, s.relation} {
		if prog == nil {
			continue
		}
		if err := m.env.machine.run(prog, in, r.keys, m.asset); err != nil {
			return err
		}
	}
	if s.withdraw != nil {
		return m.env.machine.run(s.withdraw, in, r.keys, func(v any) error {
			if id := m.redact(textOf(v)); id != "" {
				return m.keep("w"+id, sinew.SnapshotBody{Withdraw: cutText(id, maxName)})
			}
			return nil
		})
	}
	return nil
}

func (m *mapper) finding(v any, r *row, token string) error {
	if v == nil {
		return nil
	}
	if m.findings >= m.limits.Findings {
		return tooLarge("", "the report has more than %d findings", m.limits.Findings).Hint("split the report")
	}
	o, err := observation(v, m.env.variant.format.ID, r.where(), m.veil(), &m.notes)
	if err != nil {
		return err
	}
	if o.Secret == "" {
		o.Secret = token
	}
	m.findings++
	m.count++
	if err := m.sink(sinew.SnapshotBody{Observation: o}); err != nil {
		return &sinkError{err}
	}
	return nil
}

// asset takes what an asset or relation program gave: {kind, key, ...} or
// {kind, from, to}.
func (m *mapper) asset(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		for _, e := range v {
			if err := m.asset(e); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		f := &fielder{m: v, veil: m.veil(), notes: &m.notes}
		if _, ok := v["from"]; ok {
			rel := f.relation()
			if f.err != nil {
				return f.err
			}
			if err := rel.Validate(); err != nil {
				return err
			}
			return m.keep("r"+string(rel.Kind)+"\x00"+rel.From.String()+"\x00"+rel.To.String(), sinew.SnapshotBody{Relation: rel})
		}
		a := f.asset()
		if f.err != nil {
			return f.err
		}
		if err := a.Validate(); err != nil {
			return err
		}
		return m.keep("a"+string(a.Kind)+"\x00"+a.Key, sinew.SnapshotBody{Asset: a})
	}
	return invalid("", "the mapping gives an asset that is %s, expected an object", jqType(v)).Hint("correct the mapping")
}

const maxSeen = 200_000

// keep stores a line that comes after the observations. The same asset is told
// by many rows; it is kept once, as long as what was seen fits in memory.
func (m *mapper) keep(key string, b sinew.SnapshotBody) error {
	if m.seen[key] {
		return nil
	}
	if len(m.seen) < maxSeen {
		m.seen[key] = true
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("keep %q: %w", key, err)
	}
	at, err := m.later.add(text)
	if err != nil {
		return err
	}
	m.marks[key[0]] = append(m.marks[key[0]], at)
	return nil
}

func (f *fielder) asset() *sinew.Asset {
	f.unknown("asset.", []string{"kind", "key", "subtype", "name", "props"})
	a := &sinew.Asset{Kind: sinew.AssetKind(f.string("kind", 100)), Key: f.string("key", maxName), Subtype: f.string("subtype", 500), Name: f.string("name", maxName)}
	if p := f.object("props", sortedKeysOf(f.m["props"])...); p != nil {
		for _, k := range sortedKeys(p.m) {
			if s := p.string(k, maxName); s != "" && len(a.Props) < 200 {
				if a.Props == nil {
					a.Props = map[string]string{}
				}
				a.Props[cutText(f.veil.key(k), 200)] = s
			}
		}
		f.err = errors.Join(f.err, p.err)
	}
	return a
}

func (f *fielder) relation() *sinew.Relation {
	f.unknown("relation.", []string{"kind", "from", "to", "confidence", "method"})
	return &sinew.Relation{
		Kind: sinew.EdgeKind(f.string("kind", 100)), From: f.end("from"), To: f.end("to"),
		Confidence: min(f.int("confidence"), 100), Method: f.string("method", 200),
	}
}

func (f *fielder) end(field string) sinew.AssetKey {
	if s, ok := f.m[field].(string); ok {
		k, err := sinew.ParseAssetKey(f.veil.text(s))
		if err != nil {
			f.fail(field, "%v", err)
		}
		return k
	}
	e := f.object(field, "kind", "key")
	if e == nil {
		f.fail(field, "expected kind:key or {kind, key}")
		return sinew.AssetKey{}
	}
	return sinew.AssetKey{Kind: sinew.AssetKind(e.string("kind", 100)), Key: e.string("key", maxName)}
}

// finish runs the programs about the report as a whole.
func (m *mapper) finish(rows int) (*Result, error) {
	m.own = nil
	v := m.env.variant
	in := map[string]any{"head": m.head, "first": m.first, "rows": rows, "findings": m.count}
	if v.assets != nil {
		if err := m.env.machine.run(v.assets, in, nil, m.asset); err != nil {
			return nil, err
		}
	}
	if v.notes != nil {
		err := m.env.machine.run(v.notes, in, nil, func(v any) error {
			eachText(v, func(s string) { m.parse.notes.add("report: "+s, cutText(m.redact(s), maxTitle)) })
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	s := sinew.Snapshot{
		Schema: sinew.SnapshotSchema, Mode: sinew.ModeComplete,
		Format: v.format.Ref(), FormatSHA: v.format.Digest, ToolName: v.format.Name,
	}
	s.Stream.Tool = v.format.ID
	if v.stream != nil {
		out, err := m.env.machine.one(v.stream, in, nil)
		if err != nil {
			return nil, err
		}
		if err := m.stream(&s, out); err != nil {
			return nil, err
		}
	}
	if v.coverage != nil {
		out, err := m.env.machine.one(v.coverage, in, nil)
		if err != nil {
			return nil, err
		}
		if err := m.coverage(&s, out); err != nil {
			return nil, err
		}
	}
	return &Result{Format: v.format, Snapshot: s, Secrets: &m.secrets}, nil
}

// stream reads {tool, target, ref, label, tool_name, tool_version, at, commit,
// digest, mode}.
func (m *mapper) stream(s *sinew.Snapshot, v any) error {
	if v == nil {
		return nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		return invalid("", "the mapping's stream is %s, expected an object", jqType(v)).Hint("correct the mapping")
	}
	f := &fielder{m: o, where: "stream", veil: m.veil(), notes: &m.parse.notes}
	f.unknown("stream.", []string{"tool", "target", "ref", "label", "tool_name", "tool_version", "at", "commit", "digest", "mode"})
	if t := f.string("tool", 200); t != "" {
		s.Stream.Tool = t
	}
	s.Stream.Target, s.Stream.Ref, s.Stream.Label = f.string("target", maxName), f.string("ref", maxName), f.string("label", 500)
	if t := f.string("tool_name", 500); t != "" {
		s.ToolName = t
	}
	s.ToolVer, s.Commit, s.Digest = f.string("tool_version", 200), f.string("commit", 200), f.string("digest", 200)
	if t := f.time("at"); t != nil {
		s.ReportedAt = t.Truncate(time.Microsecond)
	}
	switch mode := sinew.Mode(f.string("mode", 40)); mode {
	case "":
	case sinew.ModeComplete, sinew.ModeDelta, sinew.ModeWindow:
		s.Mode = mode
	default:
		f.fail("mode", "%q, expected complete, delta or window", mode)
	}
	return f.err
}

// coverage reads {status, reason, basis, commit, digest, rules, paths, hosts};
// a scope is "all", an array of globs, or {all, include, exclude}.
func (m *mapper) coverage(s *sinew.Snapshot, v any) error {
	if v == nil {
		return nil
	}
	o, ok := v.(map[string]any)
	if !ok {
		return invalid("", "the mapping's coverage is %s, expected an object", jqType(v)).Hint("correct the mapping")
	}
	f := &fielder{m: o, where: "coverage", veil: m.veil(), notes: &m.parse.notes}
	f.unknown("coverage.", []string{"status", "reason", "basis", "commit", "digest", "rules", "paths", "hosts"})
	c := sinew.Coverage{
		Status: sinew.CoverageStatus(f.string("status", 40)), Reason: f.string("reason", maxTitle), Basis: sinew.Basis(f.string("basis", 40)),
		Commit: f.string("commit", 200), Digest: f.string("digest", 200),
		Rules: f.scope("rules"), Paths: f.scope("paths"), Hosts: f.scope("hosts"),
	}
	if c.Basis == sinew.BasisNone && c.Status != sinew.CoverageUnknown {
		c.Basis = sinew.BasisProven
	}
	if f.err != nil {
		return f.err
	}
	s.Coverage = c
	if s.Commit == "" {
		s.Commit = c.Commit
	}
	if s.Digest == "" {
		s.Digest = c.Digest
	}
	return c.Validate()
}

const maxScope = 200_000

func (f *fielder) scope(field string) sinew.Scope {
	texts := func(v any) []string {
		var out []string
		items, ok := v.([]any)
		if !ok && v != nil {
			f.fail(field, "expected an array of patterns, got %s", jqType(v))
		}
		for _, e := range items[:min(len(items), maxScope)] {
			if s := f.stringOf(field, e, maxName); s != "" {
				out = append(out, s)
			}
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	switch v := f.m[field].(type) {
	case nil:
	case string:
		if v != "all" {
			f.fail(field, "%q, expected \"all\", an array or {all, include, exclude}", cutText(v, 40))
		}
		return sinew.Scope{All: true}
	case []any:
		return sinew.Scope{Include: texts(v)}
	case map[string]any:
		all, _ := v["all"].(bool)
		return sinew.Scope{All: all, Include: texts(v["include"]), Exclude: texts(v["exclude"])}
	default:
		f.fail(field, "expected \"all\", an array or {all, include, exclude}")
	}
	return sinew.Scope{}
}
