package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Hash is the root over some rows, and over the tables that they are in.
type Hash struct {
	Root   [32]byte
	Tables []TableHash
}

func (h Hash) String() string { return hex.EncodeToString(h.Root[:]) }

// TableHash is the root over the rows of one table.
type TableHash struct {
	Name string
	Rows int64
	Root [32]byte
}

// hashed is a table of a projection as the history hash sees it: every column
// but space and generations, rows in the order of their key. Text in keys is
// ordered by its bytes.
type hashed struct {
	name    string
	columns string
	order   string // COLLATE is put in by dialect
	where   string // which rows count, with $2 for the live generation
}

const (
	rowsCurrent = `+gen_from <= $2 AND (+gen_to IS NULL OR +gen_to > $2)` // see view.current
	rowsFrom    = `+gen_from <= $2`
	rowsAll     = `CAST($2 AS BIGINT) >= 0`
)

// historyTables is every table of a projection.
var historyTables = []hashed{
	{"ruleset", `seq document`, `seq`, rowsAll},
	{"unit", `id name organisation businessunit services gone`, `id`, rowsAll},
	{"family", `id source tool target label unit_id folds undo_from assigned_seq`, `id`, rowsAll},
	{"place", `id family_id kind ref environment service version head_seq seen_at ended`, `id`, rowsAll},
	{"snapshot", `seq family_id place_id unit_id at received_at version commit_id raw_mac body assignment coverage basis artifact observations result`, `seq`, rowsAll},
	{"finding", `id family_id unit_id place_id service class state active severity tool rule title cwe ids file line package
		version purl image host resource endpoint cause issue owner verdict verdict_by verdict_seq until first_seen last_seen since
		reopened obs_seq obs_n origin spot block lead tools also`, `id`, rowsCurrent},
	{"presence", `finding_id place_id state basis first_seen last_seen since since_seq obs_seq obs_n obs_hash pass tool_status
		line k_tool k_content k_place k_moved k_near`, `finding_id, place_id`, rowsCurrent},
	{"step", `family_id n item entry size`, `family_id, n`, rowsCurrent},
	{"step_part", `family_id n part data`, `family_id, n, part`, rowsCurrent},
	{"finding_join", `a_id b_id rule fields seq`, `a_id, b_id`, rowsCurrent},
	{"link", `seq kind a_id b_id a_rule b_rule at actor undone`, `seq, a_id, b_id`, rowsAll},
	{"alias", `id root`, `id COLLATE`, rowsAll},
	{"issue", `id unit_id kind cause state since_seq first_seq reopened findings active critical high medium low info worst accepted presences
		working owner ticket_key ticket_url changed_seq`, `id`, rowsCurrent},
	{"issue_event", `issue_id seq n kind was became actor`, `issue_id, seq, n`, rowsFrom},
	{"intel", `kind seq at name records sets`, `kind COLLATE`, rowsAll},
	{"redirect", `old_id new_id`, `old_id`, rowsCurrent},
	{"verdict", `birth_id seq verdict actor until owner at undoes words words_by was was_by was_words was_until was_owner`, `birth_id, seq`, rowsFrom},
	{"decision", `seq at actor verdict until owner findings undoes`, `seq`, rowsAll},
	{"event", `finding_id seq n at known_at kind place_id was became cause actor`, `finding_id, seq, n`, rowsFrom},
	{"counter", `unit_id dim value n`, `unit_id, dim COLLATE, value COLLATE`, rowsAll + ` AND n <> 0`},
	{"asset", `id kind key unit_id ended_at`, `id`, rowsFrom},
	{"asset_fact", `place_id asset_id at known_at seq subtype name props`, `place_id, asset_id`, rowsCurrent},
	{"relation", `place_id kind from_id to_id at known_at seq confidence method`, `place_id, from_id, kind COLLATE, to_id`, rowsCurrent},
	{"ref_state", `target ref event into_ref at seq`, `target COLLATE, ref COLLATE`, rowsAll},
	{"deployment", `seq unit_id service environment version units at`, `seq`, rowsAll},
}

func (h hashed) query(d dialect) string {
	return `SELECT ` + strings.Join(strings.Fields(h.columns), ", ") + ` FROM ` + h.name + ` WHERE space = $1 AND ` + h.where +
		` ORDER BY ` + strings.ReplaceAll(h.order, " COLLATE", d.binary)
}

// HistoryHash is over every row of a projection, with ids, seqs and receipt
// times: a rebuild gives the same, and so does the other engine.
func (db *DB) HistoryHash(ctx context.Context, space int64) (Hash, error) {
	hash, _, err := db.historyHash(ctx, space, false, nil)
	return hash, err
}

