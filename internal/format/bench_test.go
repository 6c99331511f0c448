package format

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// benchReport is a report of n findings of about 1.1 KB, as scanners of packages
// write them.
func benchReport(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"SchemaVersion": 2, "ArtifactName": "registry.example.org/shop/web:1.2", "Results": [{"Target": "debian 12", "Class": "os-pkgs", "Type": "debian", "Vulnerabilities": [`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"VulnerabilityID": "CVE-2024-%05d", "PkgID": "openssl@3.0.%d", "PkgName": "openssl", "PkgIdentifier": {"PURL": "pkg:deb/debian/openssl@3.0.%d?arch=amd64"},
 "InstalledVersion": "3.0.%d", "FixedVersion": "3.0.%d, 3.1.1", "Status": "fixed", "Layer": {"DiffID": "sha256:4e006334a6fdea37622f72b21eb75fe1484fc4f20ce8b8526187d6f7bd90a6fe"},
 "SeveritySource": "nvd", "PrimaryURL": "https://avd.aquasec.com/nvd/cve-2024-%05d", "Title": "openssl: possible denial of service number %d",
 "Description": "%s", "Severity": "HIGH", "CweIDs": ["CWE-400", "CWE-20"],
 "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "V3Score": 7.5}}, "References": ["https://a.example.org/%d", "https://b.example.org/%d", "https://c.example.org/x"],
 "PublishedDate": "2024-01-02T03:04:05Z", "LastModifiedDate": "2024-02-03T04:05:06.123Z"}`,
			i, i, i, i, i+1, i, i, strings.Repeat("A checking function of keys may be slow. ", 6), i, i)
	}
	b.WriteString(`]}]}`)
	return b.Bytes()
}

const benchMapping = `
detect: { json: 'has("SchemaVersion") and has("Results")' }
rows:
  - path: .Results[].Vulnerabilities[]
    finding: |
      .parent as $p | .head as $h | .row
      | {rule: .VulnerabilityID, title: .Title, description: .Description, severity: (.Severity | severity("info")), tool_severity: .Severity,
         cwe: (.CweIDs | cwes), ids: [.VulnerabilityID], cvss: [.CVSS[]? | cvss(.V3Vector; .V3Score)],
         file: null, package: {name: .PkgName, version: .InstalledVersion, purl: .PkgIdentifier.PURL, fixed: (.FixedVersion // "" | split(", ")), path: $p.Target},
         image: $h.ArtifactName, tool_id: "\(.VulnerabilityID)@\(.PkgName)", status: "open", at: .PublishedDate, refs: [.PrimaryURL, .References[]?],
         tags: [$p.Class, $p.Type], fix: (if .FixedVersion then "Upgrade \(.PkgName) to \(.FixedVersion)." else null end), extra: {layer: .Layer.DiffID, source: .SeveritySource}}
`

// BenchmarkFirstReport is what a process pays for the mappings that there are: it
// reads them all, detects a small report and maps it.
func BenchmarkFirstReport(b *testing.B) {
	for _, name := range []string{"gosec/version2.json", "nmap/scan.xml"} {
		data, err := os.ReadFile("../../formats/testdata/" + name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				opt := Options{Lines: func([]byte) error { return nil }}
				if _, err := shipped(b).Parse(context.Background(), Input{Name: "r", R: bytes.NewReader(data), Size: int64(len(data))}, opt, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	data := benchReport(20_000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sc := jsonScanner{w: newWindow(bytes.NewReader(data)), depth: 512}
		j := jsonDocument{sc: &sc, d: &decoder{limits: Limits{}.WithDefaults()}}
		rows := 0
		var visit func(depth int) error
		visit = func(depth int) error {
			c, err := sc.token()
			if err != nil {
				return err
			}
			switch {
			case depth < 4 && c == '{':
				return j.members(func(string, []byte) error { return visit(depth + 1) })
			case depth < 4 && c == '[':
				return j.elements(func(int) error { return visit(depth + 1) })
			}
			rows++
			_, err = sc.value(8 << 20)
			return err
		}
		if err := visit(0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	data := benchReport(2_000)
	d := decoder{limits: Limits{}.WithDefaults()}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.decode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMap(b *testing.B) {
	e := engineOf(b, benchMapping)
	const n = 5_000
	data := benchReport(n)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	findings := 0
	for b.Loop() {
		_, err := e.Parse(context.Background(), Input{Name: "r", R: bytes.NewReader(data), Size: int64(len(data))}, Options{},
			func(sinew.SnapshotBody) error { findings++; return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(findings)/b.Elapsed().Seconds(), "findings/s")
}

func BenchmarkRedact(b *testing.B) {
	data := benchReport(5_000)
	s := &Secrets{}
	for i := range 1000 {
		if err := s.add(fmt.Sprintf("s3cret-%d", i), false, NewRedactor([]byte("k"), "k"), &row{}); err != nil {
			b.Fatal(err)
		}
	}
	s.seal()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := Redact(context.Background(), Input{R: bytes.NewReader(data), Size: int64(len(data))}, s, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
