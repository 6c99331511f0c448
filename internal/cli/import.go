package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/sinewsec/sinew/internal/client"
	"github.com/sinewsec/sinew/internal/sinew"
)

type importCmd struct {
	Files []string `arg:"" name:"report" help:"Report files; - reads standard input."`

	Format      string   `help:"The format, when the content does not tell (see sinew format list)." placeholder:"ID"`
	App         string   `help:"Application that the report belongs to; rules decide when it is left out." placeholder:"NAME"`
	Service     string   `help:"Service of the application." placeholder:"NAME"`
	Target      string   `help:"What was scanned: repository, image, account. Default: what the report says; with --database, local where it says nothing." placeholder:"NAME"`
	Ref         string   `help:"Branch, tag, or change (pr:12) that was scanned." placeholder:"REF"`
	Base        string   `help:"The ref that a change wants to merge into." placeholder:"REF"`
	Label       string   `help:"Tells two configurations of one tool on one target apart." placeholder:"TEXT"`
	Source      string   `help:"The pipeline or gateway that sends." placeholder:"NAME"`
	Commit      string   `help:"Commit that was scanned." placeholder:"SHA"`
	Git         string   `help:"Take target, ref, commit and ancestry from this git working tree, where not given." placeholder:"DIR" type:"existingdir"`
	Digest      string   `help:"Digest of the artifact that was scanned." placeholder:"sha256:..."`
	Env         string   `name:"env" help:"Environment that was scanned." placeholder:"NAME"`
	At          string   `help:"When the scan saw the world: a date or RFC 3339. Default: what the report says." placeholder:"TIME"`
	Mode        string   `help:"complete supersedes the stream's last report, delta adds, window aggregates." enum:"complete,delta,window," default:""`
	Coverage    string   `help:"Declare how the scan went. Only a complete scan closes what it no longer sees." enum:"complete,partial,failed," default:""`
	Rules       []string `help:"Globs of the rules that the scan was limited to."`
	Paths       []string `help:"Globs of the files that the scan was limited to."`
	Hosts       []string `help:"Hosts, networks or accounts that the scan was limited to."`
	PathPrefix  string   `help:"Folder of the repository that the report's paths are relative to." placeholder:"DIR"`
	StripPrefix string   `help:"Absolute folder that the report's paths begin with." placeholder:"DIR"`

	IdempotencyKey string `help:"Sending the same report again under the same key changes nothing." placeholder:"KEY"`
	Async          bool   `help:"Return when the report is durable, before its findings can be seen."`
}

func (importCmd) Help() string {
	return `Examples:
  sinew import --database s.db report.sarif
  trivy image -f json shop/web:1.4 | sinew import --database s.db -
  sinew import --app shop --git . --coverage complete semgrep.sarif gitleaks.json
  sinew import --app shop --ref pr:12 --base main --coverage partial --paths 'web/**' semgrep.sarif`
}

// localTarget is what a report is of that does not say so, in a database of one's
// own. A server, which many send to, refuses it.
const localTarget = "local"

func (c *importCmd) Run(s *session) error {
	at, err := parseTime(c.At)
	if err != nil {
		return err
	}
	up := client.Upload{
		Format: c.Format, Source: c.Source, Target: c.Target, Ref: c.Ref, Label: c.Label,
		Application: c.App, Service: c.Service, At: at, Commit: c.Commit, Digest: c.Digest,
		Environment: c.Env, Base: c.Base, Mode: sinew.Mode(c.Mode), Coverage: sinew.CoverageStatus(c.Coverage),
		Rules: c.Rules, Paths: c.Paths, Hosts: c.Hosts, PathPrefix: c.PathPrefix, StripPrefix: c.StripPrefix,
		Idempotency: c.IdempotencyKey,
	}
	if s.opts.Server == "" {
		up.Otherwise = localTarget
	}
	if c.Git != "" {
		if err := fromGit(s.ctx, c.Git, &up); err != nil {
			return err
		}
	}
	if len(c.Files) > 1 && c.IdempotencyKey != "" {
		return sinew.Errorf(sinew.CodeInvalid, "one idempotency key cannot serve %d reports", len(c.Files)).Hint("import them one by one")
	}
	api, err := s.api("import")
	if err != nil {
		return err
	}
	bar := newProgress(s)
	defer bar.wait()
	width := 0
	for _, f := range c.Files {
		width = max(width, len(filepath.Base(f)))
	}
	var failed []error
	for _, name := range c.Files {
		imp, err := importFile(s, api, up, name, !c.Async, bar)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		bar.pause()
		if err := printImport(s, imp, width); err != nil {
			return err
		}
	}
	bar.wait()
	if len(failed) == 1 && len(c.Files) == 1 {
		return failed[0]
	}
	for _, err := range failed {
		report(s.env, s.opts, err)
	}
	if len(failed) > 0 {
		return sinew.Errorf(sinew.CodeOf(failed[0]), "%d of %d reports were refused; the others are in", len(failed), len(c.Files))
	}
	return nil
}

