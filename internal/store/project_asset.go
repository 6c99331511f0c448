package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sinewsec/sinew/internal/sinew"
)

// AssetRow is an asset that a projection knows.
type AssetRow struct {
	ID   int64
	Kind string
	Key  string
	Unit int64
}

// FactRow is what a place says of an asset.
type FactRow struct {
	Place, Asset         int64
	At, KnownAt, Seq     int64
	Subtype, Name, Props string
}

// RelationKey names a relation within a place.
type RelationKey struct {
	From int64
	Kind string
	To   int64
}

// Compare orders relations by their key.
func (k RelationKey) Compare(o RelationKey) int {
	return cmp.Or(cmp.Compare(k.From, o.From), strings.Compare(k.Kind, o.Kind), cmp.Compare(k.To, o.To))
}

// RelationRow is what a place says of two assets.
type RelationRow struct {
	RelationKey
	Place            int64
	At, KnownAt, Seq int64
	Confidence       int64
	Method           string
}

var (
	assetTable = table{"asset", strings.Fields(`space id kind key unit_id gen_from ended_at`)}
	factTable  = table{"asset_fact", strings.Fields(`space place_id asset_id gen_from at known_at seq subtype name props`)}
	edgeTable  = table{"relation", strings.Fields(`space place_id kind from_id to_id gen_from at known_at seq confidence method`)}
)

