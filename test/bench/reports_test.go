package bench

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// report is a file made for a benchmark.
type report struct {
	path string
	rows int
	size int64
}

// amount is how much a report holds: that many rows, or, if bytes are given, as
// many as these need. shift is by how many lines all findings moved.
type amount struct {
	rows  int
	bytes int64
	shift int
	tool  string // of the report; BenchScan if empty
	apart bool   // in files that no other tool speaks of
}

func (a amount) more(row int, written int64) bool {
	if a.bytes > 0 {
		return written < a.bytes
	}
	return row < a.rows
}

// generator writes a report and returns how many rows it has.
type generator func(w *counted) (rows int, err error)

// counted knows how much was written to it.
type counted struct {
	*bufio.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

func (c *counted) WriteString(s string) (int, error) { return c.Write([]byte(s)) }

// reportFile writes a report, once for each name.
func reportFile(b *testing.B, name string, generate generator) report {
	b.Helper()
	if r, ok := reports[name]; ok {
		return r
	}
	path := filepath.Join(workDir, name)
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := &counted{Writer: bufio.NewWriterSize(f, 1<<20)}
	rows, err := generate(w)
	if err = errors.Join(err, w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	reports[name] = report{path, rows, w.n}
	return reports[name]
}

var reports = map[string]report{}

// drop removes a report, which may be large.
func (r report) drop(b *testing.B) {
	b.Helper()
	delete(reports, filepath.Base(r.path))
	if err := os.Remove(r.path); err != nil {
		b.Fatal(err)
	}
}

// sarif writes results of about 0.8 KB each, spread over rules, files and levels
// like those of a large monorepo. Two runs of the same amount tell the same
// findings in other bytes.
func sarif(a amount, run int) generator {
	levels := []string{"error", "warning", "note"}
	return func(w *counted) (int, error) {
		const rules = 200
		fmt.Fprintf(w, `{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"automationDetails":{"guid":"00000000-0000-4000-8000-%012d"},"invocations":[{"executionSuccessful":true}],"tool":{"driver":{"name":"%s","semanticVersion":"1.4.2","rules":[`, run, cmp.Or(a.tool, "BenchScan"))
		for r := range rules {
			if r > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"id":"BENCH%03d","name":"Rule%d","shortDescription":{"text":"Untrusted data reaches operation %d"},"help":{"markdown":"Validate the input of operation %d before use. Prefer the parameterised form."},"properties":{"tags":["security","external/cwe/cwe-%d"],"security-severity":"%d.%d"}}`, r, r, r, r, 20+r%700, 1+r%9, r%10)
		}
		io.WriteString(w, `]}},"results":[`)
		own := "" // of the names of files that no other tool speaks of
		if a.apart {
			own = a.tool
		}
		i := 0
		for ; a.more(i, w.n); i++ {
			if i > 0 {
				io.WriteString(w, ",\n")
			}
			line := 10 + i%1900 + a.shift
			_, err := fmt.Fprintf(w, `{"ruleId":"BENCH%03d","ruleIndex":%d,"level":"%s","message":{"text":"The value read from request parameter 'p%d' flows into operation %d without validation; an attacker who controls it can change the meaning of the call. The flow has %d steps and crosses %d functions."},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"services/area%02d/component%03d/src/%smodule_%05d.java","uriBaseId":"%%SRCROOT%%"},"region":{"startLine":%d,"startColumn":9,"endLine":%d,"endColumn":57,"snippet":{"text":"        return repository.find(request.getParameter(\"p%d\"), limit_%d);"}}},"logicalLocations":[{"fullyQualifiedName":"org.example.area%02d.Component%03d.handle%d"}]}],"partialFingerprints":{"primaryLocationLineHash":"%016x:1"},"properties":{"precision":"high","confidence":0.%d}}`,
				i%rules, i%rules, levels[i%3], i, i%rules, 2+i%9, 1+i%4, i%40, i%400, own, i%20000, line, line+1, i, i, i%40, i%400, i, uint64(i)*0x9e3779b97f4a7c15, 50+i%50)
			if err != nil {
				return i, err
			}
		}
		_, err := io.WriteString(w, `]}]}`)
		return i, err
	}
}

// nessus writes hosts with 100 items each, about 1.6 KB an item.
func nessus(a amount) generator {
	return func(w *counted) (int, error) {
		io.WriteString(w, `<?xml version="1.0" ?><NessusClientData_v2><Policy><policyName>Bench</policyName></Policy><Report name="bench" xmlns:cm="http://www.nessus.org/cm">`)
		const perHost = 100
		i := 0
		for ; a.more(i, w.n); i++ {
			if i%perHost == 0 {
				if i > 0 {
					io.WriteString(w, "</ReportHost>\n")
				}
				h := i / perHost
				fmt.Fprintf(w, `<ReportHost name="10.%d.%d.%d"><HostProperties><tag name="HOST_START">Sat Nov 14 02:00:00 2026</tag><tag name="host-ip">10.%d.%d.%d</tag><tag name="operating-system">Linux Kernel 6.1 on Debian 12</tag><tag name="HOST_END">Sat Nov 14 02:09:00 2026</tag></HostProperties>`, h>>16&255, h>>8&255, h&255, h>>16&255, h>>8&255, h&255)
			}
			_, err := fmt.Fprintf(w, `<ReportItem port="%d" svc_name="www" protocol="tcp" severity="%d" pluginID="%d" pluginName="Example Server &lt; %d.%d Multiple Vulnerabilities" pluginFamily="Web Servers"><cvss3_base_score>%d.%d</cvss3_base_score><cvss3_vector>CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H</cvss3_vector><cve>CVE-2025-%d</cve><cwe>%d</cwe><description>According to its banner, the version of Example Server that answers on this port is older than the first release that repairs a number of faults. %s</description><fname>example_%d.nasl</fname><plugin_modification_date>2026/10/01</plugin_modification_date><plugin_publication_date>2025/03/04</plugin_publication_date><plugin_type>remote</plugin_type><risk_factor>High</risk_factor><see_also>https://www.example.org/advisory/%d</see_also><solution>Upgrade Example Server to the release named in the advisory, or later.</solution><synopsis>The remote web server is affected by several vulnerabilities.</synopsis><plugin_output>
  URL               : http://10.0.0.1/
  Installed version : 2.%d.0
  Fixed version     : 2.%d.1
</plugin_output></ReportItem>`,
				1+i%perHost*13, i%5, 10000+i%perHost, i%9, i%10, i%10, i%10, 1000+i%50000, 20+i%700, filler, i%perHost, i, i%40, i%40)
			if err != nil {
				return i, err
			}
		}
		_, err := io.WriteString(w, `</ReportHost></Report></NessusClientData_v2>`)
		return i, err
	}
}

const filler = "It may let an unauthenticated, remote attacker run code of his choice with the rights of the service, read files outside the document root, or exhaust memory by a crafted sequence of requests. The check relies on the self-reported version number alone and has not tried to exploit any of these; a distribution that repairs faults without changing the number is reported all the same, and the finding is then to be marked as a false positive with the name of the package that carries the repair."
