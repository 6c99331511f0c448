package formats_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/format/formattest"
	"github.com/sinewsec/sinew/internal/sinew"
)

var update = flag.Bool("update", false, "write goldens and docs/formats.md again")

// listed are the built-in formats. A mapping file that is not here fails
// TestListed, so that none comes or goes by accident.
var listed = []string{
	"appscan",
	"arachni",
	"asff",
	"aws_inspector",
	"bandit",
	"blackduck",
	"blackduck_binary",
	"brakeman",
	"burp",
	"checkmarx",
	"checkmarx_one",
	"checkmarx_osa",
	"checkov",
	"cyclonedx",
	"dependency_check",
	"dependency_track",
	"eslint",
	"fortify",
	"generic",
	"github_code_scanning",
	"github_dependabot",
	"github_secret_scanning",
	"gitlab",
	"gitleaks",
	"gosec",
	"govulncheck",
	"grype",
	"invicti",
	"jfrog_xray",
	"kics",
	"kubescape",
	"mend",
	"nessus",
	"nexpose",
	"nikto",
	"nmap",
	"npm_audit",
	"nuclei",
	"ocsf",
	"openvas",
	"openvex",
	"osv_scanner",
	"pip_audit",
	"qualys",
	"qualys_was",
	"sarif",
	"semgrep",
	"snyk",
	"sonarqube",
	"sonatype",
	"spdx",
	"spotbugs",
	"sslscan",
	"stackhawk",
	"terrascan",
	"testssl",
	"tfsec",
	"trivy",
	"trivy_operator",
	"trufflehog",
	"twistlock",
	"veracode",
	"veracode_sca",
	"wapiti",
	"webinspect",
	"wiz",
	"wizcli",
	"wpscan",
	"zap",
}

// builtIn is read once: every parse of every sample asks for it.
var builtIn = sync.OnceValues(func() (*format.Engine, error) { return format.New(formats.Files) })

func engine(t *testing.T) *format.Engine {
	t.Helper()
	e, err := builtIn()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestFormats shows rows ING1 and ING2: each mapping recognises its samples from
// their content and alone, gives what its goldens say, keeps secrets out, and
// bears broken input.
func TestFormats(t *testing.T) { formattest.Run(t, engine(t), "testdata", *update) }

// TestListed shows row ING2: a format is one mapping file.
func TestListed(t *testing.T) {
	var ids []string
	for _, f := range engine(t).Formats() {
		ids = append(ids, f.ID)
		if f.File != f.ID+".yaml" {
			t.Errorf("the format %s is in %s; call the file %s.yaml", f.ID, f.File, f.ID)
		}
	}
	if diff := cmp.Diff(listed, ids); diff != "" {
		t.Errorf("mapping files differ from the list in formats_test.go (-list +files); add or remove a line there:\n%s", diff)
	}
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !slices.Contains(listed, d.Name()) {
			t.Errorf("testdata/%s belongs to no format", d.Name())
		}
	}
}

// TestDocumented keeps docs/formats.md as the mapping files are.
func TestDocumented(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Report formats\n\nWritten by `go test ./formats -update`; do not edit. The format of a report is recognised from its content. " +
		"Another one is added with [one mapping file](adding-a-format.md).\n\n" +
		"| id | name | version | files | DefectDojo's names | samples |\n|---|---|---|---|---|---|\n")
	for _, f := range engine(t).Formats() {
		samples, err := formattest.Samples(filepath.Join("testdata", f.ID))
		if err != nil {
			t.Fatal(err)
		}
		name := f.Name
		if f.ID == "generic" {
			name = "[" + name + "](formats/generic.md)"
		}
		fmt.Fprintf(&b, "| [`%s`](../formats/%s) | %s | %d | %s | %s | %d |\n",
			f.ID, f.File, name, f.Version, strings.ToUpper(strings.Join(f.Kinds, ", ")), strings.Join(f.DefectDojo, ", "), len(samples))
	}
	file := filepath.Join("..", "docs", "formats.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/formats.md is not what the mapping files say; run go test ./formats -update (-have +want):\n%s", diff)
	}
}

