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

// maxDecided is how many findings one decision is about at most.
const maxDecided = 1000

// decision is what a person decides, about findings named or asked for.
type decision struct {
	Findings []string      `json:"findings,omitempty" maxItems:"1000" doc:"Ids"`
	Filter   string        `json:"filter,omitempty" maxLength:"8192" doc:"Instead of ids: every finding that fulfils it now, 1000 at most"`
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
// pipeline, unless they are to be shown.
func (s *Server) resolve(ctx context.Context, d *decision, show bool) (sinew.Decision, []sinew.Finding, error) {
	out := sinew.Decision{Findings: d.Findings, Verdict: d.Verdict, Reason: d.Reason, Until: d.Until, Owner: d.Owner}
	if (d.Filter == "") == (len(d.Findings) == 0) {
		return out, nil, sinew.Errorf(sinew.CodeInvalid, "name findings or a filter, and not both")
	}
	var shown []sinew.Finding
	if d.Filter == "" {
		for _, id := range d.Findings[:min(len(d.Findings), map[bool]int{true: maxDecided}[show])] {
			f, err := s.db.Finding(ctx, reader(ctx), id)
			if err != nil {
				return out, nil, err
			}
			shown = append(shown, f.Finding)
		}
		return out, shown, out.Validate()
	}
	q, err := filter.Parse(d.Filter)
	if err != nil {
		return out, nil, err
	}
	shown, more, err := s.db.Findings(ctx, reader(ctx), q, store.Page{Limit: maxDecided})
	if err != nil {
		return out, nil, err
	}
	if more != "" {
		return out, nil, sinew.Errorf(sinew.CodeTooLarge, "the filter finds more than %d findings", maxDecided).Hint("narrow it")
	}
	if len(shown) == 0 {
		return out, nil, sinew.Errorf(sinew.CodeNotFound, "the filter finds nothing")
	}
	for _, f := range shown {
		out.Findings = append(out.Findings, f.ID)
	}
	return out, shown, out.Validate()
}

func (s *Server) decide(ctx context.Context, in *decisionInput) (*body[accepted], error) {
	d, _, err := s.resolve(ctx, &in.Body, false)
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

func (s *Server) previewDecision(ctx context.Context, in *decisionInput) (*body[decisionPreview], error) {
	_, shown, err := s.resolve(ctx, &in.Body, true)
	if err == nil {
		err = s.decidable(ctx, shown)
	}
	if err != nil {
		return nil, err
	}
	out := decisionPreview{Count: len(shown), States: map[sinew.FindingState]int{}, Items: shown[:min(len(shown), 50)]}
	for _, f := range shown {
		out.States[f.State]++
	}
	return &body[decisionPreview]{out}, nil
}

// decidable reports whether the sender may decide on findings that he sees.
func (s *Server) decidable(ctx context.Context, shown []sinew.Finding) error {
	r := reader(ctx)
	ws, err := s.db.WorkspaceByID(ctx, r.Workspace)
	if err != nil {
		return err
	}
	for _, f := range shown {
		unit, err := sinew.ParsePublicID(ws.UUID, sinew.IDUnit, f.Unit)
		if err != nil || !r.Can(sinew.RoleDeveloper, unit) {
			return sinew.Errorf(sinew.CodeDenied, "to decide on finding %s needs the role developer on %s", f.ID, cmp.Or(f.Application, store.UnassignedName)).
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
	}
}

// rulesChange is what rules change.
type rulesChange struct {
	Seq     int64 `json:"seq,omitempty"`
	Moved   int   `json:"moved" doc:"Findings that change their application"`
	Preview bool  `json:"preview,omitempty"`
}

func (s *Server) rules(ctx context.Context, _ *struct{}) (*body[rulesDocument], error) {
	doc, seq, err := s.db.Rules(ctx, reader(ctx))
	return &body[rulesDocument]{rulesDocument{Document: doc, Seq: seq}}, err
}

func (s *Server) setRules(ctx context.Context, in *rulesInput) (*body[rulesChange], error) {
	moved, err := s.pipeline.PreviewRules(ctx, reader(ctx), in.Body.Document)
	if err != nil {
		return nil, err
	}
	a, err := s.pipeline.SetRules(ctx, reader(ctx), in.Body.Document, in.Key)
	if err != nil {
		return nil, err
	}
	s.settle(ctx, a.Seq)
	return &body[rulesChange]{rulesChange{Seq: a.Seq, Moved: moved}}, err
}

func (s *Server) previewRules(ctx context.Context, in *rulesInput) (*body[rulesChange], error) {
	moved, err := s.pipeline.PreviewRules(ctx, reader(ctx), in.Body.Document)
	return &body[rulesChange]{rulesChange{Moved: moved, Preview: true}}, err
}