// historyHash also gives each row, as it is hashed, to sink, and nil after the
// last one of each table.
func (db *DB) historyHash(ctx context.Context, space int64, keep bool, sink func(row []byte) error) (out Hash, pages [][][32]byte, err error) {
	if sink == nil {
		sink = func([]byte) error { return nil }
	}
	err = db.scan(ctx, func(s *rawScan) error {
		gen, err := s.liveGen(ctx, space)
		if err != nil {
			return err
		}
		var top merkle
		for _, table := range historyTables {
			m := &merkle{keep: keep}
			var row []byte
			err := s.each(ctx, table.query(db.dialect), []any{space, gen}, func(values []driver.Value) error {
				if row, err = appendRow(row[:0], table.name, values); err != nil {
					return err
				}
				m.add(leafHash(row))
				return sink(row)
			})
			if err == nil {
				err = sink(nil)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", table.name, err)
			}
			t := TableHash{table.name, m.rows, m.root()}
			out.Tables, pages = append(out.Tables, t), append(pages, m.pages)
			leaf, err := tableLeaf(nil, t.Name, m)
			if err != nil {
				return err
			}
			top.add(leaf)
		}
		out.Root = top.root()
		return nil
	})
	if err != nil {
		return Hash{}, nil, fmt.Errorf("history hash: %w", err)
	}
	return out, pages, nil
}

// appendRow encodes a row so that different rows never look alike: the table's
// name, then of each value its kind, length and bytes.
func appendRow(b []byte, table string, values []driver.Value) ([]byte, error) {
	b = binary.AppendUvarint(b, uint64(len(table)))
	b = append(b, table...)
	for i, v := range values {
		switch v := v.(type) {
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)) //nolint:gosec // a bit pattern
		case string:
			b = append(binary.AppendUvarint(append(b, 's'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.AppendUvarint(append(b, 'b'), uint64(len(v))), v...)
		default:
			return b, fmt.Errorf("value %d of a row of %s is a %T", i+1, table, v)
		}
	}
	return b, nil
}

// StateHash is over what is so in the world, without ids, seqs and receipt
// times: the same dated inputs give the same in whatever order they came. One
// leaf is one finding with its presences; leaves are sorted.
func (db *DB) StateHash(ctx context.Context, space int64) (Hash, error) {
	var out Hash
	err := db.scan(ctx, func(s *rawScan) error {
		gen, err := s.liveGen(ctx, space)
		if err != nil {
			return err
		}
		sorter := &leafSorter{}
		defer sorter.close()
		if err := s.stateLeaves(ctx, space, gen, sorter); err != nil {
			return err
		}
		m := &merkle{}
		if err := sorter.each(m.add); err != nil {
			return err
		}
		out = Hash{Root: m.root(), Tables: []TableHash{{"finding", m.rows, m.root()}}}
		return nil
	})
	if err != nil {
		return Hash{}, fmt.Errorf("state hash: %w", err)
	}
	return out, nil
}

// The columns of stateQuery: id and place of the finding, its content, then
// those of one presence.
const (
	stateFinding = `f.service, f.class, f.state, f.severity, f.tool, f.rule, f.title, f.cwe, f.ids, f.file, f.line,
	f.package, f.version, f.purl, f.image, f.host, f.resource, f.endpoint, f.owner, f.verdict, f.until, f.first_seen, ` +
		lastSeen + `, f.since, f.reopened, m.source, m.tool, m.target, m.label, COALESCE(u.name, ''),
	pl.kind, pl.ref, pl.environment, pl.service, f.tools, f.also,
	COALESCE(l.tool, ''), COALESCE(l.rule, ''), COALESCE(l.title, ''), COALESCE(l.file, ''), COALESCE(l.line, -1), COALESCE(l.first_seen, 0)`
	statePresence = `pp.kind, pp.ref, pp.environment, pp.service, p.state, p.basis, p.first_seen,
	CASE WHEN p.state = 'observed' AND pp.seen_at > p.last_seen THEN pp.seen_at ELSE p.last_seen END, p.since, p.obs_hash,
	p.tool_status, p.line, p.k_tool, p.k_content, p.k_place, p.k_moved, p.k_near`
	stateQuery = `SELECT f.id, ` + stateFinding + `, ` + statePresence + ` FROM finding f ` + lastSeenJoin + `
	JOIN family m ON m.space = f.space AND m.id = f.family_id
	LEFT JOIN unit u ON u.space = f.space AND u.id = f.unit_id
	LEFT JOIN finding l ON l.space = f.space AND l.id = f.lead AND +l.gen_from <= $2 AND (+l.gen_to IS NULL OR +l.gen_to > $2)
	JOIN presence p ON p.space = f.space AND p.finding_id = f.id AND +p.gen_from <= $2 AND (+p.gen_to IS NULL OR +p.gen_to > $2)
	JOIN place pp ON pp.space = p.space AND pp.id = p.place_id
	WHERE f.space = $1 AND +f.gen_from <= $2 AND (+f.gen_to IS NULL OR +f.gen_to > $2)
	ORDER BY f.id`
)

