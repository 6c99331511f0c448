package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerImports() {
	handle(s, s.route("POST /api/v1/imports", "import", "Send a report",
		about("The body is the report itself, or multipart/form-data with one file. 202 says that it is durable; with wait, 200 that its "+
			"findings are to be seen. With `Accept: text/event-stream`, events named progress come first, then accepted, then, with wait, "+
			"result; an error is an event named problem."),
		long, alsoAnswers[importInfo](s, "200", "application/json", "Projected"), alsoAnswers[importInfo](s, "202", "application/json", "Accepted"),
		alsoAnswers[importInfo](s, "200", eventStream, "Projected")), s.importReport)
	// Documented after the registration, or huma would read the body.
	s.api.OpenAPI().Paths["/api/v1/imports"].Post.RequestBody = reportIn()
	handle(s, s.route("GET /api/v1/imports", "list-imports", "List the reports that were accepted and can be seen, newest first"), s.listImports)
	handle(s, s.route("GET /api/v1/imports/{id}", "show-import", "Show what became of a report"), s.showImport)
	handle(s, s.route("GET /api/v1/imports/{id}/events", "watch-import", "Follow what becomes of a report, as server-sent events",
		long, alsoAnswers[importInfo](s, "200", eventStream, "Events named progress, then one named result")), s.watchImport)
}

func reportIn() *huma.RequestBody {
	binary := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/octet-stream": binary,
		"multipart/form-data": {Schema: &huma.Schema{
			Type: "object", Properties: map[string]*huma.Schema{"file": binary.Schema}, Required: []string{"file"},
		}},
	}}
}

type importInput struct {
	Once
	Wait        bool      `query:"wait" doc:"Answer when the findings are to be seen"`
	Name        string    `query:"name" maxLength:"1000" doc:"Name of the file"`
	Format      string    `query:"format" maxLength:"100" doc:"Id of the format; found from the content if not given"`
	Source      string    `query:"source" maxLength:"500" doc:"The pipeline, gateway or account that sends"`
	Target      string    `query:"target" maxLength:"1000" doc:"What was scanned, where the report does not say it"`
	Otherwise   string    `query:"otherwise" maxLength:"1000" doc:"The target of a report that says none, where none is given; without it such a report is refused"`
	Ref         string    `query:"ref" maxLength:"1000" doc:"Branch, tag, change (pr:12) or image tag"`
	Label       string    `query:"label" maxLength:"200" doc:"Tells two configurations of a tool on one target apart"`
	Application string    `query:"application" maxLength:"200" doc:"Needs the role developer on it"`
	Service     string    `query:"service" maxLength:"200"`
	At          time.Time `query:"at" doc:"When the scan saw the world"`
	Commit      string    `query:"commit" maxLength:"200"`
	Ancestors   []string  `query:"ancestors" maxItems:"1000" doc:"Commits that it descends from, nearest first"`
	Digest      string    `query:"digest" maxLength:"200" doc:"Of the artifact: sha256:..."`
	Environment string    `query:"environment" maxLength:"200" doc:"Where the version runs"`
	Deployment  string    `query:"deployment" maxLength:"200"`
	Base        string    `query:"base" maxLength:"1000" doc:"The ref that a change wants to merge into"`
	Mode        string    `query:"mode" enum:"complete,delta,window"`
	Coverage    string    `query:"coverage" enum:"complete,partial,failed" doc:"How the scan went"`
	Rules       []string  `query:"rules" maxItems:"1000" doc:"Globs of the rules that it ran; all for all, ! in front for those that it did not"`
	Paths       []string  `query:"paths" maxItems:"1000" doc:"Globs of the files that it looked at"`
	Hosts       []string  `query:"hosts" maxItems:"1000" doc:"Globs of the machines and resources that it looked at"`
	PathPrefix  string    `query:"path_prefix" maxLength:"1000" doc:"Folder that the report's paths are relative to"`
	StripPrefix string    `query:"strip_prefix" maxLength:"1000" doc:"Absolute folder that the report's paths begin with"`
}

