package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerFindings() {
	handle(s, s.route("GET /api/v1/findings", "list-findings", "List findings",
		about("With `Accept: application/x-ndjson`, every finding, one a line, without a limit unless one is given; an error on the way "+
			"is a last line with the member error."),
		longFor(ndjson), alsoAnswers[list[sinew.Finding]](s, "200", "application/json", "Findings"),
		alsoAnswers[sinew.Finding](s, "200", ndjson, "Findings")), s.findings)
	handle(s, s.route("GET /api/v1/findings/counts", "count-findings", "Count findings"), s.counts)
	handle(s, s.route("GET /api/v1/findings/{id}", "show-finding", "Show a finding: history, presences, evidence, why it matched"), s.finding)
	handle(s, s.route("GET /api/v1/filter/fields", "list-filter-fields", "List what can be asked about"), s.filterFields)
	handle(s, s.route("GET /api/v1/filter/complete", "complete-filter", "Complete a filter at a cursor"), s.filterComplete)
}

type findingsInput struct {
	Filter string `query:"filter" maxLength:"8192" example:"severity:>=high is:open" doc:"Which findings: see docs/filter.md"`
	Sort   string `query:"sort" doc:"By what: severity, recorded, first_seen, last_seen, since or title, with - in front for the other way; -severity if empty"`
	Limit  int    `query:"limit" minimum:"1" doc:"Rows of a page, 50 if not given, 1000 at most; of an export, all if not given"`
	Cursor string `query:"cursor" doc:"Where to go on: from next of the page before"`
}

func (s *Server) findings(ctx context.Context, in *findingsInput) (*huma.StreamResponse, error) {
	q, err := filter.Parse(in.Filter)
	if err != nil {
		return nil, err
	}
	p := store.Page{Sort: in.Sort, After: in.Cursor, Limit: in.Limit}
	if !accepts(ctx, ndjson) {
		items, next, err := s.db.Findings(ctx, reader(ctx), q, p)
		if err != nil {
			return nil, err
		}
		out := page(ctx, items, next)
		out.Body.Notes = q.Notes()
		return asJSON(ctx, http.StatusOK, out.Body), nil
	}
	p.Limit = exportPage
	if in.Limit > 0 {
		p.Limit = min(in.Limit, exportPage)
	}
	items, next, err := s.db.Findings(ctx, reader(ctx), q, p) // faults of the request are told before the stream
	if err != nil {
		return nil, err
	}
	return s.lines(ctx, func(ctx context.Context, send func(any) error) error {
		for left := in.Limit; ; {
			for i := range items {
				if err := send(&items[i]); err != nil {
					return err
				}
			}
			if left -= len(items); next == "" || (in.Limit > 0 && left <= 0) {
				return nil
			}
			p.After = next
			if in.Limit > 0 {
				p.Limit = min(left, exportPage)
			}
			if items, next, err = s.db.Findings(ctx, reader(ctx), q, p); err != nil {
				return err
			}
		}
	}), nil
}

// exportPage is how many rows an export holds at a time.
const exportPage = 1000

type idInput struct {
	ID string `path:"id" maxLength:"100"`
}

// findingDetail is everything known of one finding.
type findingDetail struct {
	sinew.Finding
	Presences   []sinew.Presence   `json:"presences" nullable:"false"`
	Events      []sinew.Event      `json:"events" nullable:"false" doc:"Its history, oldest first"`
	Observation *sinew.Observation `json:"observation,omitempty" doc:"What the report says; absent once the report was deleted"`
	Evidence    *sinew.Evidence    `json:"evidence,omitempty" doc:"The redacted report"`
	Decision    *standing          `json:"decision,omitempty" doc:"What stands"`
	Decisions   []standing         `json:"decisions,omitempty" doc:"Everything that was decided, oldest first"`
	MergedInto  string             `json:"merged_into,omitempty" doc:"This finding, when the one asked for became part of it"`
	Merged      []string           `json:"merged,omitempty" doc:"Ids of findings that became part of it"`
	Cluster     *sinew.Cluster     `json:"cluster,omitempty" doc:"What other streams tell of the same problem, and why it is the same"`
}

