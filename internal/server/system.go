package server

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

func (s *Server) register() {
	s.registerSystem()
	s.registerFindings()
	s.registerGroups()
	s.registerIssues()
	s.registerExport()
	s.registerEvidence()
	s.registerDecisions()
	s.registerDedup()
	s.registerDecisionLog()
	s.registerViews()
	s.registerCoverage()
	s.registerImports()
	s.registerData()
	s.registerLog()
	s.registerOperate()
	s.registerSessions()
	s.registerProvidersSignIn()
	s.registerProviders()
	s.registerUsers()
	s.registerTokens()
	s.registerJoin()
}

func (s *Server) registerSystem() {
	handle(s, s.route("GET /health/live", "live", "Is the process alive?"), s.live)
	handle(s, s.route("GET /health/ready", "ready", "Can it answer?"), s.ready)
	handle(s, s.route("GET /api/v1/openapi.json", "openapi", "This description"), s.openAPI)
	handle(s, s.route("GET /api/v1/version", "version", "What runs here"), s.versions)
	handle(s, s.route("GET /api/v1/formats", "list-formats", "List the report formats that are read"), s.formats)
}

type health struct {
	Status string `json:"status" example:"ok"`
}

func (s *Server) live(context.Context, *struct{}) (*body[health], error) {
	return &body[health]{health{"ok"}}, nil
}

func (s *Server) ready(ctx context.Context, _ *struct{}) (*body[health], error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := s.db.LiveSpace(ctx, s.workspace.ID); err != nil {
		callOf(ctx).log.ErrorContext(ctx, "not ready", "error", err)
		return nil, sinew.Errorf(sinew.CodeUnavailable, "the database does not answer").Hint("try again in a few seconds")
	}
	return &body[health]{health{"ok"}}, nil
}

func (s *Server) openAPI(context.Context, *struct{}) (*huma.StreamResponse, error) {
	doc, err := s.document()
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		ctx.SetStatus(200)
		_, _ = ctx.BodyWriter().Write(doc) // the sender is gone if it fails
	}}, err
}

// versionInfo is what runs here.
type versionInfo struct {
	Version  string   `json:"version"`
	Database string   `json:"database" enum:"sqlite,postgres"`
	Schemas  []string `json:"schemas" doc:"Versions of the contracts that leave the process" nullable:"false"`
}

func (s *Server) versions(context.Context, *struct{}) (*body[versionInfo], error) {
	return &body[versionInfo]{versionInfo{
		Version: s.version, Database: s.db.Engine(), Schemas: []string{"api/v1", filter.Schema, sinew.SnapshotSchema, "rules/v1"},
	}}, nil
}

// formatInfo is a report format.
type formatInfo struct {
	ID         string   `json:"id"`
	Version    int      `json:"version"`
	Name       string   `json:"name"`
	Kinds      []string `json:"kinds" doc:"Kinds of files: json, xml, ..." nullable:"false"`
	DefectDojo []string `json:"defectdojo,omitempty" doc:"Scan types of DefectDojo that it answers to"`
	Digest     string   `json:"digest" doc:"SHA-256 of the mapping"`
}

func (s *Server) formats(context.Context, *struct{}) (*body[list[formatInfo]], error) {
	var out []formatInfo
	for _, f := range s.engine.Formats() {
		out = append(out, formatInfo{ID: f.ID, Version: f.Version, Name: f.Name, Kinds: orEmpty(f.Kinds), DefectDojo: f.DefectDojo, Digest: f.Digest})
	}
	return &body[list[formatInfo]]{list[formatInfo]{Items: orEmpty(out)}}, nil
}