// importInfo is an accepted report and what became of it.
type importInfo struct {
	ID           string           `json:"id" doc:"Of the snapshot"`
	Seq          int64            `json:"seq" doc:"Entry of the log"`
	State        string           `json:"state" enum:"accepted,projected" doc:"accepted: durable; projected: its findings are to be seen"`
	Stream       sinew.Stream     `json:"stream,omitzero"`
	Report       string           `json:"report,omitempty" doc:"Name of the file"`
	Format       string           `json:"format,omitempty"`
	ToolName     string           `json:"tool_name,omitempty"`
	ToolVersion  string           `json:"tool_version,omitempty"`
	Mode         sinew.Mode       `json:"mode,omitempty"`
	Coverage     sinew.Coverage   `json:"coverage,omitzero"`
	Commit       string           `json:"commit,omitempty"`
	Digest       string           `json:"digest,omitempty"`
	Observations int              `json:"observations"`
	At           time.Time        `json:"at,omitzero" doc:"When the scan saw the world"`
	Received     time.Time        `json:"received,omitzero"`
	Result       *pipeline.Result `json:"result,omitempty" doc:"What it changed"`
	Notes        []string         `json:"notes,omitempty" doc:"What the reader had to decide"`
	Duplicate    bool             `json:"duplicate,omitempty" doc:"Accepted before under the same idempotency key"`
}

func newImport(s *store.SnapshotInfo) importInfo {
	out := importInfo{ID: s.ID, Seq: s.Seq, State: "accepted", At: s.At, Received: s.Received}
	if s.State == store.SnapshotProjected {
		out.State = "projected"
	}
	if sn := s.Snapshot; sn != nil {
		out.Stream, out.Report, out.Format, out.Observations, out.Notes = sn.Stream, sn.ReportName, sn.Format, sn.Observations, sn.Notes
		out.ToolName, out.ToolVersion, out.Mode, out.Coverage, out.Commit, out.Digest = sn.ToolName, sn.ToolVer, sn.Mode, sn.Coverage, sn.Commit, sn.Digest
		out.At = sn.EffectiveAt(s.Received)
	}
	if s.Result != nil {
		out.Result = new(pipeline.Result)
		if err := json.Unmarshal(s.Result, out.Result); err != nil {
			out.Result = nil
		}
	}
	return out
}

// errBusy is the answer while too many reports are taken in.
var errBusy = sinew.Errorf(sinew.CodeUnavailable, "too many reports are being taken in").Hint("try again in a minute")

// admit waits for a turn to take in a report. The sender's bytes wait with it.
func (s *Server) admit(ctx context.Context) (leave func(), err error) {
	wait, cancel := context.WithTimeout(ctx, s.idle)
	defer cancel()
	select {
	case s.imports <- struct{}{}:
		return sync.OnceFunc(func() { <-s.imports }), nil
	case <-wait.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errBusy
	}
}

// report gives the bytes of the report in a request, and its name if the body
// tells one.
func (s *Server) report(c *call) (r io.Reader, name string, body *slowBody, err error) {
	if c.r.ContentLength > s.maxUpload {
		return nil, "", nil, &http.MaxBytesError{Limit: s.maxUpload}
	}
	body, _ = s.slow(c)
	limited := http.MaxBytesReader(c.w, body, s.maxUpload)
	contentType, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if contentType != "multipart/form-data" {
		return limited, "", body, nil
	}
	if params["boundary"] == "" {
		return nil, "", nil, sinew.Errorf(sinew.CodeInvalid, "the multipart body has no boundary")
	}
	c.r.Body = limited
	parts, err := c.r.MultipartReader()
	if err != nil {
		return nil, "", nil, sinew.Errorf(sinew.CodeInvalid, "the multipart body cannot be read: %w", err)
	}
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, "", nil, sinew.Errorf(sinew.CodeInvalid, "the multipart body has no file").Hint("send the report as a part with a file name")
		case err != nil:
			return nil, "", nil, sinew.Errorf(sinew.CodeInvalid, "the multipart body cannot be read: %w", err)
		case part.FileName() != "":
			return part, part.FileName(), body, nil
		}
	}
}

