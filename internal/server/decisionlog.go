package server

import (
	"context"
	"net/http"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

func (s *Server) registerDecisionLog() {
	handle(s, s.route("GET /api/v1/decisions", "list-decisions", "List what was decided about findings that you see, newest first"), s.decisions)
	handle(s, s.route("POST /api/v1/decisions/{id}/undo", "undo-decision", "Take back a decision where it still stands", answers(http.StatusCreated),
		about("Every finding on which nobody has decided since gets what stood before: verdict, reason, end and owner. It is a decision of its "+
			"own in the log, and can be taken back in turn.")), s.undo)
}

// DecisionInfo is what somebody decided.
type DecisionInfo struct {
	ID       string        `json:"id"`
	Seq      int64         `json:"seq" doc:"Entry of the log"`
	At       time.Time     `json:"at"`
	By       string        `json:"by" doc:"Pseudonym"`
	ByName   string        `json:"by_name,omitempty"`
	Verdict  sinew.Verdict `json:"verdict,omitempty" doc:"Absent where an earlier decision was taken back"`
	Reason   string        `json:"reason,omitempty"`
	Until    time.Time     `json:"until,omitzero"`
	Owner    string        `json:"owner,omitempty"`
	Findings int64         `json:"findings" doc:"How many it was applied to, of those that you see"`
	Undoes   string        `json:"undoes,omitempty" doc:"The decision that it took back"`
	UndoneBy string        `json:"undone_by,omitempty" doc:"The newest one that took it back"`
}

func (s *Server) decisions(ctx context.Context, in *Paging) (*body[list[DecisionInfo]], error) {
	all, next, err := s.db.Decisions(ctx, reader(ctx), in.page())
	out := make([]DecisionInfo, len(all))
	for i, d := range all {
		out[i] = DecisionInfo(d)
	}
	return page(ctx, out, next), err
}

type undoInput struct {
	Once
	ID string `path:"id" maxLength:"100"`
}

// undone is what became of taking back a decision.
type undone struct {
	ID        string `json:"id" doc:"Of the new decision"`
	Seq       int64  `json:"seq" doc:"Entry of the log"`
	Restored  int    `json:"restored" doc:"Findings that got back what stood before"`
	Kept      int    `json:"kept" doc:"Findings that stay as they are: somebody decided since, or nothing stands any more"`
	Duplicate bool   `json:"duplicate,omitempty" doc:"Accepted before under the same idempotency key"`
}

func (s *Server) undo(ctx context.Context, in *undoInput) (*body[undone], error) {
	u, err := s.pipeline.Undo(ctx, reader(ctx), in.ID, in.Key)
	if err != nil {
		return nil, err
	}
	a, err := s.accepted(ctx, u.Accepted, sinew.IDDecision)
	if err != nil {
		return nil, err
	}
	return &body[undone]{undone{ID: a.Body.ID, Seq: u.Seq, Restored: u.Restored, Kept: u.Kept, Duplicate: u.Duplicate}}, nil
}