// HasFacts reports whether a place says anything of assets.
func (db *DB) HasFacts(ctx context.Context, space, place int64) (has bool, err error) {
	err = db.read(ctx, func(t *tx) error {
		return t.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM asset_fact WHERE space = $1 AND place_id = $2)
			OR EXISTS (SELECT 1 FROM relation WHERE space = $1 AND place_id = $2)`, space, place).Scan(&has)
	})
	if err != nil {
		return false, fmt.Errorf("read facts: %w", err)
	}
	return has, nil
}

// AssetIDs gives the ids of those of the assets that are known.
func (db *DB) AssetIDs(ctx context.Context, space int64, keys []sinew.AssetKey) (map[sinew.AssetKey]int64, error) {
	byKind := map[sinew.AssetKind][]string{}
	for _, k := range keys {
		byKind[k.Kind] = append(byKind[k.Kind], k.Key)
	}
	out := make(map[sinew.AssetKey]int64, len(keys))
	err := db.read(ctx, func(t *tx) error {
		for kind, names := range byKind {
			for names := range slices.Chunk(names, idChunk) {
				q := (&query{}).add(`SELECT id, key FROM asset WHERE space = ? AND kind = ? AND `, space, string(kind))
				in(q, "key", names)
				rows, err := t.QueryContext(ctx, q.String(), q.args...)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					var id int64
					var key string
					if err := rows.Scan(&id, &key); err != nil {
						return err
					}
					out[sinew.AssetKey{Kind: kind, Key: key}] = id
				}
				if err := rows.Err(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	return out, nil
}

// NewAssets stages assets that nobody told before.
func (s *Stage) NewAssets(ctx context.Context, list []AssetRow) error {
	var b buffer
	for _, a := range list {
		b.vals = append(b.vals, s.space, a.ID, a.Kind, a.Key, a.Unit, s.gen, int64(0))
		b.n++
	}
	if b.n == 0 {
		return nil
	}
	err := s.tx(ctx, func(t *tx) error { return b.insert(ctx, t, &assetTable) })
	return wrap(err, "stage assets")
}

// Facts stages what a place says: what it has said already stays as it is, what
// it says differently gets a new version.
func (s *Stage) Facts(ctx context.Context, facts []FactRow, relations []RelationRow) error {
	if len(facts)+len(relations) == 0 {
		return nil
	}
	if err := s.Flush(ctx); err != nil {
		return err
	}
	err := s.tx(ctx, func(t *tx) error {
		if err := s.stageFacts(ctx, t, facts); err != nil {
			return err
		}
		return s.stageRelations(ctx, t, relations)
	})
	return wrap(err, "stage facts")
}

func (s *Stage) stageFacts(ctx context.Context, t *tx, facts []FactRow) error {
	if len(facts) == 0 {
		return nil
	}
	type said struct{ subtype, name, props string }
	had := map[int64]said{}
	ids := make([]int64, len(facts))
	for i := range facts {
		ids[i] = facts[i].Asset
	}
	q := (&query{}).add(`SELECT asset_id, subtype, name, props FROM asset_fact WHERE space = ? AND place_id = ? AND gen_to IS NULL AND `,
		s.space, facts[0].Place)
	inIDs(s.db.dialect, q, "asset_id", ids)
	rows, err := t.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var v said
		if err := rows.Scan(&id, &v.subtype, &v.name, &v.props); err != nil {
			return err
		}
		had[id] = v
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var b buffer
	var changed []int64
	told := map[int64]bool{} // a report may tell an asset twice: the first time counts
	for _, f := range facts {
		v, ok := had[f.Asset]
		if told[f.Asset] || ok && v == (said{f.Subtype, f.Name, f.Props}) {
			continue
		}
		told[f.Asset] = true
		if ok {
			changed = append(changed, f.Asset)
		}
		b.vals = append(b.vals, s.space, f.Place, f.Asset, s.gen, f.At, f.KnownAt, f.Seq, f.Subtype, f.Name, f.Props)
		b.n++
	}
	if err := s.endRows(ctx, t, "asset_fact", "asset_id", placeIs(facts[0].Place), changed); err != nil {
		return err
	}
	return b.insert(ctx, t, &factTable)
}

func (s *Stage) stageRelations(ctx context.Context, t *tx, relations []RelationRow) error {
	if len(relations) == 0 {
		return nil
	}
	place := relations[0].Place
	froms := make([]int64, len(relations))
	for i := range relations {
		froms[i] = relations[i].From
	}
	had := map[RelationKey]bool{}
	q := (&query{}).add(`SELECT from_id, kind, to_id FROM relation WHERE space = ? AND place_id = ? AND gen_to IS NULL AND `, s.space, place)
	inIDs(s.db.dialect, q, "from_id", froms)
	rows, err := t.QueryContext(ctx, q.String(), q.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k RelationKey
		if err := rows.Scan(&k.From, &k.Kind, &k.To); err != nil {
			return err
		}
		had[k] = true
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var b buffer
	for _, r := range relations {
		if had[r.RelationKey] {
			continue
		}
		had[r.RelationKey] = true
		b.vals = append(b.vals, s.space, place, r.Kind, r.From, r.To, s.gen, r.At, r.KnownAt, r.Seq, r.Confidence, r.Method)
		b.n++
	}
	return b.insert(ctx, t, &edgeTable)
}

func placeIs(place int64) string { return fmt.Sprintf(" AND place_id = %d", place) }

// EndFacts stages the end of what a place said and no longer says. Both lists
// are sorted.
func (s *Stage) EndFacts(ctx context.Context, place int64, assets []int64, relations []RelationKey) error {
	var ended []int64
	err := s.db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT asset_id FROM asset_fact WHERE space = $1 AND place_id = $2 AND gen_to IS NULL`, s.space, place)
		if err != nil {
			return err
		}
		all, err := scanColumn[int64](rows)
		for _, id := range all {
			if _, ok := slices.BinarySearch(assets, id); !ok {
				ended = append(ended, id)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read facts: %w", err)
	}
	for ids := range slices.Chunk(ended, idChunk) {
		err := s.tx(ctx, func(t *tx) error {
			return s.endRows(ctx, t, "asset_fact", "asset_id", placeIs(place), ids)
		})
		if err != nil {
			return fmt.Errorf("end facts: %w", err)
		}
	}
	return s.endRelations(ctx, place, relations)
}

func (s *Stage) endRelations(ctx context.Context, place int64, relations []RelationKey) error {
	var ended []RelationKey
	err := s.db.read(ctx, func(t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT from_id, kind, to_id FROM relation WHERE space = $1 AND place_id = $2 AND gen_to IS NULL`, s.space, place)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k RelationKey
			if err := rows.Scan(&k.From, &k.Kind, &k.To); err != nil {
				return err
			}
			if _, ok := slices.BinarySearchFunc(relations, k, RelationKey.Compare); !ok {
				ended = append(ended, k)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("read relations: %w", err)
	}
	for keys := range slices.Chunk(ended, 100) {
		err := s.tx(ctx, func(t *tx) error {
			for _, k := range keys {
				_, err := t.ExecContext(ctx, `UPDATE relation SET gen_to = $1 WHERE space = $2 AND place_id = $3 AND from_id = $4
					AND kind = $5 AND to_id = $6 AND gen_to IS NULL`, s.gen, s.space, place, k.From, k.Kind, k.To)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("end relations: %w", err)
		}
	}
	return nil
}
