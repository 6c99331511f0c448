package format

import (
	"fmt"
	"strings"
	"testing"
)

// Row ING6: a coverage lists what a long report looked at, each once and in the
// order of the report, also where the table is larger than memory.
func TestKeysOf(t *testing.T) {
	e := engineOf(t, `
detect: { json: 'has("r")' }
index: { seen: { path: '.r[]', key: '"r\(.rule)", "p\(.path)"', value: .pad } }
rows: [{ path: '.r[]', finding: empty }]
stream: '{target: "\(keys_of("seen") | length) \(keys_of("seen")[:4] | join(" ")) \(keys_of("none") | length)"}'
`)
	var b strings.Builder
	pad := strings.Repeat("x", 1000)
	b.WriteString(`{"r": [{"rule": "first", "path": "a"}`)
	const n = 20_000 // records of 20 MB; 8 MiB of them stay in memory
	for i := range n {
		fmt.Fprintf(&b, `,{"rule": "%d", "path": "dir/%d", "pad": %q}`, i%50, i, pad)
	}
	b.WriteString(`]}`)
	p, res := parseBytes(t, e, "x", []byte(b.String()), Options{})
	if p.Error != "" {
		t.Fatal(p.Error)
	}
	if want := fmt.Sprintf("%d rfirst pa r0 pdir/0 0", 2+50+n); res.Snapshot.Stream.Target != want {
		t.Errorf("target %q, want %q", res.Snapshot.Stream.Target, want)
	}
}
