package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// FindingSource says where in which report a finding comes from, as it is shown.
type FindingSource struct {
	Report      string // base name of the file
	Digest      string // of the redacted report; empty if none was kept
	Deleted     time.Time
	Format      string // id/version of the mapping that read it
	FormatSHA   string
	Ordinal     int64 // of the observation
	Observation *sinew.Observation
}

// FindingSource tells where a finding that r sees comes from.
func (db *DB) FindingSource(ctx context.Context, r sinew.Reader, id string) (*FindingSource, error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no finding %.40s", id)
	var out *FindingSource
	err := db.view(ctx, r, func(v *view) error {
		local, err := sinew.ParsePublicID(v.uuid, sinew.IDFinding, id)
		if err != nil {
			return missing
		}
		row, _, err := v.findFinding(ctx, local)
		if err != nil || row == nil {
			return errors.Join(err, notNil(row, missing))
		}
		out, err = v.source(ctx, row)
		return err
	})
	if errors.Is(err, errNothing) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("show evidence: %w", err)
	}
	return out, nil
}

func (v *view) source(ctx context.Context, row *FindingRow) (*FindingSource, error) {
	out := &FindingSource{Ordinal: row.ObsN}
	var payload []byte
	err := v.QueryRowContext(ctx, `SELECT payload FROM log_payload WHERE workspace_id = $1 AND seq = $2`, v.r.Workspace, row.ObsSeq).Scan(&payload)
	if err = notFound(err, "deleted"); err != nil {
		return out, allowMissing(err)
	}
	var s sinew.Snapshot
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, fmt.Errorf("entry %d: %w", row.ObsSeq, err)
	}
	out.Report, out.Digest, out.Format, out.FormatSHA = s.ReportName, s.Evidence, s.Format, s.FormatSHA
	evidence, err := v.evidence(ctx, &s, row.ObsSeq)
	if err != nil {
		return nil, err
	}
	if evidence == nil {
		out.Digest = ""
	} else {
		out.Deleted = evidence.Deleted
	}
	d := &FindingDetail{}
	if err := v.observed(ctx, d, row); err != nil {
		return nil, err
	}
	out.Observation = d.Observation
	return out, nil
}