// report is what comes out of a sample.
type report struct {
	snapshot sinew.Snapshot
	findings []*sinew.Observation
	lines    []sinew.SnapshotBody
}

func parse(t *testing.T, sample, id string) (report, error) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(sample)))
	if err != nil {
		t.Fatal(err)
	}
	return parseText(t, filepath.Base(sample), text, id)
}

func parseText(t *testing.T, name string, text []byte, id string) (report, error) {
	t.Helper()
	var r report
	in := format.Input{Name: name, R: bytes.NewReader(text), Size: int64(len(text))}
	res, err := engine(t).Parse(context.Background(), in, format.Options{Format: id}, func(b sinew.SnapshotBody) error {
		if b.Observation != nil {
			r.findings = append(r.findings, b.Observation)
		}
		r.lines = append(r.lines, b)
		return nil
	})
	if err != nil {
		return r, err
	}
	r.snapshot = res.Snapshot
	return r, nil
}

// TestCoverage shows row ING6: a mapping tells what a report proves, and nothing
// more. Findings close by it.
func TestCoverage(t *testing.T) {
	for _, tt := range []struct {
		sample, want string
	}{
		{"sarif/specification.sarif", "complete paths=src/orders.py,src/users.py without=src/legacy/broken.js"}, // lists no rules that only passed
		{"sarif/failed.sarif", "failed (out of memory) rules=js/one,js/two"},                                    // CodeQL lists what it ran
		{"sarif/partial.sarif", "partial (rule crashed)"},
		{"sarif/packages.sarif", "not told"}, // no invocation: nobody says how it went
		{"trivy/image.json", "complete digest"},
		{"trivy/cluster.json", "complete hosts=shop-eu/ClusterRole/admin-all,shop-eu/shop/Deployment/web"},
		{"trivy/repository.json", "complete"},
		{"trivy/legacy.json", "not told"},
		{"grype/image.json", "complete digest rules=all paths=all without=usr/share/doc/**"}, // what its rules ignore is listed, too
		{"grype/directory.json", "complete"},                                                 // old: shows no configuration
		{"snyk/project.json", "complete paths=web/package-lock.json"},
		{"snyk/all-projects.json", "partial (Dependencies could not be resolved in old/build.gradle) paths=api/pom.xml,jobs/pom.xml"},
		{"dependency_check/report.xml", "partial (Dependency-Check could not analyse everything: 1 exceptions)"},
		{"pip_audit/dependencies.json", "partial (not every package was audited, for example local-tool: Dependency not found on PyPI and could not be audited: local-tool (0.1))"},
		{"github_dependabot/graphql.json", "partial (the answer has more pages)"},
		{"github_dependabot/rest.json", "not told"}, // of which states nobody says
		{"gitlab/sast.json", "complete rules=python.sqli,python.xss"},
		{"gitlab/secrets.json", "failed (out of memory)"},
		{"gitlab/dependencies.json", "complete paths=api/pom.xml,web/package-lock.json"},
		{"gitlab/container.json", "complete digest"},
		{"gitlab/dast.json", "complete hosts=shop.example.org"},
		{"mend/platform.json", "partial (the answer has 1 of 3 findings)"},
		{"jfrog_xray/report.json", "partial (the report has 4 of 5 rows)"},
		{"spdx/image.spdx.json", "not told"}, // an inventory proves nothing absent
		{"openvex/statements.json", "not told"},
		{"gitleaks/version8.json", "not told"},
		{"cyclonedx/vulnerabilities.json", "not told digest"},
		{"nessus/network.nessus", "partial (the scan of 10.0.0.6 did not end) hosts=10.0.0.7,web-1.example.org"}, // without credentials everywhere: no rules
		{"nessus/credentialed.nessus", "complete rules=10287,19506 hosts=db-1.example.org"},                      // a host without findings was scanned as well
		{"nessus/web.xml", "complete hosts=https://shop.example.org/,shop.example.org"},
		{"nessus/nessus.csv", "not told"},
		{"checkov/terraform.json", "partial (could not parse deploy/broken.tf) rules=CKV_AWS_19,CKV_AWS_20,CKV_AWS_21 paths=deploy/logs.tf,deploy/modules/media/main.tf,deploy/storage.tf without=deploy/broken.tf"},
		{"checkov/nothing.json", "not told"},                            // not even which kind was asked for
		{"kics/results.json", "partial (1 files and 0 queries failed)"}, // lists only what hit
		{"terrascan/all.json", "partial (failed to parse deploy/broken.tf: invalid block) rules=AC_AWS_0210,AC_AWS_0214,AC_AWS_0227"}, // that there is no Helm chart is no failure
		{"terrascan/empty.json", "complete"},
		{"ocsf/prowler.ocsf.json", "complete rules=account_contact_details,s3_bucket_public_access hosts=arn:aws:iam::000000000001:root,arn:aws:s3:::shop-images,arn:aws:s3:::shop-logs,arn:aws:s3:::shop-site"},
		{"ocsf/prowler.csv", "complete rules=s3_bucket_public_access hosts=arn:aws:s3:::shop-images,arn:aws:s3:::shop-logs,arn:aws:s3:::shop-site"},
		{"ocsf/kubernetes.ocsf.json", "not told"}, // nothing passed: it may hold failures only
		{"kubescape/cluster.json", "complete rules=C-0009,C-0044,C-0057 hosts=shop-eu/shop/Deployment/mail,shop-eu/shop/Deployment/web"}, // a control that was skipped is not there
		{"kubescape/repository.json", "complete rules=C-0009,C-0044,C-0057 paths=deploy/web.yaml"},
		{"trivy_operator/vulnerability.json", "complete digest hosts=shop/Deployment/web"},
		{"twistlock/twistcli.json", "complete digest"},
		{"wizcli/failed.json", "failed (FAILED)"},
		{"asff/get-findings.json", "not told"},
		{"wiz/issues.csv", "not told"},
		{"generic/own.json", "complete rules=HK* paths=all without=vendor/**"},
		{"semgrep/code.json", "complete rules=broken.rule,go.lang.security.audit.sqli.string-query,python.lang.correctness.useless-comparison without=broken.rule paths=deploy/shop.env,store/orders.go,tools/count.py,web/package-lock.json without=legacy/old.js,web/vendor.min.js"}, // --time lists the rules; a file read in part was not read
		{"semgrep/empty.json", "complete paths=main.go"},
		{"semgrep/failed.json", "failed (config/rules.yml: no such file)"},
		{"bandit/report.json", "partial (./shop/broken.py: syntax error while parsing AST from file) paths=shop/clean.py,shop/run.py,shop/settings.py without=shop/broken.py"},
		{"gosec/version2.json", "partial (shop/broken.go: expected declaration, found 'x') without=shop/broken.go"}, // names no file that it could read
		{"brakeman/empty.json", "complete rules=Render,SQL"},
		{"eslint/report.json", "partial (could not be parsed: routes/broken.js) paths=routes/cart.js,routes/clean.js without=routes/broken.js"},
		{"spotbugs/empty.xml", "complete paths=Main.java"},
		{"spotbugs/plain.xml", "not told"},
		{"fortify/audited.fpr", "complete paths=src/main/java/shop/Clean.java,src/main/java/shop/Pay.java"},
		{"fortify/report.xml", "not told"},
		{"checkmarx/cxsast.xml", "complete"},
		{"checkmarx/empty.xml", "not told"}, // an incremental scan
		{"veracode/findings.json", "partial (this is page 1 of 2)"},
		{"sonarqube/issues.json", "partial (617 more issues are on other pages of the search)"},
		{"github_code_scanning/alerts.json", "not told"},
		{"generic/defectdojo.json", "not told"},
	} {
		t.Run(tt.sample, func(t *testing.T) {
			r, err := parse(t, tt.sample, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(r.snapshot.Coverage); got != tt.want {
				t.Errorf("coverage is %q, want %q", got, tt.want)
			}
		})
	}
}

func describe(c sinew.Coverage) string {
	out := string(c.Status)
	if out == "" {
		out = "not told"
	}
	if c.Reason != "" {
		out += " (" + c.Reason + ")"
	}
	if c.Digest != "" {
		out += " digest"
	}
	for _, d := range []struct {
		name  string
		scope sinew.Scope
	}{{"rules", c.Rules}, {"paths", c.Paths}, {"hosts", c.Hosts}} {
		if d.scope.All {
			out += " " + d.name + "=all"
		} else if len(d.scope.Include) > 0 {
			out += " " + d.name + "=" + strings.Join(d.scope.Include, ",")
		}
		if len(d.scope.Exclude) > 0 {
			out += " without=" + strings.Join(d.scope.Exclude, ",")
		}
	}
	return out
}

// TestKeptOut: neither the value of a secret nor the name of a person leaves a
// report, whichever field of which format they were in.
func TestKeptOut(t *testing.T) {
	for _, id := range listed {
		samples, err := formattest.Samples(filepath.Join("testdata", id))
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range samples {
			r, err := parse(t, id+"/"+filepath.Base(sample), "")
			if err != nil {
				t.Errorf("%s: %v", sample, err)
				continue
			}
			for _, l := range r.lines {
				text := fmt.Sprintf("%+v %+v %+v", l.Observation, l.Asset, l.Relation)
				for _, word := range []string{"ghp_ThisIsNoReal", "AKIA00NOT0REAL", "s3cr3t-token-0001", "tr0ub4dor", "Robin", "robin@example.org", "builder:token"} {
					if strings.Contains(text, word) {
						t.Errorf("%s: %q is in %s", sample, word, text)
					}
				}
			}
		}
	}
}

// TestRefusals shows row ING1: a report that is wrong is refused with a sentence
// that says where and what, not half read.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, format, text, want string
	}{
		{"no title", "generic", `{"findings": [{"severity": "low"}]}`, "no title"},
		{"no severity", "generic", `{"findings": [{"title": "a"}]}`, "no severity"},
		{"misspelt field", "generic", `{"findings": [{"title": "a", "severity": "low", "fiel": "x"}]}`, "no field fiel"},
		{"unknown severity", "generic", `{"findings": [{"title": "a", "severity": "gruesome"}]}`, `severity "gruesome"`},
		{"unknown status", "generic", `{"findings": [{"title": "a", "severity": "low", "status": "shut"}]}`, `status "shut"`},
		{"misspelt column", "generic", "title,severity,fiel\na,low,x\n", "not a Generic findings report"},
		{"GitLab without findings", "gitlab", `{"version": "15.0.0", "scan": {"type": "sast", "status": "success"}}`, "not a GitLab security report"},
		{"npm audit that failed", "npm_audit", `{"error": {"code": "ENOAUDIT", "summary": "no registry"}}`, "not a npm audit report"},
		{"another format", "sarif", `{"SchemaVersion": 2, "ArtifactName": "a", "Results": []}`, "not a SARIF 2.1.0 report"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseText(t, "report", []byte(tt.text), tt.format)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestOwnFormat shows row ING2: a directory of mapping files adds formats and
// overrides built-in ones, and the mapping of docs/adding-a-format.md works.
func TestOwnFormat(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "adding-a-format.md"))
	if err != nil {
		t.Fatal(err)
	}
	report, mapping := fenced(t, string(doc), "json"), fenced(t, string(doc), "yaml")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pinecone.yaml"), []byte(mapping), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := format.New(formats.Files, os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	in := format.Input{Name: "report.json", R: strings.NewReader(report), Size: int64(len(report))}
	res, err := e.Parse(t.Context(), in, format.Options{}, func(b sinew.SnapshotBody) error {
		o := b.Observation
		got = append(got, fmt.Sprintf("%s %s %s:%d", o.Severity, o.Title, o.File, o.Line))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"high open-port in ./deploy/web.yaml deploy/web.yaml:12"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if s := describe(res.Snapshot.Coverage); s != "complete rules=open-port" {
		t.Errorf("coverage is %q", s)
	}
}

// fenced returns the first code block of a language.
func fenced(t *testing.T, text, language string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "```"+language+"\n")
	block, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatalf("no block of %s", language)
	}
	return block
}
