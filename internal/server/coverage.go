package server

import (
	"context"
	"time"

	ident "github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

func (s *Server) registerCoverage() {
	handle(s, s.route("GET /api/v1/coverage", "coverage", "What was tested, when, and what is missing: one row for each application and test",
		about("Which tests are required and how often stands in the section coverage of the rules, see docs/rules.md.")), s.coverage)
	handle(s, s.route("GET /api/v1/onboarding", "onboarding", "The first steps, and which of them were done"), s.onboarding)
}

// CoverageRow is one application and one test.
type CoverageRow struct {
	Application  string               `json:"application" doc:"Empty for what belongs to none"`
	BusinessUnit string               `json:"businessunit,omitempty"`
	Organisation string               `json:"organisation,omitempty"`
	Test         ident.Test           `json:"test" enum:"code,dependency,secret,iac,container,web,infrastructure"`
	Required     bool                 `json:"required"`
	Every        float64              `json:"every" doc:"Days; 0 where once is enough or nothing is required"`
	Tools        []string             `json:"tools" nullable:"false"`
	Last         time.Time            `json:"last,omitzero" doc:"The newest scan that did not fail"`
	Due          time.Time            `json:"due,omitzero"`
	Gap          ident.Gap            `json:"gap" enum:"none,never,overdue,failed,not_required"`
	Scope        sinew.CoverageStatus `json:"scope,omitempty" doc:"How completely it looked: complete, partial, failed; absent where nobody tells"`
	Basis        sinew.Basis          `json:"basis,omitempty" doc:"Who says so: proven by the report, or declared by the uploader"`
	Streams      int                  `json:"streams" doc:"How many streams do it"`
	StreamIDs    []string             `json:"stream_ids" nullable:"false" doc:"Those that you see"`
}

// coverage gives whole applications: a page may be a little longer than asked
// for. Its cursor is the name of the last application.
func (s *Server) coverage(ctx context.Context, in *Paging) (*body[list[CoverageRow]], error) {
	all, err := s.db.Coverage(ctx, reader(ctx))
	out, next := []CoverageRow{}, ""
	for i, c := range all {
		if in.Cursor != "" && c.Application != "" && c.Application <= in.Cursor {
			continue
		}
		if len(out) >= in.Limit && c.Application != all[i-1].Application {
			next = all[i-1].Application
			break
		}
		out = append(out, CoverageRow(c))
	}
	return page(ctx, out, next), err
}

// OnboardingItem is something that a new workspace wants done.
type OnboardingItem struct {
	ID   string    `json:"id" enum:"first_report,applications,second_user,ci_token,provider,first_decision"`
	Done bool      `json:"done"`
	At   time.Time `json:"at,omitzero" doc:"When, where that is known"`
}

func (s *Server) onboarding(ctx context.Context, _ *struct{}) (*body[list[OnboardingItem]], error) {
	all, err := s.db.Onboarding(ctx, reader(ctx))
	out := make([]OnboardingItem, len(all))
	for i, step := range all {
		out[i] = OnboardingItem(step)
	}
	return page(ctx, out, ""), err
}
