package server

import (
	"cmp"
	"context"
	"net/http"

	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerDedup() {
	handle(s, s.route("GET /api/v1/dedup/stats", "dedup-stats", "Count what several streams tell of the same problems"), s.dedupStats)
	handle(s, s.route("GET /api/v1/dedup/explain", "explain-dedup", "Say whether two findings are one problem, and why"), s.explainDedup)
	handle(s, s.route("GET /api/v1/links", "list-links", "List what people said of findings being the same"), s.links)
	handle(s, s.route("POST /api/v1/links", "link", "Say that findings are, or are not, the same problem", answers(http.StatusCreated)), s.link)
	handle(s, s.route("POST /api/v1/links/preview", "preview-link", "Show what a link would change"), s.previewLink)
	handle(s, s.route("POST /api/v1/links/{id}/undo", "undo-link", "Take back a link", answers(http.StatusCreated)), s.undoLink)
	handle(s, s.route("GET /api/v1/intel", "list-intelligence", "List what was imported of what others publish"), s.intel)
	handle(s, s.route("POST /api/v1/intel/aliases", "import-aliases", "Import which names vulnerabilities have, from a bundle of OSV records",
		about("The body is the bundle: all.zip of an ecosystem as osv.dev exports it, a JSON array of records, or a record a line."),
		long, answers(http.StatusCreated)), s.importAliases)
	s.api.OpenAPI().Paths["/api/v1/intel/aliases"].Post.RequestBody = reportIn()
	handle(s, s.route("GET /api/v1/scanners", "list-scanners", "Tell what each tool contributes, and what would be lost without it"), s.scanners)
}

func (s *Server) dedupStats(ctx context.Context, _ *struct{}) (*body[store.DedupStats], error) {
	out, err := s.db.DedupStats(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	return &body[store.DedupStats]{*out}, nil
}

type explainInput struct {
	A string `query:"a" required:"true" maxLength:"100" doc:"Id of a finding"`
	B string `query:"b" required:"true" maxLength:"100" doc:"Id of another"`
}

// dedupExplanation says whether two findings are one problem.
type dedupExplanation struct {
	Same   bool              `json:"same"`
	Why    string            `json:"why" doc:"One sentence: the rule, or what keeps them apart"`
	Rule   string            `json:"rule,omitempty" doc:"By which the two alone would be the same"`
	Fields []sinew.JoinField `json:"fields" nullable:"false" doc:"What the rule compares"`
	Others []string          `json:"others,omitempty" doc:"Findings that hold them together, where no rule does directly"`
	A      sinew.Finding     `json:"a"`
	B      sinew.Finding     `json:"b"`
}

func (s *Server) explainDedup(ctx context.Context, in *explainInput) (*body[dedupExplanation], error) {
	e, err := s.pipeline.ExplainDedup(ctx, reader(ctx), in.A, in.B)
	if err != nil {
		return nil, err
	}
	out := dedupExplanation{Same: e.Same, Why: e.Why, Rule: e.Rule, Fields: orEmpty(e.Values)}
	if out.Others, err = s.findingNames(ctx, e.Others); err != nil {
		return nil, err
	}
	for id, f := range map[string]*sinew.Finding{in.A: &out.A, in.B: &out.B} {
		d, err := s.db.Finding(ctx, reader(ctx), id)
		if err != nil {
			return nil, err
		}
		*f = d.Finding
	}
	return &body[dedupExplanation]{out}, nil
}

// findingNames gives the public ids of findings.
func (s *Server) findingNames(ctx context.Context, ids []int64) ([]string, error) {
	ws, err := s.db.WorkspaceByID(ctx, reader(ctx).Workspace)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, id := range ids {
		out = append(out, sinew.PublicID(ws.UUID, sinew.IDFinding, id))
	}
	return out, nil
}

func (s *Server) links(ctx context.Context, _ *struct{}) (*body[list[store.LinkInfo]], error) {
	items, err := s.db.LinksSeen(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	return &body[list[store.LinkInfo]]{list[store.LinkInfo]{Items: items}}, nil
}

type linkInput struct {
	Once
	Body link
}

// link is what a person says of findings.
type link struct {
	Kind     sinew.LinkKind `json:"kind" enum:"same,different,never" doc:"same: all are one problem; different: the first is none of the others; never: findings of their rules never are, in this application"`
	Findings []string       `json:"findings" minItems:"2" maxItems:"100" doc:"Ids"`
	Reason   string         `json:"reason,omitempty" maxLength:"10000"`
}

func (s *Server) link(ctx context.Context, in *linkInput) (*body[accepted], error) {
	a, err := s.pipeline.Link(ctx, reader(ctx), sinew.Link(in.Body), in.Key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, a, sinew.IDDecision)
}

// linkPreview is what a link would change.
type linkPreview struct {
	Before [][]string `json:"before" nullable:"false" doc:"Clusters of the findings as they are"`
	After  [][]string `json:"after" nullable:"false" doc:"As they would be"`
}

func (s *Server) previewLink(ctx context.Context, in *linkInput) (*body[linkPreview], error) {
	p, err := s.pipeline.PreviewLink(ctx, reader(ctx), sinew.Link(in.Body))
	if err != nil {
		return nil, err
	}
	out := linkPreview{Before: [][]string{}, After: [][]string{}}
	for clusters, to := range map[*[][]int64]*[][]string{&p.Before: &out.Before, &p.After: &out.After} {
		for _, c := range *clusters {
			names, err := s.findingNames(ctx, c)
			if err != nil {
				return nil, err
			}
			*to = append(*to, names)
		}
	}
	return &body[linkPreview]{out}, nil
}

type undoLinkInput struct {
	Once
	ID string `path:"id" maxLength:"100"`
}

func (s *Server) undoLink(ctx context.Context, in *undoLinkInput) (*body[accepted], error) {
	ws, err := s.db.WorkspaceByID(ctx, reader(ctx).Workspace)
	if err != nil {
		return nil, err
	}
	local, err := sinew.ParsePublicID(ws.UUID, sinew.IDDecision, in.ID)
	if err != nil {
		return nil, err
	}
	seq, _ := sinew.SplitLocalID(local)
	a, err := s.pipeline.UndoLink(ctx, reader(ctx), seq, in.Key)
	if err != nil {
		return nil, err
	}
	return s.accepted(ctx, a, sinew.IDDecision)
}

func (s *Server) intel(ctx context.Context, _ *struct{}) (*body[list[pipeline.Intelligence]], error) {
	items, err := s.pipeline.Intel(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	return &body[list[pipeline.Intelligence]]{list[pipeline.Intelligence]{Items: items}}, nil
}

type aliasesInput struct {
	Name string `query:"name" maxLength:"200" doc:"Of the file"`
}

// importedAliases is what a bundle told.
type importedAliases struct {
	Seq     int64 `json:"seq" doc:"Entry of the log"`
	Records int   `json:"records"`
	Sets    int   `json:"sets" doc:"Vulnerabilities with several names"`
}

func (s *Server) importAliases(ctx context.Context, in *aliasesInput) (*body[importedAliases], error) {
	leave, err := s.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	from, name, _, err := s.report(callOf(ctx))
	if err != nil {
		return nil, err
	}
	a, entry, err := s.pipeline.ImportAliases(ctx, reader(ctx), cmp.Or(in.Name, name, "aliases"), from)
	if err != nil {
		return nil, err
	}
	s.settle(ctx, a.Seq)
	return &body[importedAliases]{importedAliases{Seq: a.Seq, Records: entry.Records, Sets: entry.Sets}}, nil
}

func (s *Server) scanners(ctx context.Context, _ *struct{}) (*body[list[store.Scanner]], error) {
	items, err := s.db.Scanners(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	return &body[list[store.Scanner]]{list[store.Scanner]{Items: orEmpty(items)}}, nil
}
