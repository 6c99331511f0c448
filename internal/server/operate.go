package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/pipeline"
	"github.com/sinewsec/sinew/internal/store"
)

// What an administrator does to the workspace as a whole. What takes long is one
// request: it answers with progress, and ends when the sender goes away; nothing
// half done is visible then (of rematch and remap a family is all or nothing).
// Reports are accepted all the time, and are to be seen afterwards.

func (s *Server) registerOperate() {
	const lines = "With `Accept: application/x-ndjson`, lines with the member progress come first, and one with the member result last. " +
		"When the sender goes away it stops: a rebuild has changed nothing then, and of rematch and remap the families stay that were logged already. "
	handle(s, s.route("GET /api/v1/projection", "show-projection", "Show how what readers see stands to the log, and whether it is being rebuilt"), s.projection)
	handle(s, s.route("POST /api/v1/projection/rebuild", "rebuild", "Build what readers see from the log once more, and compare",
		about(lines+"It starts from the newest checkpoint, unless whole is said."),
		long, alsoAnswers[rebuilt](s, "200", "application/json", "What came out"), alsoAnswers[rebuildLine](s, "200", ndjson, "What came out")), s.rebuild)
	handle(s, s.route("POST /api/v1/projection/rematch", "rematch", "Run today's matcher over everything that is stored",
		about(lines+"Without apply it only says what would change."),
		long, alsoAnswers[rematched](s, "200", "application/json", "What changes"), alsoAnswers[rematchLine](s, "200", ndjson, "What changes")), s.rematch)
	handle(s, s.route("POST /api/v1/projection/remap", "remap", "Run today's mappings over the evidence that is kept",
		about(lines+"Without apply it only says what would change."),
		long, alsoAnswers[rematched](s, "200", "application/json", "What changes"), alsoAnswers[rematchLine](s, "200", ndjson, "What changes")), s.remap)
	handle(s, s.route("POST /api/v1/checkpoints", "checkpoint", "Write the root hashes and a dump into the log, signed",
		about("Each request makes one more; one too many does no harm."), long, answers(http.StatusCreated)), s.checkpoint)
	handle(s, s.route("GET /api/v1/retention", "show-retention", "Show for how many days payloads are kept"), s.showRetention)
	handle(s, s.route("PUT /api/v1/retention", "set-retention", "Say for how many days payloads of a kind are kept",
		about("Deleting happens every hour, or at POST /api/v1/retention/apply.")), s.setRetention)
	handle(s, s.route("POST /api/v1/retention/apply", "apply-retention", "Delete now what is older than its retention",
		about("Each deletion has its tombstone in the log. Before bodies go a checkpoint with a dump is made."), long), s.applyRetention)
}

// projectionInfo is how the projection of a workspace stands.
type projectionInfo struct {
	Schema     string          `json:"schema" enum:"projection/v1"`
	Version    string          `json:"version" doc:"Of the code that built it"`
	Current    string          `json:"current_version" doc:"Of the code that runs; rebuild when they differ"`
	Head       int64           `json:"head" doc:"Newest entry of the log"`
	Projected  int64           `json:"projected" doc:"Newest entry that is to be seen"`
	Rebuilding bool            `json:"rebuilding"`
	Rebuilt    int64           `json:"rebuilt,omitempty" doc:"Newest entry in what is being rebuilt"`
	Holder     string          `json:"holder,omitempty" doc:"The process that projects or rebuilds now"`
	Checkpoint *checkpointInfo `json:"checkpoint,omitempty" doc:"Where a rebuild starts; absent: at the first entry"`
}

type checkpointInfo struct {
	Entry int64     `json:"entry" doc:"Of the log, that holds it"`
	Seq   int64     `json:"seq" doc:"Newest entry that is in it"`
	At    time.Time `json:"at"`
	Bytes int64     `json:"bytes" doc:"Of its dump, unpacked"`
}