func (s *Server) importReport(ctx context.Context, in *importInput) (*huma.StreamResponse, error) {
	leave, err := s.admit(ctx)
	if err != nil {
		return nil, err
	}
	r, name, body, err := s.report(callOf(ctx))
	if err != nil {
		leave()
		return nil, err
	}
	in.Name = cmp.Or(in.Name, name, "report")
	if accepts(ctx, eventStream) {
		return &huma.StreamResponse{Body: func(huma.Context) { s.importEvents(ctx, in, r, body, leave) }}, nil
	}
	defer leave()
	info, err := s.take(ctx, in, r, nil)
	if err == nil && in.Wait {
		leave() // to wait takes no memory
		info, err = s.follow(ctx, info, nil)
	}
	if err != nil {
		return nil, err
	}
	callOf(ctx).w.Header().Set("Location", "/api/v1/imports/"+info.ID)
	return asJSON(ctx, map[bool]int{true: http.StatusOK, false: http.StatusAccepted}[info.State == "projected"], info), nil
}

// importEvents takes a report in and tells how far it is. Nothing is sent before
// all of the body was read: until then the sender knows better than we do, and
// may not listen.
func (s *Server) importEvents(ctx context.Context, in *importInput, r io.Reader, body *slowBody, leave func()) {
	defer leave()
	var ev *events
	var mu sync.Mutex
	last := s.now()
	tell := func(name string, v any) {
		mu.Lock()
		defer mu.Unlock()
		if name == "progress" && (!body.ended.Load() || s.now().Sub(last) < 200*time.Millisecond) {
			return
		}
		if ev == nil {
			ev = s.events(ctx)
		}
		last = s.now()
		_ = ev.send(name, v) // whoever is gone need not be told
	}
	info, err := s.take(ctx, in, r, func(p progress) { tell("progress", p) })
	if err == nil {
		tell("accepted", info)
		if in.Wait {
			leave()
			if info, err = s.follow(ctx, info, func(p progress) { tell("progress", p) }); err == nil {
				tell("result", info)
			}
		}
	}
	if err != nil {
		p := problem(ctx, err)
		report(ctx, p, err)
		tell("problem", p)
	}
}

// take hands a report to the pipeline: when it returns, the report is durable.
func (s *Server) take(ctx context.Context, in *importInput, r io.Reader, tell func(progress)) (importInfo, error) {
	up := pipeline.Upload{Name: in.Name, Body: r, Size: max(callOf(ctx).r.ContentLength, 0), ImportOptions: in.options(), Idempotency: in.Key}
	a, err := s.pipeline.Import(ctx, reader(ctx), up, func(p pipeline.Progress) {
		if tell != nil {
			tell(progress(p))
		}
	})
	if err != nil {
		return importInfo{}, err
	}
	info := newImport(&store.SnapshotInfo{ID: a.SnapshotID, Seq: a.Seq, State: store.SnapshotPending, Received: a.At, Snapshot: &a.Snapshot})
	info.Duplicate = a.Duplicate
	return info, nil
}

func (in *importInput) options() pipeline.ImportOptions {
	o := pipeline.ImportOptions{
		Format: in.Format, Source: in.Source, Target: in.Target, Otherwise: in.Otherwise, Ref: in.Ref, Label: in.Label, Application: in.Application,
		Service: in.Service, At: in.At, Commit: in.Commit, Ancestors: in.Ancestors, Digest: in.Digest, Environment: in.Environment,
		Deployment: in.Deployment, Base: in.Base, Mode: sinew.Mode(in.Mode), PathPrefix: in.PathPrefix, StripPrefix: in.StripPrefix,
	}
	c := sinew.Coverage{Status: sinew.CoverageStatus(in.Coverage), Rules: scopeOf(in.Rules), Paths: scopeOf(in.Paths), Hosts: scopeOf(in.Hosts)}
	if c.Status != "" || len(in.Rules)+len(in.Paths)+len(in.Hosts) > 0 {
		c.Basis = sinew.BasisDeclared
		o.Coverage = c
	}
	return o
}

