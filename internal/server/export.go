package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/export"
	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerExport() {
	handle(s, s.route("GET /api/v1/findings/export", "export-findings", "Download the findings of a filter as CSV, JSON or SARIF 2.1.0",
		about("Exactly the findings of the filter, in the order of sort; in SARIF, which has a run for each tool, within the tool. Pages are "+
			"read one after another, each at its own moment. An answer that breaks off is aborted."), long, fileOut), s.export)
}

type exportInput struct {
	Filter string `query:"filter" maxLength:"8192" doc:"Which findings: see docs/filter.md"`
	Sort   string `query:"sort" doc:"As for the list"`
	Format string `query:"format" enum:"csv,json,sarif" default:"csv"`
}

func (s *Server) export(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	q, err := filter.Parse(in.Filter)
	if err != nil {
		return nil, err
	}
	parts := []*filter.Query{q}
	if in.Format == "sarif" {
		if parts, err = s.byTool(ctx, q); err != nil {
			return nil, err
		}
	}
	p := store.Page{Sort: in.Sort, Limit: exportPage}
	if len(parts) == 0 || in.Sort != "" { // faults of the request are told before the stream
		if _, _, err := s.db.Findings(ctx, reader(ctx), q, store.Page{Sort: in.Sort, Limit: 1}); err != nil {
			return nil, err
		}
	}
	now := s.now().UTC().Truncate(time.Second)
	contentType, ending := export.ContentType(in.Format)
	return &huma.StreamResponse{Body: func(huma.Context) {
		c := callOf(ctx)
		_, slow := s.slow(c)
		attachment(slow.Header(), contentType, "findings-"+now.Format("2006-01-02")+ending)
		w, err := export.New(slow, in.Format, export.Info{Version: s.version, Filter: q.String(), Created: now})
		for i := 0; err == nil && i < len(parts); i++ {
			err = s.eachFinding(ctx, parts[i], p, w.Write)
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			c.log.ErrorContext(ctx, "export failed", "error", err)
			panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer must not look whole
		}
	}}, nil
}

// byTool divides a filter by the tools of its findings.
func (s *Server) byTool(ctx context.Context, q *filter.Query) (parts []*filter.Query, err error) {
	p := store.Page{Limit: store.MaxPage}
	for {
		groups, next, err := s.db.Groups(ctx, reader(ctx), q, "tool", p)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			part, err := filter.Parse(g.Filter)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if next == "" {
			return parts, nil
		}
		p.After = next
	}
}

// eachFinding gives every finding of a filter, a page in memory at a time.
func (s *Server) eachFinding(ctx context.Context, q *filter.Query, p store.Page, fn func(*sinew.Finding) error) error {
	for {
		items, next, err := s.db.Findings(ctx, reader(ctx), q, p)
		if err != nil {
			return err
		}
		for i := range items {
			if err := fn(&items[i]); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		p.After = next
	}
}
