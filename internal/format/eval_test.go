package format

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every construct gives with closures what it gives with gojq, or leaves the
// input to it.
func TestCompiledLikeGojq(t *testing.T) {
	t.Parallel()
	programs := strings.Split(strings.TrimSpace(`
.
.a, .b.c, .l[0], .l[-1], .l[9], .l[1:], .l[:2], .l[-2:], .t[:3], .u[:2], .u[1:], .t[2:100]
.l[]?, .a[]?, .o[]?
(1,2) + (10,20)
{a: (1,2), b: (3,4)}
{(.k, "y"): (1,2), z: 3}
"\(1,2) \(.a, .l)"
[.l[] | select(. > 1)] | map(. + 1)
.missing // .a // 3
(.l[] | select(. > 1)) // "none"
[.n, false, 1] | map(. // "x")
if .a then 1 elif .b then 2 else 3 end, (if .n then 1 end)
[.l[] as $x | .l[] as $y | [$x, $y]]
. as {a: $q} | $q
[1, [2, 3]] as [$p, [$q]] | $p + $q
reduce .l[] as $x (0; . + $x)
reduce .l[] as $x ([]; if any(.[]; . == $x) then . else . + [$x] end)
[limit(2; .l[])], [limit(0; .l[])], first(.l[]), [first(empty)], isempty(.l[]), isempty(empty)
any(.l[]; . > 2), all(.l[]; . > 0), ([] | any, all), (.l | any(. == 3))
.t | test("B"; "i"), test("x"), sub("b"; "[\(.)]"), gsub("[ab]"; "<\(.)>"), sub("(?<x>a)"; "\(.x)\(.x)")
.t | capture("(?<f>a)(?<g>z)?"), [scan("[a-c]")], [splits("b")], [match("b"; "g").offset]
.t | split("b"), ascii_downcase, length, utf8bytelength, startswith("a"), endswith("c"), ltrimstr("a"), rtrimstr("c"), contains("bc"), trim, explode
"" | split(","), length, trim
.o | to_entries, keys, with_entries(select(.value != 2)), map_values(. + 1), add, length, has("x")
[.o | to_entries[] | {key, value: (.value | tostring)}] | from_entries
.l | sort_by(-.), unique, reverse, join("-"), add, index(2), flatten, tojson, min, max, group_by(. > 1), unique_by(. > 1)
[paths(scalars)], [paths(type == "array")]
[..] | length
[recurse(if . == 0 then empty else . - 1 end)]?
[.a | recurse(if . < 3 then . + 1 else empty end)]
first_of(.n, "", .a), first_of(empty), first_of(.n, false), ([.l[] | first_of(select(. > 1), 9)])
nonblank, (.n | nonblank), ([] | nonblank)
def f($x; g): [$x, g]; f(.a, 2; .l[])
def fac: if . < 2 then 1 else . - 1 | fac as $y | $y + . end; .l[2] | fac
def up($n): if $n > 3 then [] else [$n] + up($n + 1) end; up(0)
def r($n): if $n > 5000 then $n else r($n + 1) end; r(0)
def f(g): [g, (g | g)]; f(. as $x | 1), f(f(2))
def even($n): if $n == 0 then true else odd($n - 1) end; 1
.t | gsub("[ab]"; ""), sub("b"; "Q"), sub("z"; "Q"), gsub("b"; "bb")
.l - [2], (.l - [.a, 3]), ([1, 1.0, "1", null] - [1]), ([] - [1])
label $out | .l[] | if . > 2 then break $out else . end
[.l[] | try error("x") catch .], [.l[] | error("y")?], (try .a.b catch "no")
[.a.b?, .l.x?, (.t | tonumber?)], ([1, "2"] | map(tonumber))
.a.b
.l + 1
.a = 5 | .b.c += 1 | .n //= 7 | .l |= length
.o.x |= empty
del(.a) | keys
IN(.l[]; 3), (2 | IN(1, 2)), ("b" | IN("a", "c"))
[range(3)], [range(1; 3)], [range(0; 6; 2)]
{a, "b", "c d": 1, "\(.t)": 2, $__loc__: 1}?
{a, b, k} | .k, (.b | type)
.t as $t | {$t, x: $t}
@json, (.t | @uri), @text "v: \(.a)"
-(.a), (.a - 3), (.a * 2), (.a / 2), (.l - [1])
.l | .[1] as $i | {i: $i} | . + {j: 2}
.a == 1 and .t == "abc" or false, (.n | not), ((true, false) and (true, false)), ((true, false) or (true, false))
[.l[] | . == (1, 2)], .l < .o, .f > 1, (.f | tostring), .big, (.big | tostring), .big == .big
.o | to_entries | map("\(.key)=\(.value)") | join(",")
severity, (.t | tokey, md), (.l | text), ({u: null, v: [""]} | prune), ("CWE-79" | cwes), purl("npm"; null; "a"; "1")
lookup("none"; .t), list, (.n | list), ts?, int?
[.l[] | {v: .} | .v] | last, first, .[0]
map_values(empty)
[.[] | numbers, strings, objects, arrays, nulls, booleans, scalars, values] | length
input_line
$keys, ($keys | length)
.l as [$a, $b] | [$b, $a]
[.l[] | if . == 1 then empty elif . == 2 then (., .) else . end]
[.l | .[] += 1]
until(.a > 3; .a += 1) | .a
[while(.a < 3; .a += 1) | .a]
[foreach .l[] as $x (0; . + $x)]
. as $d | [.l[] | $d.o[("x", "y")]]
[.l[] | tostring | "n\(.)"] | any(.[]; endswith("3"))
.t[1:2], .u[0:1], .l[.a:], .l[.a:.a]
("1.50", "7", "007", "1.", ".5", "1e3", "-2", "+1", "12345678901234567890", "1.2.3", "", "x") | tonumber?
.t > "abb", .t < "b", .u > .t, "z" < .u, .t >= .t, .a > .t, .a <= 1, .f < 2, 2 > .f
[.l[] | [.[]?]], [.a[]?, .t[]?, .n[]?, .z[]?], [.o[]?]
[.l[] as $x | [.l[] | select(. > $x) | [., [$x]]]]
label $out | [.l[] | [., if . > 1 then break $out else . end]]
[.l[] | [., (try ([1, error("x")]) catch 0)]], [.l[] | [[1, error("x")]?]]
[first([.l[], [.l[]]][]), ([.l[] | [.]] | first)], [limit(2; .l[] | [., [.]])]
.l | any(. > 2), all(. > 0), any(. > 9), all(. > 1), any(error("x"))?, any(.[]?)
.o | any(. > 1), all(. > 1)
[[[], [""], [[null, [1, [], ""]]], {a: {b: []}}, {a: {b: [1]}, c: null}], {x: [[[[]]]], y: 1}] | prune
`), "\n")
	var input any
	dec := json.NewDecoder(strings.NewReader(`{"a":1,"b":{"c":2},"l":[1,2,3],"t":"abc","u":"äöü","o":{"x":1,"y":2},"k":"kk","n":null,"f":1.5,"e":[],"s":["p"],"z":true}`))
	if err := dec.Decode(&input); err != nil {
		t.Fatal(err)
	}
	input = wholes(input)
	input.(map[string]any)["big"] = json.Number("123456789012345678901234567890")
	c := newClock(context.Background(), time.Minute, time.Minute)
	defer c.stop()
	limits := Limits{}.WithDefaults()
	fast, total := 0, 0
	for _, text := range programs {
		for _, in := range []any{input, nil, "abc", 3, []any{1, map[string]any{"a": 2}}} {
			p := &program{what: "test", file: "test", src: source{text: text, line: 1}}
			if p.check() != nil {
				continue
			}
			m := newMachine(c, limits, nil)
			m.tables = newTables(t.TempDir(), limits)
			run := func(f func(*program, any, []any, func(any) error) error) (out []any, msg string) {
				if err := f(p, in, []any{1, "k"}, func(v any) error { out = append(out, v); return nil }); err != nil {
					return nil, err.Error()
				}
				return out, ""
			}
			total++
			if p.fast != nil {
				e := newEval(c, m.tables, p.fast)
				if _, err := p.fast.run(e, in, []any{1, "k"}, 100); err == nil {
					fast++
				}
			}
			got, err1 := run(m.run)
			want, err2 := run(m.runSlow)
			if err1 != err2 || !reflect.DeepEqual(got, want) {
				t.Errorf("%s\non %v\ngives %v %s\ngojq  %v %s", text, in, got, err1, want, err2)
			}
		}
	}
	t.Logf("%d of %d by closures", fast, total)
	if fast < total/4 {
		t.Errorf("only %d of %d were run by closures", fast, total)
	}
}

