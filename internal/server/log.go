package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerLog() {
	handle(s, s.route("GET /api/v1/log", "list-log", "List or search the entries of the log, oldest first",
		about("The cursor is the number of the first entry wanted.")), s.entries)
	handle(s, s.route("GET /api/v1/log/{seq}", "show-log", "Show an entry of the log"), s.entry)
	handle(s, s.route("POST /api/v1/log/verify", "verify-log", "Check chain, payloads, blobs and signatures",
		about("With `Accept: application/x-ndjson`, lines with the member progress come first, and one with the member report last."),
		long, alsoAnswers[verification](s, "200", "application/json", "What was found"),
		alsoAnswers[verifyLine](s, "200", ndjson, "What was found")), s.verify)
	handle(s, s.route("GET /api/v1/backup", "backup", "Download a backup of the whole database, which restores on either engine",
		long, bytesOut), s.backup)
}

// logEntry is an entry of the log.
type logEntry struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Kind    sinew.EntryKind `json:"kind"`
	Actor   string          `json:"actor" doc:"Pseudonym, or system"`
	Digest  string          `json:"digest" doc:"SHA-256 of the payload"`
	Hash    string          `json:"hash" doc:"Of the entry, in the chain"`
	Payload json.RawMessage `json:"payload,omitempty" doc:"Absent once deleted"`
}

func newEntry(e *sinew.Entry) logEntry {
	return logEntry{
		Seq: e.Seq, At: e.At, Kind: e.Kind, Actor: e.Actor, Digest: hex.EncodeToString(e.Digest[:]), Hash: hex.EncodeToString(e.Hash[:]),
		Payload: json.RawMessage(e.Payload),
	}
}

// logInput asks for entries of the log.
type logInput struct {
	Paging
	Kind  []string  `query:"kind" maxItems:"20" doc:"Of these kinds only: snapshot, decision, rules, ..."`
	Actor string    `query:"actor" maxLength:"200" doc:"By this pseudonym or login only, or system"`
	From  time.Time `query:"from" doc:"At this time or later"`
	To    time.Time `query:"to" doc:"Before this time"`
	Text  string    `query:"q" maxLength:"200" doc:"Found anywhere in the payload. A page may be short: one request looks at 20,000 entries at most"`
	Order string    `query:"order" enum:"oldest,newest" default:"oldest"`
}

func (s *Server) entries(ctx context.Context, in *logInput) (*body[list[logEntry]], error) {
	search := store.LogSearch{Actor: in.Actor, From: in.From, To: in.To, Text: in.Text, Newest: in.Order == "newest", Limit: in.Limit}
	for _, kind := range in.Kind {
		search.Kinds = append(search.Kinds, sinew.EntryKind(kind))
	}
	if in.Cursor != "" {
		var err error
		if search.Start, err = strconv.ParseInt(in.Cursor, 10, 64); err != nil || search.Start < 1 {
			return nil, sinew.Errorf(sinew.CodeInvalid, "the cursor is no number of an entry").Hint("begin again without a cursor")
		}
	}
	all, more, err := s.db.SearchLog(ctx, reader(ctx), search)
	if err != nil {
		return nil, err
	}
	out, next := make([]logEntry, len(all)), ""
	for i := range all {
		out[i] = newEntry(&all[i])
	}
	if more > 0 {
		next = strconv.FormatInt(more, 10)
	}
	return page(ctx, out, next), nil
}

type entryInput struct {
	Seq int64 `path:"seq" minimum:"1"`
}

func (s *Server) entry(ctx context.Context, in *entryInput) (*body[logEntry], error) {
	e, err := s.db.Entry(ctx, reader(ctx), in.Seq)
	return &body[logEntry]{newEntry(&e)}, err
}

// verification is what checking the log found.
type verification struct {
	Schema  string                    `json:"schema" enum:"verify/v1"`
	OK      bool                      `json:"ok"`
	Entries int64                     `json:"entries"`
	Kinds   map[sinew.EntryKind]int64 `json:"kinds" doc:"Entries of each kind"`
	Blobs   int64                     `json:"blobs"`
	Head    string                    `json:"head" doc:"Hash of the newest entry"`
	State   string                    `json:"state_hash"`
	History string                    `json:"history_hash"`
	Problem string                    `json:"problem,omitempty" doc:"The first thing that does not fit"`
	BadSeq  int64                     `json:"bad_seq,omitempty" doc:"Its entry"`
}

// verifyLine is one line of a streamed verification; exactly one member is
// there.
type verifyLine struct {
	Progress *progress     `json:"progress,omitempty"`
	Report   *verification `json:"report,omitempty"`
}

// progress tells how far something long is.
type progress struct {
	Stage string `json:"stage,omitempty"`
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty" doc:"0 while it is unknown"`
}

func (s *Server) verify(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	if accepts(ctx, ndjson) {
		return s.lines(ctx, func(ctx context.Context, send func(any) error) error {
			found, err := s.check(ctx, func(done, of int64) error {
				return send(verifyLine{Progress: &progress{Stage: "verify", Done: done, Total: of}})
			})
			if err != nil {
				return err
			}
			return send(verifyLine{Report: found})
		}), nil
	}
	found, err := s.check(ctx, nil)
	if err != nil {
		return nil, err
	}
	return asJSON(ctx, http.StatusOK, found), nil
}

// check verifies the log, and hashes what was built from it.
func (s *Server) check(ctx context.Context, tell func(done, of int64) error) (*verification, error) {
	ws := reader(ctx).Workspace
	opt := store.VerifyOptions{Progress: tell}
	if s.signer != nil {
		w, err := s.db.WorkspaceByID(ctx, ws)
		if err != nil {
			return nil, err
		}
		opt.Key = s.signer(w.UUID)
	}
	r, err := s.db.VerifyLog(ctx, ws, opt)
	if err != nil {
		return nil, err
	}
	out := &verification{Schema: "verify/v1", OK: r.OK(), Entries: r.Entries, Kinds: r.Kinds, Blobs: r.Blobs, Head: r.Head}
	if !r.OK() {
		out.Problem, out.BadSeq = r.Problems[0].What, r.Problems[0].Seq
	}
	space, err := s.db.LiveSpace(ctx, ws)
	if err != nil {
		return nil, err
	}
	state, err := s.db.StateHash(ctx, space.ID)
	if err != nil {
		return nil, err
	}
	history, err := s.db.HistoryHash(ctx, space.ID)
	out.State, out.History = state.String(), history.String()
	return out, err
}

func bytesOut(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"200": {Description: "The archive", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}}
}

// backup streams an archive. It is aborted when it fails on the way, so that
// nobody takes half of it for a whole.
func (s *Server) backup(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	if s.archive == nil {
		return nil, sinew.Errorf(sinew.CodeUnavailable, "this process makes no backups").Hint("use `sinew backup --database`")
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		c := callOf(ctx)
		_, w := s.slow(c)
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="sinew.backup"`)
		if err := s.archive(ctx, w); err != nil {
			c.log.ErrorContext(ctx, "backup failed", "error", err)
			panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer must not look whole
		}
	}}, nil
}
