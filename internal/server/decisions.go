package server

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerDecisions() {
	handle(s, s.route("POST /api/v1/decisions", "decide", "Record a decision about findings", answers(http.StatusCreated)), s.decide)
	handle(s, s.route("POST /api/v1/decisions/preview", "preview-decision", "Show which findings a decision would be about"), s.previewDecision)
	handle(s, s.route("POST /api/v1/refs", "record-ref", "Record that a ref was merged, closed or deleted", answers(http.StatusCreated)), s.ref)
	handle(s, s.route("POST /api/v1/deployments", "record-deployment", "Record that a version runs in an environment",
		answers(http.StatusCreated)), s.deploy)
	handle(s, s.route("POST /api/v1/assets/end", "end-asset", "Record that a machine or other asset is no more", answers(http.StatusCreated)), s.endAsset)
	handle(s, s.route("GET /api/v1/rules", "show-rules", "Show the rules that assign findings to applications"), s.rules)
	handle(s, s.route("PUT /api/v1/rules", "set-rules", "Replace the rules", bytesIn(maxRules)), s.setRules)
	handle(s, s.route("POST /api/v1/rules/preview", "preview-rules", "Show what other rules would change", bytesIn(maxRules)), s.previewRules)
}

// accepted names the entry of the log that a request became.
type accepted struct {
	ID        string `json:"id,omitempty" doc:"Public id"`
	Seq       int64  `json:"seq" doc:"Entry of the log"`
	Findings  int    `json:"findings,omitempty" doc:"How many it is about"`
	Duplicate bool   `json:"duplicate,omitempty" doc:"Accepted before under the same idempotency key"`
}

func (s *Server) accepted(ctx context.Context, a store.Accepted, kind sinew.IDKind) (*body[accepted], error) {
	ws, err := s.db.WorkspaceByID(ctx, reader(ctx).Workspace)
	if err != nil {
		return nil, err
	}
	s.settle(ctx, a.Seq)
	local, err := sinew.LocalID(a.Seq, 0)
	return &body[accepted]{accepted{ID: sinew.PublicID(ws.UUID, kind, local), Seq: a.Seq, Duplicate: a.Duplicate}}, err
}

// maxDecided is the most findings that a decision finds by a filter.
const maxDecided = 10_000

// decision is what a person decides, about findings named or asked for.
type decision struct {
	Findings []string      `json:"findings,omitempty" maxItems:"1000" doc:"Ids"`
	Filter   string        `json:"filter,omitempty" maxLength:"8192" doc:"Instead of ids: every finding that fulfils it now, 10,000 at most"`
	Verdict  sinew.Verdict `json:"verdict" enum:"triaged,in_progress,accepted,false_positive,reopen"`
	Reason   string        `json:"reason,omitempty" maxLength:"10000" doc:"Needed for accepted and false_positive"`
	Until    time.Time     `json:"until,omitzero" doc:"The decision stands until then"`
	Owner    string        `json:"owner,omitempty" maxLength:"200"`
}

type decisionInput struct {
	Once
	Body decision
}

// resolve finds what a decision is about. Named findings are left to the
// pipeline.
func (s *Server) resolve(ctx context.Context, d *decision) (sinew.Decision, []store.Target, error) {
	out := sinew.Decision{Findings: d.Findings, Verdict: d.Verdict, Reason: d.Reason, Until: d.Until, Owner: d.Owner}
	if (d.Filter == "") == (len(d.Findings) == 0) {
		return out, nil, sinew.Errorf(sinew.CodeInvalid, "name findings or a filter, and not both")
	}
	if d.Filter == "" {
		return out, nil, out.Validate()
	}
	q, err := filter.Parse(d.Filter)
	if err != nil {
		return out, nil, err
	}
	found, more, err := s.db.Targets(ctx, reader(ctx), q, maxDecided)
	if err != nil {
		return out, nil, err
	}
	if more {
		return out, nil, sinew.Errorf(sinew.CodeTooLarge, "the filter finds more than %d findings", maxDecided).Hint("narrow it")
	}
	if len(found) == 0 {
		return out, nil, sinew.Errorf(sinew.CodeNotFound, "the filter finds nothing")
	}
	out.Findings = make([]string, len(found))
	for i, f := range found {
		out.Findings[i] = f.ID
	}
	return out, found, out.Validate()
}

