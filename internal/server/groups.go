package server

import (
	"context"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

func (s *Server) registerGroups() {
	handle(s, s.route("GET /api/v1/findings/groups", "group-findings", "Group findings: how many share a rule, root cause, component, application or file",
		about("The worst groups come first, of these the largest. The filter of a group finds exactly its findings. See docs/api.md for what a "+
			"root cause is.")), s.groups)
}

type groupsInput struct {
	Filter string `query:"filter" maxLength:"8192" doc:"Which findings: see docs/filter.md"`
	By     string `query:"by" enum:"rule,root_cause,component,application,file,tool" default:"rule" doc:"What the findings of a group share"`
	Paging
}

// FindingGroup is findings that share something.
type FindingGroup struct {
	Key        string                   `json:"key" doc:"What they share; empty for those that have no such thing"`
	Title      string                   `json:"title"`
	Count      int64                    `json:"count"`
	Severities map[sinew.Severity]int64 `json:"severities"`
	Worst      sinew.Severity           `json:"worst"`
	Filter     string                   `json:"filter" doc:"The given filter and what they share: finds exactly these findings"`
}

func (s *Server) groups(ctx context.Context, in *groupsInput) (*body[list[FindingGroup]], error) {
	q, err := filter.Parse(in.Filter)
	if err != nil {
		return nil, err
	}
	all, next, err := s.db.Groups(ctx, reader(ctx), q, in.By, in.page())
	if err != nil {
		return nil, err
	}
	out := make([]FindingGroup, len(all))
	for i, g := range all {
		out[i] = FindingGroup(g)
	}
	p := page(ctx, out, next)
	p.Body.Notes = q.Notes()
	return p, nil
}
