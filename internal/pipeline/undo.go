package pipeline

import (
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// Undone is what became of taking back a decision.
type Undone struct {
	store.Accepted
	Restored int // findings on which it stood, as lists show them
	Kept     int // findings on which somebody has decided since, or nothing stands any more
}

// Undo takes back a decision: every finding on which it still stands gets what
// stood before, verdict, reason, end and owner, as a decision of its own that can
// be taken back in turn. It is about the findings that r sees, and needs the role
// developer on each of them.
func (p *Pipeline) Undo(ctx context.Context, r sinew.Reader, id, key string) (*Undone, error) {
	target, decided, err := p.db.DecidedOn(ctx, r, id)
	if err != nil {
		return nil, err
	}
	var units []int64
	births, findings := make([]int64, len(decided)), make([]int64, len(decided))
	for i, d := range decided {
		births[i], findings[i] = d.Birth, d.Finding
		if !slices.Contains(units, d.Unit) {
			units = append(units, d.Unit)
		}
		if !r.Can(sinew.RoleDeveloper, d.Unit) {
			return nil, sinew.Errorf(sinew.CodeDenied, "to take back this decision needs the role developer on every application that it is about").
				Hint("ask an administrator of the workspace")
		}
	}
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	stands, err := p.standing(ctx, space.ID, target, births, findings)
	if err != nil {
		return nil, err
	}
	entry := DecisionEntry{Schema: "decision/v1", Undoes: target, Births: stands}
	asked := struct {
		Undo string `json:"undo"`
	}{id}
	if len(stands) == 0 {
		// The same request again is answered as the first one was.
		a, err := p.repeated(ctx, r, sinew.EntryDecision, key, asked)
		if err != nil || a.Duplicate {
			_, kept := shownOf(decided, nil)
			return &Undone{Accepted: a, Kept: kept}, err
		}
		return nil, sinew.Errorf(sinew.CodeConflict, "nothing of this decision stands any more").
			Hint("others decided since, or it was taken back: look at the history of the findings")
	}
	a, err := p.acceptJSON(ctx, r, sinew.EntryDecision, entry, units, key, asked)
	if err != nil {
		return nil, err
	}
	restored, kept := shownOf(decided, stands)
	return &Undone{Accepted: a, Restored: restored, Kept: kept}, nil
}

// shownOf counts the findings of a decision as lists show them: those that any of
// some births is shown as, and the others.
func shownOf(decided []store.Decided, births []int64) (these, others int) {
	in := map[int64]bool{}
	for _, d := range decided {
		if _, ok := slices.BinarySearch(births, d.Birth); ok {
			in[d.Shown] = true
		} else if _, known := in[d.Shown]; !known {
			in[d.Shown] = false
		}
	}
	for _, ok := range in {
		if ok {
			these++
		} else {
			others++
		}
	}
	return these, others
}

// standing gives those of the births on whose findings a decision stands.
func (p *Pipeline) standing(ctx context.Context, space, target int64, births, findings []int64) ([]int64, error) {
	var out []int64
	for at := 0; at < len(births); at += touchBatch {
		end := min(at+touchBatch, len(births))
		u, err := readUndoing(ctx, p.db, space, target, findings[at:end], births[at:end])
		if err != nil {
			return nil, err
		}
		ids := slices.Compact(slices.Sorted(slices.Values(findings[at:end])))
		rows, err := p.db.FindingsByID(ctx, space, ids)
		if err != nil {
			return nil, err
		}
		stands := make(map[int64]bool, len(rows))
		for i := range rows {
			stands[rows[i].ID] = u.stands(&rows[i])
		}
		for i := at; i < end; i++ {
			if stands[findings[i]] {
				out = append(out, births[i])
				stands[findings[i]] = false // once
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