func (s *Server) decide(ctx context.Context, in *decisionInput) (*body[accepted], error) {
	d, _, err := s.resolve(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	a, err := s.pipeline.Decide(ctx, reader(ctx), d, in.Key)
	if err != nil {
		return nil, err
	}
	out, err := s.accepted(ctx, a, sinew.IDDecision)
	if err == nil {
		out.Body.Findings = len(d.Findings)
	}
	return out, err
}

// decisionPreview is what a decision would be about.
type decisionPreview struct {
	Count  int                        `json:"count"`
	States map[sinew.FindingState]int `json:"states" doc:"In which states they are now"`
	Items  []sinew.Finding            `json:"items" nullable:"false" doc:"The first 50 of them"`
}

// maxShown is how many findings a preview shows.
const maxShown = 50

func (s *Server) previewDecision(ctx context.Context, in *decisionInput) (*body[decisionPreview], error) {
	d, found, err := s.resolve(ctx, &in.Body)
	if err == nil && found == nil {
		found, err = s.db.TargetsNamed(ctx, reader(ctx), d.Findings)
	}
	if err == nil {
		err = decidable(reader(ctx), found)
	}
	if err != nil {
		return nil, err
	}
	out := decisionPreview{Count: len(found), States: map[sinew.FindingState]int{}, Items: []sinew.Finding{}}
	for i, t := range found {
		out.States[t.State]++
		if i >= maxShown {
			continue
		}
		f, err := s.db.Finding(ctx, reader(ctx), t.ID)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, f.Finding)
	}
	return &body[decisionPreview]{out}, nil
}

// decidable reports whether the sender may decide on findings that he sees.
func decidable(r sinew.Reader, found []store.Target) error {
	for _, t := range found {
		if !r.Can(sinew.RoleDeveloper, t.Unit) {
			return sinew.Errorf(sinew.CodeDenied, "to decide on finding %s needs the role developer on %s", t.ID, cmp.Or(t.Application, store.UnassignedName)).
				Hint("ask an administrator of the workspace")
		}
	}
	return nil
}

type refInput struct {
	Once
	Body struct {
		Target string    `json:"target" minLength:"1" maxLength:"1000"`
		Ref    string    `json:"ref" minLength:"1" maxLength:"1000"`
		Event  string    `json:"event" enum:"merged,closed,deleted"`
		Into   string    `json:"into,omitempty" maxLength:"1000" doc:"The ref that it was merged into"`
		At     time.Time `json:"at,omitzero" doc:"Now if not given"`
	}
}

func (s *Server) ref(ctx context.Context, in *refInput) (*body[accepted], error) {
	b := in.Body
	a, err := s.pipeline.RefEvent(ctx, reader(ctx), pipeline.RefEvent{Target: b.Target, Ref: b.Ref, Event: b.Event, Into: b.Into, At: b.At}, in.Key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, a, sinew.IDSnapshot)
}

type deployInput struct {
	Once
	Body struct {
		Application string    `json:"application" maxLength:"200"`
		Service     string    `json:"service,omitempty" maxLength:"200"`
		Environment string    `json:"environment" minLength:"1" maxLength:"200"`
		Version     string    `json:"version" minLength:"1" maxLength:"500" doc:"Digest of the artifact, or commit"`
		At          time.Time `json:"at,omitzero" doc:"Now if not given"`
	}
}

func (s *Server) deploy(ctx context.Context, in *deployInput) (*body[accepted], error) {
	b := in.Body
	a, err := s.pipeline.Deploy(ctx, reader(ctx), pipeline.Deployment{
		Application: b.Application, Service: b.Service, Environment: b.Environment, Version: b.Version, At: b.At,
	}, in.Key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, a, sinew.IDSnapshot)
}

