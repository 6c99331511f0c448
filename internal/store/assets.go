package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// AssetInfo is an asset, and what the streams that name it say.
type AssetInfo struct {
	ID        string          `json:"id"`
	Kind      sinew.AssetKind `json:"kind"`
	Key       string          `json:"key"`
	Unit      string          `json:"unit"`
	Name      string          `json:"application,omitempty"` // the unit's name
	Ended     time.Time       `json:"ended,omitzero"`
	Facts     []AssetFact     `json:"facts,omitempty"`     // by [DB.Asset] only
	Relations []AssetRelation `json:"relations,omitempty"` // by [DB.Asset] only
}

// AssetFact is what one stream says of an asset.
type AssetFact struct {
	Stream  string            `json:"stream"` // public id
	Subtype string            `json:"subtype,omitempty"`
	Name    string            `json:"name,omitempty"`
	Props   map[string]string `json:"props,omitempty"`
	At      time.Time         `json:"at"`
	KnownAt time.Time         `json:"known_at"`
}

// AssetRelation is an edge to or from an asset, as one stream says it. The other
// end is named only to who may see it.
type AssetRelation struct {
	Kind       sinew.EdgeKind `json:"kind"`
	Out        bool           `json:"out"` // from this asset to the other
	Other      sinew.AssetKey `json:"other,omitzero"`
	OtherID    string         `json:"other_id,omitempty"`
	Stream     string         `json:"stream"`
	Confidence int            `json:"confidence,omitempty"`
	Method     string         `json:"method,omitempty"`
}

// AssetFilter narrows a list of assets; the zero one takes all.
type AssetFilter struct {
	Kind        sinew.AssetKind
	Text        string // anywhere in the key
	Application string // by name; [NoApplication] for what belongs to none
}

// NoApplication stands for what no rule claims, where an application is named;
// the filter language calls it so too.
const NoApplication = "none"

// maxRelations is how many facts and relations of one asset are shown.
const maxRelations = 1000

// Assets lists the assets that r may see, oldest first.
func (db *DB) Assets(ctx context.Context, r sinew.Reader, f AssetFilter, p Page) (list []AssetInfo, next string, err error) {
	return listing[AssetInfo]{
		name: "assets", filter: string(f.Kind) + "\x00" + f.Text + "\x00" + f.Application, sort: "recorded", kind: sinew.IDAsset, unit: "f.unit_id", id: "f.id",
		from: assetList, args: func(v *view) []any { return []any{v.space.ID, v.space.LiveGen} },
		more: func(v *view, q *query) {
			if f.Kind != "" {
				q.add(` AND f.kind = ?`, string(f.Kind))
			}
			if f.Text != "" {
				q.add(` AND `)
				v.like(q, "f.key", "%"+escapeLike(f.Text)+"%")
			}
			switch f.Application {
			case "":
			case NoApplication:
				q.add(` AND f.unit_id = ?`, sinew.UnassignedUnit)
			default:
				q.add(` AND f.unit_id IN (SELECT u.id FROM unit u WHERE u.space = f.space AND u.name = ?)`, f.Application)
			}
		},
		scan: func(v *view, row scanner) (AssetInfo, string, int64, error) {
			a, id, err := v.scanAsset(row)
			return a, "", id, err
		},
	}.page(ctx, db, r, p)
}

const assetList = `SELECT f.id, f.kind, f.key, f.unit_id, f.ended_at, COALESCE(u.name, '') FROM asset f
	LEFT JOIN unit u ON u.space = f.space AND u.id = f.unit_id WHERE f.space = ? AND f.gen_from <= ?`

func (v *view) scanAsset(row scanner) (a AssetInfo, id int64, err error) {
	var unit, ended int64
	err = row.Scan(&id, &a.Kind, &a.Key, &unit, &ended, &a.Name)
	a.ID, a.Unit, a.Ended = v.public(sinew.IDAsset, id), v.public(sinew.IDUnit, unit), fromMicros(ended)
	return a, id, err
}

// Asset tells everything of the asset with a public id.
func (db *DB) Asset(ctx context.Context, r sinew.Reader, id string) (*AssetInfo, error) {
	missing := sinew.Errorf(sinew.CodeNotFound, "there is no asset %.40s", id)
	var a AssetInfo
	err := db.view(ctx, r, func(v *view) error {
		local, err := sinew.ParsePublicID(v.uuid, sinew.IDAsset, id)
		if err != nil {
			return missing
		}
		q := (&query{}).add(assetList, v.space.ID, v.space.LiveGen)
		v.visible(q, "f.unit_id")
		q.add(` AND f.id = ?`, local)
		if a, _, err = v.scanAsset(v.QueryRowContext(ctx, q.String(), q.args...)); err != nil {
			if sinew.CodeOf(notFound(err, "")) == sinew.CodeNotFound {
				return missing
			}
			return err
		}
		if err := v.assetFacts(ctx, &a, local); err != nil {
			return err
		}
		return v.assetRelations(ctx, &a, local)
	})
	if errors.Is(err, errNothing) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("show asset: %w", err)
	}
	return &a, nil
}

func (v *view) assetFacts(ctx context.Context, a *AssetInfo, id int64) error {
	q := (&query{}).add(`SELECT f.place_id, f.subtype, f.name, f.props, f.at, f.known_at FROM asset_fact f WHERE f.space = ? AND f.asset_id = ?`,
		v.space.ID, id)
	v.current(q, "f")
	rows, err := v.QueryContext(ctx, q.add(` ORDER BY f.place_id LIMIT ?`, maxRelations).String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var f AssetFact
		var place, at, known int64
		var props string
		if err := rows.Scan(&place, &f.Subtype, &f.Name, &props, &at, &known); err != nil {
			return err
		}
		f.Stream, f.At, f.KnownAt = v.public(sinew.IDStream, place), fromMicros(at), fromMicros(known)
		if props != "" {
			if err := json.Unmarshal([]byte(props), &f.Props); err != nil {
				return fmt.Errorf("properties: %w", err)
			}
		}
		a.Facts = append(a.Facts, f)
	}
	return rows.Err()
}

func (v *view) assetRelations(ctx context.Context, a *AssetInfo, id int64) error {
	for _, way := range []struct{ own, other string }{{"from_id", "to_id"}, {"to_id", "from_id"}} {
		q := (&query{}).add(`SELECT f.kind, f.place_id, f.confidence, f.method, o.id, o.kind, o.key, o.unit_id
			FROM relation f JOIN asset o ON o.space = f.space AND o.id = f.`+way.other+`
			WHERE f.space = ? AND f.`+way.own+` = ?`, v.space.ID, id)
		v.current(q, "f")
		rows, err := v.QueryContext(ctx, q.add(` ORDER BY o.id, f.place_id LIMIT ?`, maxRelations).String(), q.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			rel := AssetRelation{Out: way.own == "from_id"}
			var place, other, unit int64
			var key sinew.AssetKey
			if err := rows.Scan(&rel.Kind, &place, &rel.Confidence, &rel.Method, &other, &key.Kind, &key.Key, &unit); err != nil {
				return err
			}
			rel.Stream = v.public(sinew.IDStream, place)
			if v.r.Can(sinew.RoleViewer, unit) {
				rel.Other, rel.OtherID = key, v.public(sinew.IDAsset, other)
			}
			a.Relations = append(a.Relations, rel)
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}
