package format

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// What a report says as a whole: its stream, its coverage, and the assets that
// are told outside the rows.

// finish runs the programs about the report as a whole.
func (m *mapper) finish(rows int) (*Result, error) {
	v := m.env.variant
	in := map[string]any{"head": m.head, "first": m.first, "rows": rows, "findings": m.count}
	if v.assets != nil {
		out := &said{}
		err := m.env.machine.run(v.assets, in, nil, func(v any) error { return out.asset(v, m.veil(nil), m.env.notes) })
		if err != nil {
			return nil, err
		}
		if err := m.take(out); err != nil {
			return nil, err
		}
	}
	if v.notes != nil {
		err := m.env.machine.run(v.notes, in, nil, func(v any) error {
			eachText(v, func(s string) { m.notes.add("report: "+s, cutText(m.veil(nil).text(s), maxTitle)) })
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
	f := &fielder{m: o, where: func() string { return "stream" }, veil: m.veil(nil), notes: &m.notes}
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
	f := &fielder{m: o, where: func() string { return "coverage" }, veil: m.veil(nil), notes: &m.notes}
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

// join adds the result of one more file of an archive. They are one report, so
// they must be about one thing.
func (p *parse) join(all, r *Result, u unit) (*Result, error) {
	if all == nil {
		return r, nil
	}
	a, b := &all.Snapshot, &r.Snapshot
	var same bool
	if a.Stream, same = joinStreams(a.Stream, b.Stream); !same {
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

// joinStreams is the stream of an archive of which two files tell a and b. What
// one leaves untold the other may tell, as pages of a list do; labels are joined,
// since all kinds together are a configuration of their own.
func joinStreams(a, b sinew.Stream) (sinew.Stream, bool) {
	ok := true
	told := func(x, y string) string {
		if x != "" && y != "" && x != y {
			ok = false
		}
		return cmp.Or(x, y)
	}
	labels := append(strings.Split(a.Label, "+"), strings.Split(b.Label, "+")...)
	slices.Sort(labels)
	labels = slices.DeleteFunc(slices.Compact(labels), func(l string) bool { return l == "" })
	return sinew.Stream{
		Source: told(a.Source, b.Source), Tool: told(a.Tool, b.Tool), Target: told(a.Target, b.Target), Ref: told(a.Ref, b.Ref),
		Label: strings.Join(labels, "+"),
	}, ok
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