// scopeOf reads globs; all stands for everything, and a ! in front takes away.
func scopeOf(globs []string) (out sinew.Scope) {
	for _, g := range globs {
		without, not := strings.CutPrefix(g, "!")
		switch {
		case g == "all":
			out.All = true
		case not:
			out.Exclude = append(out.Exclude, without)
		default:
			out.Include = append(out.Include, g)
		}
	}
	return out
}

// follow waits until a report's findings are to be seen.
func (s *Server) follow(ctx context.Context, info importInfo, tell func(progress)) (importInfo, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.projected(ctx, info.Seq) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.stopping:
			return info, errStopping(info.ID)
		default:
		}
		select {
		case <-tick.C:
			if tell != nil {
				tell(progress{Stage: "project"})
			}
			continue
		case <-s.stopping:
			return info, errStopping(info.ID)
		case err := <-done:
			if err != nil {
				return info, err
			}
		}
		sn, err := s.db.Snapshot(ctx, reader(ctx), info.ID)
		if sinew.CodeOf(err) == sinew.CodeNotFound { // the rules gave it to others
			info.State = "projected"
			return info, nil
		}
		if err != nil {
			return info, err
		}
		duplicate := info.Duplicate
		info = newImport(sn)
		info.Duplicate = duplicate
		return info, nil
	}
}

func errStopping(id string) error {
	return sinew.Errorf(sinew.CodeUnavailable, "the server is stopping; the report is kept and will be seen later").
		Hint("ask for /api/v1/imports/%s then", id)
}

// projected waits until an entry of the log is to be seen. Inside the process of
// a command nobody else may be there to do the work.
func (s *Server) projected(ctx context.Context, seq int64) error {
	wait := s.pipeline.Wait
	if isLocal(ctx) {
		wait = s.pipeline.ProjectUntil
	}
	_, err := wait(ctx, reader(ctx).Workspace, seq)
	return err
}

// settleTime is how long the answer to a small change waits for it to be seen.
const settleTime = 2 * time.Second

// settle waits a little until an entry is to be seen, so that who changed
// something and looks sees it. What is accepted stays so if it takes longer.
func (s *Server) settle(ctx context.Context, seq int64) {
	if !isLocal(ctx) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, settleTime)
		defer cancel()
	}
	if err := s.projected(ctx, seq); err != nil && ctx.Err() == nil {
		callOf(ctx).log.WarnContext(ctx, "accepted, not projected yet", "seq", seq, "error", err)
	}
}

func (s *Server) listImports(ctx context.Context, in *Paging) (*body[list[importInfo]], error) {
	return s.snapshots(ctx, &snapshotsInput{Paging: *in})
}

func (s *Server) showImport(ctx context.Context, in *idInput) (*body[importInfo], error) {
	sn, err := s.db.Snapshot(ctx, reader(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &body[importInfo]{newImport(sn)}, nil
}

func (s *Server) watchImport(ctx context.Context, in *idInput) (*huma.StreamResponse, error) {
	sn, err := s.db.Snapshot(ctx, reader(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		ev := s.events(ctx)
		last := s.now()
		info, err := s.follow(ctx, newImport(sn), func(p progress) {
			if s.now().Sub(last) >= time.Second {
				last = s.now()
				_ = ev.send("progress", p)
			}
		})
		switch {
		case ctx.Err() != nil: // nobody listens any more
		case err != nil:
			p := problem(ctx, err)
			report(ctx, p, err)
			_ = ev.send("problem", p)
		default:
			_ = ev.send("result", info)
		}
	}}, nil
}
