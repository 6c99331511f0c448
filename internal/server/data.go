package server

import (
	"context"
	"time"

	ident "github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

func (s *Server) registerData() {
	handle(s, s.route("GET /api/v1/applications", "list-applications", "List applications"), s.applications)
	handle(s, s.route("GET /api/v1/streams", "list-streams", "List streams and where they stand"), s.streams)
	handle(s, s.route("GET /api/v1/snapshots", "list-snapshots", "List snapshots, newest first"), s.snapshots)
	handle(s, s.route("GET /api/v1/refs", "list-refs", "List what happened to refs, newest first"), s.refs)
	handle(s, s.route("GET /api/v1/deployments", "list-deployments", "List deployments, newest first"), s.deployments)
	handle(s, s.route("GET /api/v1/assets", "list-assets", "List assets"), s.assets)
	handle(s, s.route("GET /api/v1/assets/{id}", "show-asset", "Show an asset: what its sources say, and its relations"), s.asset)
}

// application is an access unit and what it counts.
type application struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Organisation string   `json:"organisation,omitempty"`
	BusinessUnit string   `json:"businessunit,omitempty"`
	Services     []string `json:"services,omitempty"`
	Gone         bool     `json:"gone,omitempty" doc:"No rule names it any more"`
	Active       int64    `json:"active" doc:"Findings that have to be dealt with"`
}

func (s *Server) applications(ctx context.Context, in *Paging) (*body[list[application]], error) {
	all, next, err := s.db.Applications(ctx, reader(ctx), in.page())
	out := make([]application, len(all))
	for i, a := range all {
		out[i] = application{
			ID: a.ID, Name: a.Name, Organisation: a.Organisation, BusinessUnit: a.BusinessUnit, Services: a.Services,
			Gone: a.Gone, Active: a.Active,
		}
	}
	return page(ctx, out, next), err
}

// streamInfo is a source of snapshots and its newest state.
type streamInfo struct {
	ID string `json:"id"`
	sinew.Stream
	Application string          `json:"application,omitempty"`
	Place       sinew.PlaceKind `json:"place" doc:"Kind of the place that its ref is"`
	LastSeen    time.Time       `json:"last_seen,omitzero"`
	Snapshot    string          `json:"snapshot,omitempty" doc:"The newest"`
	Version     string          `json:"version,omitempty" doc:"Commit or digest of the newest"`
	Ended       string          `json:"ended,omitempty" doc:"merged, closed or deleted; absent while it lives"`

	Coverage     sinew.CoverageStatus `json:"coverage,omitempty" doc:"Of the newest snapshot: complete, partial or failed; absent where nobody tells"`
	Basis        sinew.Basis          `json:"basis,omitempty" doc:"Who says so: proven by the report, or declared by the uploader"`
	Observations int64                `json:"observations" doc:"In the newest snapshot"`
	Tests        []ident.Test         `json:"tests,omitempty" doc:"What it tests: code, dependency, secret, iac, container, web, infrastructure"`
}

func (s *Server) streams(ctx context.Context, in *Paging) (*body[list[streamInfo]], error) {
	all, next, err := s.db.Streams(ctx, reader(ctx), in.page())
	if err != nil {
		return nil, err
	}
	name, err := s.publicNames(ctx)
	out := make([]streamInfo, len(all))
	for i, a := range all {
		out[i] = streamInfo{
			ID: a.ID, Stream: a.Stream, Application: name[a.Unit], Place: a.Kind, LastSeen: a.Seen, Snapshot: a.Snapshot,
			Version: a.Version, Ended: a.Ended, Coverage: a.Coverage, Basis: a.Basis, Observations: a.Observations, Tests: a.Tests,
		}
	}
	return page(ctx, out, next), err
}

// publicNames maps public ids of units to the names of applications.
func (s *Server) publicNames(ctx context.Context) (map[string]string, error) {
	r := reader(ctx)
	known, err := s.db.UnitNames(ctx, r)
	if err != nil {
		return nil, err
	}
	ws, err := s.db.WorkspaceByID(ctx, r.Workspace)
	out := make(map[string]string, len(known))
	for unit, name := range known {
		if unit != sinew.UnassignedUnit {
			out[sinew.PublicID(ws.UUID, sinew.IDUnit, unit)] = name
		}
	}
	return out, err
}

type snapshotsInput struct {
	Paging
	Target string `query:"target" doc:"Of one target only"`
	Stream string `query:"stream" doc:"Of one stream only"`
}

func (s *Server) snapshots(ctx context.Context, in *snapshotsInput) (*body[list[importInfo]], error) {
	all, next, err := s.db.Snapshots(ctx, reader(ctx), store.SnapshotFilter{Target: in.Target, Stream: in.Stream}, in.page())
	out := make([]importInfo, len(all))
	for i := range all {
		out[i] = newImport(&all[i])
	}
	return page(ctx, out, next), err
}

func (s *Server) refs(ctx context.Context, in *Paging) (*body[list[store.RefEnd]], error) {
	all, next, err := s.db.Refs(ctx, reader(ctx), in.page())
	return page(ctx, all, next), err
}

func (s *Server) deployments(ctx context.Context, in *Paging) (*body[list[store.Deployed]], error) {
	all, next, err := s.db.Deployed(ctx, reader(ctx), in.page())
	return page(ctx, all, next), err
}

// AssetInfo is a thing that some source tells about.
type AssetInfo struct {
	ID          string          `json:"id"`
	Kind        sinew.AssetKind `json:"kind"`
	Key         string          `json:"key"`
	Application string          `json:"application,omitempty"`
	Ended       time.Time       `json:"ended,omitzero"`
}

type assetsInput struct {
	Paging
	Filter      string `query:"filter" maxLength:"100" doc:"Kind of the asset"`
	Text        string `query:"text" maxLength:"500" doc:"Found anywhere in the key"`
	Application string `query:"application" maxLength:"200" doc:"Of one application only; none for what belongs to none"`
}

func (s *Server) assets(ctx context.Context, in *assetsInput) (*body[list[AssetInfo]], error) {
	all, next, err := s.db.Assets(ctx, reader(ctx), store.AssetFilter{
		Kind: sinew.AssetKind(in.Filter), Text: in.Text, Application: in.Application,
	}, in.page())
	if err != nil {
		return nil, err
	}
	name, err := s.publicNames(ctx)
	out := make([]AssetInfo, len(all))
	for i, a := range all {
		out[i] = AssetInfo{ID: a.ID, Kind: a.Kind, Key: a.Key, Application: name[a.Unit], Ended: a.Ended}
	}
	return page(ctx, out, next), err
}

// assetDetail is an asset with what is said of it.
type assetDetail struct {
	AssetInfo
	Facts     []store.AssetFact     `json:"facts" nullable:"false" doc:"What each stream says"`
	Relations []store.AssetRelation `json:"relations" nullable:"false" doc:"Other ends that you may not see are left unnamed"`
}

func (s *Server) asset(ctx context.Context, in *idInput) (*body[assetDetail], error) {
	a, err := s.db.Asset(ctx, reader(ctx), in.ID)
	if err != nil {
		return nil, err
	}
	name, err := s.publicNames(ctx)
	return &body[assetDetail]{assetDetail{
		AssetInfo: AssetInfo{ID: a.ID, Kind: a.Kind, Key: a.Key, Application: name[a.Unit], Ended: a.Ended},
		Facts:     orEmpty(a.Facts), Relations: orEmpty(a.Relations),
	}}, err
}
