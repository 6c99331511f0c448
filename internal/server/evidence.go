package server

import (
	"bytes"
	"context"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

func (s *Server) registerEvidence() {
	handle(s, s.route("GET /api/v1/findings/{id}/evidence", "show-evidence", "Show the row of the redacted report that a finding was read from",
		about("The report is read again up to that row; values of secrets are not in it.")), s.evidence)
	handle(s, s.route("GET /api/v1/snapshots/{id}/evidence", "download-evidence", "Download the redacted report of a snapshot",
		about("Only for who sees everything that the report is about."), long, fileOut), s.downloadEvidence)
	handle(s, s.route("POST /api/v1/formats/detect", "detect-format", "Say which format a file has, from its beginning",
		about("The body is the first bytes of the file, at most 256 KiB."), bytesIn(detectBytes)), s.detect)
}

// EvidenceExcerpt is the row of a report that a finding was read from.
type EvidenceExcerpt struct {
	Report    string    `json:"report,omitempty" doc:"Name of the file"`
	Digest    string    `json:"digest,omitempty" doc:"SHA-256 of the redacted report; absent if none was kept"`
	Media     string    `json:"media,omitempty" doc:"application/json, application/xml, text/csv or text/plain"`
	Excerpt   string    `json:"excerpt,omitempty" doc:"The row; JSON is indented"`
	Line      int       `json:"line,omitempty" doc:"Of the report, on which the row begins"`
	Member    string    `json:"member,omitempty" doc:"File inside the archive"`
	Truncated bool      `json:"truncated,omitempty" doc:"The row is larger than 64 KiB"`
	Deleted   time.Time `json:"deleted,omitzero" doc:"The report was deleted then"`
}

// evidenceSlots is how many reports are searched for a row at a time.
const evidenceSlots = 2

func (s *Server) evidence(ctx context.Context, in *idInput) (*body[EvidenceExcerpt], error) {
	select {
	case s.excerpts <- struct{}{}:
		defer func() { <-s.excerpts }()
	case <-ctx.Done():
		return nil, sinew.Errorf(sinew.CodeUnavailable, "too many reports are being searched").Hint("try again in a few seconds")
	}
	e, err := s.pipeline.Evidence(ctx, reader(ctx), s.engine, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[EvidenceExcerpt]{EvidenceExcerpt{
		Report: e.Report, Digest: e.Digest, Media: e.Media, Excerpt: e.Text, Line: e.Line, Member: e.Member, Truncated: e.Truncated, Deleted: e.Deleted,
	}}, nil
}

// fileOut documents an answer that is a file.
func fileOut(op *huma.Operation) {
	op.Responses = map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{
		"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}}
}

// attachment makes an answer a file to be kept, not shown: what strangers wrote
// must not run in our origin.
func attachment(h http.Header, contentType, name string) {
	h.Set("Content-Type", contentType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name)}))
}

// fileName is name without anything that a file system might take for a path.
func fileName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if name == "." || name == ".." || name == "" {
		return "report"
	}
	return name
}

func (s *Server) downloadEvidence(ctx context.Context, in *idInput) (*huma.StreamResponse, error) {
	r := reader(ctx)
	blob, err := s.db.OpenEvidence(ctx, r, in.ID)
	if err != nil {
		return nil, err
	}
	sn, err := s.db.Snapshot(ctx, r, in.ID)
	if err != nil {
		_ = blob.Close() // nothing was written
		return nil, err
	}
	return &huma.StreamResponse{Body: func(huma.Context) {
		defer blob.Close()
		c := callOf(ctx)
		_, w := s.slow(c)
		attachment(w.Header(), "application/octet-stream", sn.Snapshot.ReportName)
		if _, err := io.Copy(w, blob); err != nil {
			c.log.ErrorContext(ctx, "download failed", "error", err)
			panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer must not look whole
		}
	}}, nil
}

// detectBytes is how much of a file is looked at.
const detectBytes = 256 << 10

type detectInput struct {
	Name    string `query:"name" maxLength:"1000" doc:"Name of the file"`
	RawBody []byte `contentType:"application/octet-stream"`
}

// Candidate is a format that a file may have.
type Candidate struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Detected is what the beginning of a file tells.
type Detected struct {
	Format     string      `json:"format,omitempty" doc:"Id; absent if none or several fit"`
	Name       string      `json:"name,omitempty"`
	Certain    bool        `json:"certain" doc:"Exactly this format, and the whole file was sent"`
	Candidates []Candidate `json:"candidates" nullable:"false" doc:"Formats that fit, the one that is taken first"`
	Why        string      `json:"why,omitempty" doc:"Where no format is named: what the file looks like, and what to do"`
}

func (s *Server) detect(ctx context.Context, in *detectInput) (*body[Detected], error) {
	out := Detected{Candidates: []Candidate{}}
	found, err := s.engine.Guess(ctx, format.Input{Name: in.Name, R: bytes.NewReader(in.RawBody), Size: int64(len(in.RawBody))})
	if err != nil {
		return nil, err
	}
	for _, f := range found.Formats {
		out.Candidates = append(out.Candidates, Candidate{f.ID, f.Name})
	}
	if found.Format != nil {
		out.Format, out.Name = found.Format.ID, found.Format.Name
		out.Certain = len(in.RawBody) < detectBytes
	}
	out.Why = found.Why
	return &body[Detected]{out}, nil
}