type standing struct {
	Verdict sinew.Verdict `json:"verdict" doc:"Empty where an earlier decision fell"`
	By      string        `json:"by" doc:"Pseudonym; tool or system for those"`
	Reason  string        `json:"reason,omitempty"`
	Owner   string        `json:"owner,omitempty"`
	At      time.Time     `json:"at,omitzero"`
	Until   time.Time     `json:"until,omitzero"`
	Seq     int64         `json:"seq,omitempty" doc:"Entry of the log"`

	ID       string `json:"id,omitempty" doc:"Of a person's decision; it can be taken back by this"`
	ByName   string `json:"by_name,omitempty"`
	UndoneBy string `json:"undone_by,omitempty" doc:"The newest decision that took it back for this finding"`
}

func (s *Server) finding(ctx context.Context, in *idInput) (*body[findingDetail], error) {
	d, err := s.db.Finding(ctx, reader(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	out := findingDetail{
		Finding: d.Finding, Presences: orEmpty(d.Presences), Events: orEmpty(d.Events),
		Observation: d.Observation, Evidence: d.Evidence, Merged: d.Merged, Cluster: d.Cluster,
	}
	if d.MergedFrom != "" {
		out.MergedInto = d.Finding.ID
	}
	if d.Decision != nil {
		out.Decision = new(standing(*d.Decision))
	}
	for _, one := range d.Decisions {
		out.Decisions = append(out.Decisions, standing(one))
	}
	return &body[findingDetail]{out}, nil
}

type filterInput struct {
	Filter string `query:"filter" maxLength:"8192" doc:"Which findings: see docs/filter.md"`
}

// counts are numbers by dimension and value.
type counts struct {
	Total  int64                       `json:"total"`
	Active int64                       `json:"active" doc:"Of them, those that have to be dealt with"`
	Capped bool                        `json:"capped,omitempty" doc:"There are more than could be counted: the numbers are of the first 10,000"`
	Facets map[string]map[string]int64 `json:"facets" doc:"Dimension to value to number. severity, tool, class, target and application (empty for none) are of active findings, unless the filter asks for others"`
	Notes  []string                    `json:"notes,omitempty"`
}

func (s *Server) counts(ctx context.Context, in *filterInput) (*body[counts], error) {
	q, err := filter.Parse(in.Filter)
	if err != nil {
		return nil, err
	}
	c, err := s.db.Counts(ctx, reader(ctx), q)
	if err != nil {
		return nil, err
	}
	return &body[counts]{counts{Total: c.Total, Active: c.Active, Capped: c.Capped, Notes: q.Notes(), Facets: map[string]map[string]int64{
		"application": texts(c.Applications), "state": texts(c.States), "severity": texts(c.Severities), "class": texts(c.Classes), "tool": texts(c.Tools), "target": texts(c.Targets),
	}}}, nil
}

func texts[K ~string](m map[K]int64) map[string]int64 {
	out := make(map[string]int64, len(m))
	for k, n := range m {
		out[string(k)] = n
	}
	return out
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) filterFields(context.Context, *struct{}) (*body[list[filter.Field]], error) {
	return &body[list[filter.Field]]{list[filter.Field]{Items: filter.Fields()}}, nil
}

type completeInput struct {
	Filter string `query:"filter" maxLength:"8192"`
	Cursor int    `query:"cursor" minimum:"0" doc:"Position in bytes; the end if not given"`
}

// filterComplete completes names of fields and known words; values of app and
// tool come from what the sender may see.
func (s *Server) filterComplete(ctx context.Context, in *completeInput) (*body[list[filter.Suggestion]], error) {
	cursor := in.Cursor
	if callOf(ctx).r.URL.Query().Get("cursor") == "" {
		cursor = len(in.Filter)
	}
	out := filter.Complete(in.Filter, cursor)
	at := filter.At(in.Filter, cursor)
	values, err := s.known(ctx, at.Field)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if len(out) < 100 && strings.HasPrefix(strings.ToLower(v), strings.ToLower(at.Prefix)) {
			out = append(out, at.Suggest(in.Filter, v))
		}
	}
	return &body[list[filter.Suggestion]]{list[filter.Suggestion]{Items: orEmpty(out)}}, nil
}

// known lists the values of a field that the sender has findings of.
func (s *Server) known(ctx context.Context, field string) ([]string, error) {
	switch field {
	case "app":
		names, err := s.db.UnitNames(ctx, reader(ctx))
		return sortedValues(names), err
	case "tool", "target":
		c, err := s.db.Counts(ctx, reader(ctx), nil)
		if err != nil {
			return nil, err
		}
		return sortedKeys(map[string]map[string]int64{"tool": c.Tools, "target": c.Targets}[field]), nil
	}
	return nil, nil
}