// wholes makes whole numbers of JSON ints, as the readers do.
func wholes(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = wholes(x)
		}
	case []any:
		for i, x := range v {
			v[i] = wholes(x)
		}
	case float64:
		if v == float64(int(v)) {
			return int(v)
		}
	}
	return v
}

// A program that does not end is stopped, also as closures.
func TestCompiledIsStopped(t *testing.T) {
	t.Parallel()
	limits := Limits{}.WithDefaults()
	limits.RowTime = 100 * time.Millisecond
	for _, text := range []string{
		`[range(1000000000) | select(. < 0)]`,
		`reduce range(1000000000) as $i (0; $i)`,
		`first(range(100000) as $a | range(100000) as $b | select($a + $b < 0))`,
		`def f: if . < 0 then 1 else [f, f] | length end; 1 | f`,
		`[recurse(.)] | length`,
	} {
		c := newClock(context.Background(), limits.RowTime, time.Minute)
		m := newMachine(c, limits, nil)
		p := &program{what: "test", file: "test", src: source{text: text, line: 1}}
		start := time.Now()
		err := m.run(p, map[string]any{}, nil, func(any) error { return nil })
		if err == nil || time.Since(start) > 20*time.Second {
			t.Errorf("%s: %v after %v", text, err, time.Since(start))
		}
		c.stop()
	}
}