func (s *Server) projection(ctx context.Context, _ *struct{}) (*body[projectionInfo], error) {
	p, err := s.db.Projection(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	out := projectionInfo{
		Schema: "projection/v1", Version: p.Version, Current: p.Current, Head: p.Head, Projected: p.Projected,
		Rebuilding: p.Rebuilding, Rebuilt: p.Rebuilt, Holder: p.Holder,
	}
	if c := p.Checkpoint; c != nil {
		out.Checkpoint = &checkpointInfo{Entry: c.Entry, Seq: c.Seq, At: c.At, Bytes: c.Bytes}
	}
	return &body[projectionInfo]{out}, nil
}

// The answers by their names in the API's description.
type (
	rebuilt    pipeline.Rebuilt
	rematched  pipeline.Rematched
	checkpoint store.Checkpoint
)

type rebuildLine struct {
	Progress *progress `json:"progress,omitempty"`
	Result   *rebuilt  `json:"result,omitempty"`
}

type rematchLine struct {
	Progress *progress  `json:"progress,omitempty"`
	Result   *rematched `json:"result,omitempty"`
}

type rebuildInput struct {
	Body struct {
		Whole bool `json:"whole,omitempty" doc:"Replay the log from its first entry, whatever checkpoints there are"`
	}
}

func (s *Server) rebuild(ctx context.Context, in *rebuildInput) (*huma.StreamResponse, error) {
	return work(ctx, s, "rebuild", func(ctx context.Context, tell func(done, of int64) error) (*rebuilt, error) {
		out, err := s.pipeline.RebuildWith(ctx, reader(ctx).Workspace, pipeline.RebuildOptions{Whole: in.Body.Whole, Progress: tell})
		return (*rebuilt)(out), err
	}, func(p *progress, r *rebuilt) any { return rebuildLine{p, r} })
}

type againInput struct {
	Body struct {
		Apply bool `json:"apply,omitempty" doc:"Log the difference, so that it counts; without it nothing is changed"`
	}
}

func (s *Server) rematch(ctx context.Context, in *againInput) (*huma.StreamResponse, error) {
	return s.again(ctx, "rematch", func(ctx context.Context, tell func(done, of int64) error) (*pipeline.Rematched, error) {
		return s.pipeline.Rematch(ctx, reader(ctx), !in.Body.Apply, tell)
	})
}

func (s *Server) remap(ctx context.Context, in *againInput) (*huma.StreamResponse, error) {
	return s.again(ctx, "remap", func(ctx context.Context, tell func(done, of int64) error) (*pipeline.Rematched, error) {
		return s.pipeline.Remap(ctx, reader(ctx), s.mapping, !in.Body.Apply, tell)
	})
}

// mapping names today's mapping of a format; empty where there is none.
func (s *Server) mapping(id string) (ref, digest string) {
	f, err := s.engine.Format(id)
	if err != nil {
		return "", ""
	}
	return f.Ref(), f.Digest
}

func (s *Server) again(ctx context.Context, stage string,
	fn func(context.Context, func(done, of int64) error) (*pipeline.Rematched, error),
) (*huma.StreamResponse, error) {
	return work(ctx, s, stage, func(ctx context.Context, tell func(done, of int64) error) (*rematched, error) {
		out, err := fn(ctx, tell)
		return (*rematched)(out), err
	}, func(p *progress, r *rematched) any { return rematchLine{p, r} })
}

// tellEvery is how often progress is told at most.
const tellEvery = 200 * time.Millisecond

// work does something long: with lines that tell its progress, or with its result
// alone.
func work[T any](ctx context.Context, s *Server, stage string,
	fn func(context.Context, func(done, of int64) error) (*T, error), line func(*progress, *T) any,
) (*huma.StreamResponse, error) {
	if !accepts(ctx, ndjson) {
		out, err := fn(ctx, func(int64, int64) error { return nil })
		if err != nil {
			return nil, err
		}
		return asJSON(ctx, http.StatusOK, out), nil
	}
	return s.lines(ctx, func(ctx context.Context, send func(any) error) error {
		out, err := fn(ctx, s.telling(stage, func(p *progress) error { return send(line(p, nil)) }))
		if err != nil {
			return err
		}
		return send(line(nil, out))
	}), nil
}

// telling passes progress on, not too often.
func (s *Server) telling(stage string, send func(*progress) error) func(done, of int64) error {
	var last time.Time
	return func(done, of int64) error {
		now := s.now()
		if now.Sub(last) < tellEvery {
			return nil
		}
		last = now
		return send(&progress{Stage: stage, Done: done, Total: of})
	}
}

func (s *Server) checkpoint(ctx context.Context, _ *struct{}) (*body[checkpoint], error) {
	c, err := s.pipeline.Checkpoint(ctx, reader(ctx))
	if err != nil {
		return nil, err
	}
	return &body[checkpoint]{checkpoint(*c)}, nil
}

// retention is for how many days payloads are kept.
type retention struct {
	Schema string                 `json:"schema" enum:"retention/v1"`
	Days   map[store.BlobKind]int `json:"days" doc:"By kind; 0 is for ever"`
}

func (s *Server) showRetention(ctx context.Context, _ *struct{}) (*body[retention], error) {
	days, err := s.db.Retention(ctx, reader(ctx).Workspace)
	return &body[retention]{retention{"retention/v1", days}}, err
}

type retentionInput struct {
	Body struct {
		Kind store.BlobKind `json:"kind" doc:"evidence, attachment, body (what reports say, normalised) or dump (of checkpoints; the newest always stays)"`
		Days int            `json:"days" minimum:"0" maximum:"36500" doc:"0 keeps for ever"`
	}
}

func (s *Server) setRetention(ctx context.Context, in *retentionInput) (*body[retention], error) {
	if err := s.db.SetRetention(ctx, reader(ctx), in.Body.Kind, in.Body.Days); err != nil {
		return nil, err
	}
	return s.showRetention(ctx, nil)
}

type deletedPayloads struct {
	Schema  string `json:"schema" enum:"retained/v1"`
	Deleted int    `json:"deleted"`
}

func (s *Server) applyRetention(ctx context.Context, _ *struct{}) (*body[deletedPayloads], error) {
	n, err := s.pipeline.Retain(ctx, reader(ctx).Workspace)
	if err != nil {
		return nil, err
	}
	return &body[deletedPayloads]{deletedPayloads{"retained/v1", n}}, nil
}
