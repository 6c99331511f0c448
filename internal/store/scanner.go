package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sinewsec/sinew/internal/filter"
	"github.com/sinewsec/sinew/internal/sinew"
)

// Scanner is what one tool contributes to what a reader sees.
type Scanner struct {
	Tool           string                   `json:"tool"`
	Active         int64                    `json:"active" doc:"Problems that it tells and that are to be dealt with"`
	Only           int64                    `json:"only" doc:"Of them those that no other tool tells: what would be lost without it"`
	OnlySeverities map[sinew.Severity]int64 `json:"only_severities"`
	Shared         int64                    `json:"shared" doc:"Of them those that others tell as well"`
	Decided        int64                    `json:"decided" doc:"Findings of it that a person decided on"`
	Confirmed      int64                    `json:"confirmed" doc:"Of them those that are real: triaged, in progress or accepted"`
	FalsePositives int64                    `json:"false_positives" doc:"Of them those that are none"`
	HoursToDecide  float64                  `json:"hours_to_decide" doc:"Mean time from first seen to the decision that stands; 0 without one"`
	Imports        int64                    `json:"imports"`
	LastImport     time.Time                `json:"last_import,omitzero"`
	Filter         string                   `json:"filter" doc:"Finds what only it tells"`
}

// Scanners tells what each tool contributes, the one that would be missed most
// first. A problem that several streams of one tool tell is not only its own once.
func (db *DB) Scanners(ctx context.Context, r sinew.Reader) ([]Scanner, error) {
	tools := map[string]*Scanner{}
	of := func(tool string) *Scanner {
		if tools[tool] == nil {
			tools[tool] = &Scanner{Tool: tool, OnlySeverities: map[sinew.Severity]int64{}}
		}
		return tools[tool]
	}
	err := db.view(ctx, r, func(v *view) error {
		if err := v.contributions(ctx, of); err != nil {
			return err
		}
		return v.runs(ctx, of)
	})
	if err := allowNothing(err); err != nil {
		return nil, fmt.Errorf("compare tools: %w", err)
	}
	out := make([]Scanner, 0, len(tools))
	for _, s := range tools {
		term := filter.Term{Field: "tool", Op: "==", Values: []string{s.Tool}}
		open := filter.Term{Field: "is", Op: "=", Values: []string{"open"}}
		merged := filter.Term{Field: "is", Op: "=", Negated: true, Values: []string{filter.IsMerged}}
		s.Filter = (&filter.Query{Terms: []filter.Term{term, open, merged}}).String()
		if s.Decided > 0 {
			s.HoursToDecide /= float64(s.Decided)
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Scanner) int {
		for _, severity := range sinew.Severities {
			if n := cmp.Compare(b.OnlySeverities[severity], a.OnlySeverities[severity]); n != 0 {
				return n
			}
		}
		return cmp.Or(cmp.Compare(b.Active, a.Active), cmp.Compare(a.Tool, b.Tool))
	})
	return out, nil
}

// contributions reads every finding once: the tools of those that are shown, and of
// what is part of them.
func (v *view) contributions(ctx context.Context, of func(string) *Scanner) error {
	q := (&query{}).add(`SELECT f.tool, f.active, f.severity, CASE WHEN f.lead = 0 THEN 0 ELSE 1 END,
		CASE WHEN f.verdict_by IN ('', 'tool') THEN '' ELSE f.verdict END, COUNT(*),
		CAST(COALESCE(SUM(CASE WHEN d.at > f.first_seen THEN (d.at - f.first_seen) / 1000000 ELSE 0 END), 0) AS BIGINT)
		FROM finding f LEFT JOIN decision d ON f.verdict_seq > 0 AND d.space = f.space AND d.seq = f.verdict_seq WHERE f.space = ?`, v.space.ID)
	v.current(q, "f")
	v.visible(q, "+f.unit_id")
	rows, err := v.QueryContext(ctx, q.add(` GROUP BY 1, 2, 3, 4, 5`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tool string
		var verdict sinew.Verdict
		var active, shared bool
		var severity int
		var n, seconds int64
		if err := rows.Scan(&tool, &active, &severity, &shared, &verdict, &n, &seconds); err != nil {
			return err
		}
		s := of(tool)
		if active {
			s.Active += n
			if shared {
				s.Shared += n
			} else {
				s.Only += n
				s.OnlySeverities[sinew.SeverityOfRank(severity)] += n
			}
		}
		if verdict == "" {
			continue
		}
		s.Decided += n
		s.HoursToDecide += float64(seconds) / 3600
		if verdict == sinew.VerdictFalsePositive {
			s.FalsePositives += n
		} else {
			s.Confirmed += n
		}
	}
	return rows.Err()
}

// runs counts the imports of each tool.
func (v *view) runs(ctx context.Context, of func(string) *Scanner) error {
	q := (&query{}).add(`SELECT m.tool, COUNT(*), MAX(f.received_at) FROM snapshot f
		JOIN family m ON m.space = f.space AND m.id = f.family_id WHERE f.space = ?`, v.space.ID)
	v.visible(q, "f.unit_id")
	rows, err := v.QueryContext(ctx, q.add(` GROUP BY m.tool`).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tool string
		var n, last int64
		if err := rows.Scan(&tool, &n, &last); err != nil {
			return err
		}
		s := of(tool)
		s.Imports, s.LastImport = n, fromMicros(last)
	}
	return rows.Err()
}
