package pipeline

import (
	"context"
	"slices"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// DecisionEntry is the payload of a decision entry: what was decided, with the
// births of the findings, which hold whatever becomes of their public names.
type DecisionEntry struct {
	Schema string `json:"schema"` // decision/v1
	sinew.Decision
	Births  []int64 `json:"births"`
	Expired bool    `json:"expired,omitempty"` // an earlier decision's time ran out
}

// decision projects a decision onto the findings that its births are part of.
func (j *projector) decision(ctx context.Context, e sinew.Entry) error {
	d, err := payload[DecisionEntry](e)
	if err != nil {
		return err
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	at := micros(e.At)
	v := store.VerdictRow{
		Seq: e.Seq, Verdict: d.Verdict, Actor: e.Actor, Until: micros(d.Until), Owner: d.Owner, At: at,
	}
	if d.Expired {
		v.Verdict = ""
	}
	folds := map[int64]*fold{}
	for births := range slices.Chunk(d.Births, touchBatch) {
		now, err := j.db.ResolveBirths(ctx, j.space, births)
		if err != nil {
			return err
		}
		byFinding := map[int64]int64{} // finding -> birth
		var ids []int64
		for _, b := range births {
			byFinding[now[b]] = b
			ids = append(ids, now[b])
		}
		rows, err := j.db.FindingsByID(ctx, j.space, ids)
		if err != nil {
			return err
		}
		families := map[int64][]int64{}
		for i := range rows {
			families[rows[i].Family] = append(families[rows[i].Family], rows[i].ID)
		}
		for i := range rows { // in order of ids, so that a rebuild does the same
			fam := rows[i].Family
			ids := families[fam]
			if ids == nil {
				continue
			}
			delete(families, fam)
			f := folds[fam]
			if f == nil {
				row, err := j.db.FamilyByID(ctx, j.space, fam)
				if err != nil {
					return err
				}
				if f, err = j.openFold(ctx, st, *row, e); err != nil {
					return err
				}
				folds[fam] = f
			}
			if err := f.decideAll(ctx, ids, byFinding, v); err != nil {
				return err
			}
		}
	}
	for _, f := range folds {
		f.closeLines()
	}
	if err := j.p.point("staged"); err != nil {
		return err
	}
	return j.flip(ctx, st, e.Seq, nil)
}

func (f *fold) decideAll(ctx context.Context, ids []int64, births map[int64]int64, v store.VerdictRow) error {
	set, err := f.load(ctx, v.At, ids)
	if err != nil {
		return err
	}
	for _, id := range set.order {
		fs := set.findings[id]
		if fs == nil {
			continue
		}
		mine := v
		mine.Birth = births[id]
		if err := f.st.Verdict(ctx, &mine); err != nil {
			return err
		}
		if err := f.decide(ctx, fs, &mine, v.At); err != nil {
			return err
		}
	}
	return set.save(ctx)
}

// decide makes a verdict the standing one.
func (f *fold) decide(ctx context.Context, fs *findingState, v *store.VerdictRow, at int64) error {
	row := &fs.row
	if row.VerdictBy == byTool {
		row.Verdict, row.VerdictBy = "", ""
	}
	was := row.Verdict
	made, why := identity.DecisionMade, "decided"
	if v.Verdict == "" {
		made, why = identity.DecisionExpired, "the decision's time ran out"
	}
	row.Verdict = identity.StepDecision(row.Verdict, made, v.Verdict)
	row.VerdictBy, row.VerdictSeq, row.Until = v.Actor, v.Seq, v.Until
	if row.Verdict == "" {
		row.VerdictBy, row.VerdictSeq, row.Until = "", 0, 0
	}
	if v.Owner != "" {
		row.Owner = v.Owner
	}
	if err := f.event(ctx, fs, at, "decided", 0, string(was), string(row.Verdict), why); err != nil {
		return err
	}
	return f.headline(ctx, fs, at, change{why: why})
}