func importFile(s *session, api *client.Client, up client.Upload, name string, wait bool, bar *progress) (*client.Import, error) {
	r := s.env.Stdin
	var size int64
	up.Name = "stdin"
	if name != "-" {
		f, err := os.Open(name) //nolint:gosec // the user names it
		if err != nil {
			return nil, sinew.Errorf(sinew.CodeInvalid, "the report cannot be opened: %w", errors.Unwrap(err)).At(name).Hint("check the path")
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return nil, fmt.Errorf("stat %s: %w", name, err)
		}
		if st.IsDir() {
			return nil, sinew.Errorf(sinew.CodeInvalid, "this is a directory").At(name).Hint("name the report files in it")
		}
		r, size, up.Name = f, st.Size(), filepath.Base(name)
	}
	return api.Import(s.ctx, up, bar.track(up.Name, size, r), wait)
}

// importLine is the import/v1 contract: one line for each report.
type importLine struct {
	Schema        string         `json:"schema"`
	Report        string         `json:"report"`
	Snapshot      string         `json:"snapshot"`
	Seq           int64          `json:"seq"`
	State         string         `json:"state"`
	Format        string         `json:"format"`
	Observations  int            `json:"observations"`
	New           int            `json:"new"`
	Unchanged     int            `json:"unchanged"`
	Changed       int            `json:"changed"`
	Moved         int            `json:"moved"`
	Elsewhere     int            `json:"elsewhere"`
	Reopened      int            `json:"reopened"`
	Fixed         int            `json:"fixed"`
	FixedProven   int            `json:"fixed_proven"`
	FixedDeclared int            `json:"fixed_declared"`
	NotObserved   int            `json:"not_observed"`
	ScopeLost     int            `json:"scope_lost"`
	Gone          int            `json:"gone"`
	Missing       map[string]int `json:"missing,omitempty"`
	Late          bool           `json:"late,omitempty"`
	Duplicate     bool           `json:"duplicate,omitempty"`
	Notes         []string       `json:"notes,omitempty"`
}

func printImport(s *session, i *client.Import, width int) error {
	r := i.Result
	if r == nil {
		r = &client.Result{}
	}
	if s.opts.JSON {
		return writeJSON(s.env.Stdout, importLine{
			Schema: "import/v1", Report: i.Report, Snapshot: i.ID, Seq: i.Seq, State: i.State, Format: i.Format,
			Observations: i.Observations, New: r.New, Unchanged: r.Unchanged, Changed: r.Changed, Moved: r.Moved,
			Elsewhere: r.Elsewhere, Reopened: r.Reopened, Fixed: r.Fixed.Proven + r.Fixed.Declared,
			FixedProven: r.Fixed.Proven, FixedDeclared: r.Fixed.Declared, NotObserved: r.NotObserved,
			ScopeLost: r.ScopeLost, Gone: r.Gone, Missing: r.Missing, Late: r.Late, Duplicate: i.Duplicate,
			Notes: append(i.Notes, r.Notes...),
		})
	}
	what := "accepted as " + i.ID
	if i.Result != nil {
		what = describe(r)
	}
	format := cmp.Or(i.Format, "no format")
	s.printf("%-*s  %-12s %5d observations: %s\n", width, printable(i.Report), format, i.Observations, what)
	for _, n := range append(i.Notes, r.Notes...) {
		s.hint("  note: %s", printable(n))
	}
	for reason, n := range r.Missing {
		s.hint("  %d no longer seen and not closed: %s", n, reason)
	}
	return nil
}

// describe says in one line what a report changed.
func describe(r *client.Result) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(r.New, "new")
	add(r.Unchanged, "unchanged")
	add(r.Changed, "changed")
	add(r.Elsewhere, "known from another ref")
	add(r.Reopened, "reopened")
	add(r.Fixed.Proven, "fixed (proven by the report)")
	add(r.Fixed.Declared, "fixed (coverage declared)")
	add(r.NotObserved, "not observed")
	add(r.ScopeLost, "scope lost")
	add(r.Gone, "gone")
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, ", ")
}

// parseTime reads a date or an RFC 3339 time; empty is the zero time.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, sinew.Errorf(sinew.CodeInvalid, "%q is not a time", text).Hint("write 2026-11-22 or 2026-11-22T10:00:00Z")
}

// progress shows how much of an upload has been sent, on terminals.
type progress struct {
	bars *mpb.Progress
	bar  *mpb.Bar
}

func newProgress(s *session) *progress {
	if s.opts.Quiet || s.opts.JSON || !s.env.Tty {
		return &progress{}
	}
	return &progress{bars: mpb.NewWithContext(s.ctx, mpb.WithOutput(s.env.Stderr), mpb.WithWidth(40))}
}

func (p *progress) track(name string, size int64, r io.Reader) io.Reader {
	if p.bars == nil || size < 1<<20 {
		return r
	}
	p.bar = p.bars.New(size, mpb.BarStyle().Rbound("|"),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(cut(printable(name), 30)+" ")),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f"), decor.OnComplete(decor.Name(""), "")))
	return p.bar.ProxyReader(r)
}

// pause takes the bar away before a line is printed.
func (p *progress) pause() {
	if p.bar != nil {
		p.bar.Abort(true)
		p.bar.Wait()
		p.bar = nil
	}
}

func (p *progress) wait() {
	p.pause()
	if p.bars != nil {
		p.bars.Wait()
		p.bars = nil
	}
}