type endAssetInput struct {
	Once
	Body struct {
		sinew.AssetKey
		At time.Time `json:"at,omitzero" doc:"Now if not given"`
	}
}

func (s *Server) endAsset(ctx context.Context, in *endAssetInput) (*body[accepted], error) {
	a, err := s.pipeline.EndAsset(ctx, reader(ctx), in.Body.AssetKey, in.Body.At, in.Key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, a, sinew.IDSnapshot)
}

// maxRules bounds a rules document.
const maxRules = 4 << 20

// rulesDocument is the rule set as a document.
type rulesDocument struct {
	Document string `json:"document" doc:"rules/v1, in YAML or JSON"`
	Seq      int64  `json:"seq,omitempty" doc:"Entry of the log that set it"`
}

type rulesInput struct {
	Once
	Body struct {
		Document string `json:"document" doc:"rules/v1, in YAML or JSON"`
		Base     *int64 `json:"base,omitempty" minimum:"0" doc:"Seq of the rules that were edited, 0 for none: rules that somebody else set since are not overwritten"`
	}
}

// rulesChange is what rules change.
type rulesChange struct {
	Seq      int64          `json:"seq,omitempty"`
	Moved    int            `json:"moved" doc:"Findings that change their application or service"`
	Preview  bool           `json:"preview,omitempty"`
	Samples  []movedFinding `json:"samples" nullable:"false" doc:"The first 20 of them"`
	Added    []string       `json:"added" nullable:"false" doc:"Applications"`
	Removed  []string       `json:"removed" nullable:"false" doc:"Applications that no rule names any more"`
	Findings []unitChange   `json:"findings" nullable:"false" doc:"Of each application, before and after"`
}

// movedFinding is a finding that belongs elsewhere by other rules.
type movedFinding struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	From  string `json:"from" doc:"application, or application/service; empty for none"`
	To    string `json:"to"`
}

// unitChange is how many findings an application has.
type unitChange struct {
	Application string `json:"application" doc:"Empty for none"`
	Before      int    `json:"before"`
	After       int    `json:"after"`
}

func newRulesChange(p *pipeline.RulesPreview) rulesChange {
	out := rulesChange{Moved: p.Moved, Added: orEmpty(p.Added), Removed: orEmpty(p.Removed), Samples: []movedFinding{}, Findings: []unitChange{}}
	for _, m := range p.Samples {
		out.Samples = append(out.Samples, movedFinding(m))
	}
	for _, c := range p.Counts {
		out.Findings = append(out.Findings, unitChange(c))
	}
	return out
}

func (s *Server) rules(ctx context.Context, _ *struct{}) (*body[rulesDocument], error) {
	doc, seq, err := s.db.Rules(ctx, reader(ctx))
	return &body[rulesDocument]{rulesDocument{Document: doc, Seq: seq}}, err
}

func (s *Server) setRules(ctx context.Context, in *rulesInput) (*body[rulesChange], error) {
	if base := in.Body.Base; base != nil {
		_, seq, err := s.db.Rules(ctx, reader(ctx))
		if err != nil {
			return nil, err
		}
		if seq != *base {
			return nil, sinew.Errorf(sinew.CodeConflict, "other rules were set meanwhile, by entry %d of the log", seq).
				Hint("read them, and make your change to them")
		}
	}
	p, err := s.pipeline.PreviewRules(ctx, reader(ctx), in.Body.Document)
	if err != nil {
		return nil, err
	}
	a, err := s.pipeline.SetRules(ctx, reader(ctx), in.Body.Document, in.Key)
	if err != nil {
		return nil, err
	}
	s.settle(ctx, a.Seq)
	out := newRulesChange(p)
	out.Seq = a.Seq
	return &body[rulesChange]{out}, nil
}

func (s *Server) previewRules(ctx context.Context, in *rulesInput) (*body[rulesChange], error) {
	p, err := s.pipeline.PreviewRules(ctx, reader(ctx), in.Body.Document)
	if err != nil {
		return nil, err
	}
	out := newRulesChange(p)
	out.Preview = true
	return &body[rulesChange]{out}, nil
}