var stateFindingColumns = strings.Count(stateFinding, ",") + 1 - strings.Count(stateFinding, "COALESCE")

func (s *rawScan) stateLeaves(ctx context.Context, space, gen int64, sorter *leafSorter) error {
	var id int64 = -1
	var leaf []byte
	var presences merkleSet
	finish := func() error {
		if id < 0 {
			return nil
		}
		return sorter.add(leafHash(presences.appendTo(leaf)))
	}
	var buf []byte
	err := s.each(ctx, stateQuery, []any{space, gen}, func(values []driver.Value) error {
		next, ok := values[0].(int64)
		if !ok {
			return fmt.Errorf("id is a %T", values[0])
		}
		finding, presence := values[1:1+stateFindingColumns], values[1+stateFindingColumns:]
		var err error
		if next != id {
			if err := finish(); err != nil {
				return err
			}
			id, presences = next, presences[:0]
			if leaf, err = appendRow(leaf[:0], "finding", finding); err != nil {
				return err
			}
		}
		if buf, err = appendRow(buf[:0], "presence", presence); err != nil {
			return err
		}
		presences = append(presences, leafHash(buf))
		return nil
	})
	return errors.Join(err, finish())
}

// rawScan reads many rows from one moment of the database, past the conversions
// of database/sql, which would take most of the time.
type rawScan struct {
	conn *sql.Conn
}

func (db *DB) scan(ctx context.Context, fn func(*rawScan) error) error {
	conn, err := db.reader.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	t, err := conn.BeginTx(ctx, db.dialect.readTx)
	if err != nil {
		return err
	}
	defer t.Rollback()
	return fn(&rawScan{conn})
}

func (s *rawScan) liveGen(ctx context.Context, space int64) (gen int64, err error) {
	err = s.conn.QueryRowContext(ctx, `SELECT live_gen FROM space WHERE id = $1`, space).Scan(&gen)
	return gen, notFound(err, "there is no projection %d", space)
}

// each calls fn with each row; the values are fn's only until it returns.
func (s *rawScan) each(ctx context.Context, text string, args []any, fn func([]driver.Value) error) error {
	return s.conn.Raw(func(driverConn any) error {
		queryer, ok := driverConn.(driver.QueryerContext)
		if !ok {
			return fmt.Errorf("%T cannot query", driverConn)
		}
		named := make([]driver.NamedValue, len(args))
		for i, arg := range args {
			named[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
		}
		rows, err := queryer.QueryContext(ctx, text, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		values := make([]driver.Value, len(rows.Columns()))
		for {
			if err := rows.Next(values); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := fn(values); err != nil {
				return err
			}
		}
	})
}

// Difference names the first row in which the histories of two projections
// differ, "" if they don't: what a failed comparison of hashes is about.
func (db *DB) Difference(ctx context.Context, a, b int64) (string, error) {
	left, leftPages, err := db.historyHash(ctx, a, true, nil)
	if err != nil {
		return "", err
	}
	right, rightPages, err := db.historyHash(ctx, b, true, nil)
	if err != nil {
		return "", err
	}
	for i, table := range historyTables {
		if left.Tables[i].Root == right.Tables[i].Root {
			continue
		}
		page := 0
		for page < min(len(leftPages[i]), len(rightPages[i])) && leftPages[i][page] == rightPages[i][page] {
			page++
		}
		return db.difference(ctx, table, page, a, b)
	}
	return "", nil
}

func (db *DB) difference(ctx context.Context, table hashed, page int, spaces ...int64) (string, error) {
	var texts [2][]string
	err := db.scan(ctx, func(s *rawScan) error {
		for i, space := range spaces {
			gen, err := s.liveGen(ctx, space)
			if err != nil {
				return err
			}
			err = s.each(ctx, fmt.Sprintf("%s LIMIT %d OFFSET %d", table.query(db.dialect), pageRows+1, page*pageRows), []any{space, gen},
				func(values []driver.Value) error {
					var b strings.Builder
					for j, column := range strings.Fields(table.columns) {
						fmt.Fprintf(&b, " %s=%v", column, values[j])
					}
					texts[i] = append(texts[i], b.String())
					return nil
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("compare histories: %w", err)
	}
	for i := range max(len(texts[0]), len(texts[1])) {
		row := [2]string{" (none)", " (none)"}
		for j := range texts {
			if i < len(texts[j]) {
				row[j] = texts[j][i]
			}
		}
		if row[0] != row[1] {
			return fmt.Sprintf("%s row %d:\n1:%s\n2:%s", table.name, page*pageRows+i, row[0], row[1]), nil
		}
	}
	return table.name + ": the pages differ, and their rows do not", nil
}

// merkleSet is a few leaves whose order says nothing.
type merkleSet [][32]byte

func (s merkleSet) appendTo(b []byte) []byte {
	sorter := leafSorter{leaves: s}
	sorter.sort()
	for i := range s {
		b = append(b, s[i][:]...)
	}
	return b
}
