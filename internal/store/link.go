package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// LinkInfo is what somebody said of findings being one problem.
type LinkInfo struct {
	ID          string         `json:"id"`
	Seq         int64          `json:"seq" doc:"Entry of the log"`
	Kind        sinew.LinkKind `json:"kind"`
	At          time.Time      `json:"at"`
	By          string         `json:"by" doc:"Pseudonym"`
	ByName      string         `json:"by_name,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Application string         `json:"application,omitempty"`
	Findings    []string       `json:"findings,omitempty" doc:"The first is, or is not, the same as each of the others"`
	Rules       []RulePair     `json:"rules,omitempty" doc:"Of never: rules whose findings are never the same"`
}

// RulePair is two rules of tools.
type RulePair struct {
	A RuleName `json:"a"`
	B RuleName `json:"b"`
}

// RuleName is a rule of a tool.
type RuleName struct {
	Tool string `json:"tool"`
	Rule string `json:"rule"`
}

func ruleName(stored string) RuleName {
	tool, rule, _ := strings.Cut(stored, "\n")
	return RuleName{tool, rule}
}

// LinksSeen lists what people said of findings that r may see and nobody took back,
// newest first.
func (db *DB) LinksSeen(ctx context.Context, r sinew.Reader) ([]LinkInfo, error) {
	out := []LinkInfo{}
	err := db.view(ctx, r, func(v *view) error {
		q := (&query{}).add(`SELECT f.seq, f.kind, f.a_id, f.b_id, f.a_rule, f.b_rule, f.at, f.actor, COALESCE(w.name, ''), COALESCE(w.login, ''),
			p.payload, x.unit_id, COALESCE(u.name, '')
			FROM link f
			LEFT JOIN log_payload p ON p.workspace_id = ? AND p.seq = f.seq
			LEFT JOIN principal w ON w.workspace_id = ? AND w.pseudonym = f.actor
			JOIN (SELECT f.seq, f.a_id, f.b_id, COALESCE(y.unit_id, f.b_id) unit_id FROM link f
				LEFT JOIN finding y ON f.kind <> 'never' AND y.space = f.space AND y.gen_to IS NULL AND y.id = COALESCE((SELECT r.new_id FROM redirect r
					WHERE r.space = f.space AND r.old_id = f.a_id AND r.gen_to IS NULL), f.a_id)
				WHERE f.space = ? AND f.undone = 0 AND (f.kind = 'never' OR y.id IS NOT NULL)) x ON x.seq = f.seq AND x.a_id = f.a_id AND x.b_id = f.b_id
			LEFT JOIN unit u ON u.space = f.space AND u.id = x.unit_id
			WHERE f.space = ? AND f.undone = 0`, v.r.Workspace, v.r.Workspace, v.space.ID, v.space.ID)
		v.visible(q, "x.unit_id")
		rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.seq DESC, f.a_id, f.b_id`).String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var l LinkInfo
			var a, b, at, unit int64
			var ruleA, ruleB, login string
			var payload []byte
			if err := rows.Scan(&l.Seq, &l.Kind, &a, &b, &ruleA, &ruleB, &at, &l.By, &l.ByName, &login, &payload, &unit, &l.Application); err != nil {
				return err
			}
			if len(out) == 0 || out[len(out)-1].Seq != l.Seq {
				var said struct{ Reason string } // the payload may have been deleted
				if json.Unmarshal(payload, &said) == nil {
					l.Reason = said.Reason
				}
				l.ID, l.At, l.ByName = v.decisionID(l.Seq), fromMicros(at), cmp.Or(l.ByName, login)
				out = append(out, l)
			}
			last := &out[len(out)-1]
			if l.Kind == sinew.LinkNever {
				last.Rules = append(last.Rules, RulePair{ruleName(ruleA), ruleName(ruleB)})
				continue
			}
			if len(last.Findings) == 0 {
				last.Findings = []string{v.public(sinew.IDFinding, a)}
			}
			last.Findings = append(last.Findings, v.public(sinew.IDFinding, b))
		}
		return rows.Err()
	})
	if err := allowNothing(err); err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	return out, nil
}
