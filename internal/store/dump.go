package store

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// A dump is a blob that holds what a projection is when a checkpoint is made:
// the rows that the history hash is over, in the same order and encoding, so
// that whoever reads it computes that hash. Its layout is
//
//	{"schema":"dump/v1",...}\n               dumpHeader: tables and columns, in their order
//	length (uvarint), row (appendRow) ...    of each table; a length of 0 ends it
//
// It is equal on both engines. A rebuild starts from the newest one, so that what
// went before it need not be there any more.

// DumpSchema is the version of the dump contract written today.
const DumpSchema = "dump/v1"

type dumpHeader struct {
	Schema    string      `json:"schema"`
	Workspace string      `json:"workspace"` // uuid
	Seq       int64       `json:"seq"`       // the newest entry that is in it
	Version   string      `json:"version"`   // of the projection code
	Tables    []dumpTable `json:"tables"`
}

type dumpTable struct {
	Name    string `json:"name"`
	Columns string `json:"columns"`
}

const (
	maxDumpHeader = 1 << 20
	maxDumpRow    = 256 << 20 // a document of rules or a result; the log bounds them lower
)

// dump writes a projection as a blob and gives its digest, with the history hash
// that it has.
func (db *DB) dump(ctx context.Context, w sinew.Workspace, space Space) (digest [32]byte, history Hash, err error) {
	b, err := db.NewBlob(ctx, w.ID, BlobDump)
	if err != nil {
		return digest, history, err
	}
	defer b.Abort()
	out := bufio.NewWriterSize(b, 64<<10)
	header := dumpHeader{Schema: DumpSchema, Workspace: w.UUID, Seq: space.ProjectedSeq, Version: space.Version}
	for _, t := range historyTables {
		header.Tables = append(header.Tables, dumpTable{t.name, strings.Join(strings.Fields(t.columns), " ")})
	}
	text, err := json.Marshal(header)
	if err != nil {
		return digest, history, fmt.Errorf("dump: %w", err)
	}
	if _, err := out.Write(append(text, '\n')); err != nil {
		return digest, history, fmt.Errorf("dump: %w", err)
	}
	var length []byte
	history, _, err = db.historyHash(ctx, space.ID, false, func(row []byte) error {
		length = binary.AppendUvarint(length[:0], uint64(len(row)))
		if _, err := out.Write(length); err != nil {
			return err
		}
		_, err := out.Write(row)
		return err
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		digest, _, err = b.Commit()
	}
	if err != nil {
		return digest, history, fmt.Errorf("dump: %w", err)
	}
	return digest, history, nil
}

// badDump says what is wrong with the bytes of a dump.
func badDump(format string, args ...any) error {
	return sinew.Errorf(sinew.CodeConflict, "the dump cannot be read: "+format, args...).
		Hint("restore a backup; `sinew log verify` tells what else is wrong")
}

// scanDump reads a dump through. begin is called with its header, row with each
// row: the values are row's only until it returns. It gives the history hash of
// what was read.
func scanDump(from io.Reader, begin func(*dumpHeader) error, row func(table int, values []any) error) (root [32]byte, err error) {
	in := bufio.NewReaderSize(from, 256<<10)
	h, err := readDumpHeader(in)
	if err != nil {
		return root, err
	}
	if err := begin(h); err != nil {
		return root, err
	}
	var top merkle
	var buf []byte
	var values []any
	for i, table := range h.Tables {
		columns := len(strings.Fields(table.Columns))
		m := &merkle{}
		for {
			n, err := binary.ReadUvarint(in)
			if err != nil {
				return root, badDump("%s row %d: %w", table.Name, m.rows, noEOF(err))
			}
			if n == 0 {
				break
			}
			if n > maxDumpRow {
				return root, badDump("%s row %d has %d bytes", table.Name, m.rows, n)
			}
			buf = slices.Grow(buf[:0], int(n))[:n]
			if _, err := io.ReadFull(in, buf); err != nil {
				return root, badDump("%s row %d: %w", table.Name, m.rows, noEOF(err))
			}
			if values, err = parseRow(values[:0], buf, table.Name, columns); err != nil {
				return root, badDump("%s row %d: %w", table.Name, m.rows, err)
			}
			m.add(leafHash(buf))
			if err := row(i, values); err != nil {
				return root, err
			}
		}
		leaf, err := tableLeaf(nil, table.Name, m)
		if err != nil {
			return root, err
		}
		top.add(leaf)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return root, badDump("something follows its end")
	}
	return top.root(), nil
}

func readDumpHeader(in *bufio.Reader) (*dumpHeader, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		text = append(text, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(text) > maxDumpHeader {
			return nil, badDump("it does not begin with a header: %w", noEOF(err))
		}
	}
	h := &dumpHeader{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, badDump("its header: %w", err)
	}
	if h.Schema != DumpSchema {
		return nil, sinew.Errorf(sinew.CodeUnsupported, "the dump has the schema %q, and this sinew reads %s", h.Schema, DumpSchema).
			Hint("use the release that made it")
	}
	return h, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseRow reads what appendRow wrote, and appends the values to dst.
func parseRow(dst []any, b []byte, table string, columns int) ([]any, error) {
	text := func() ([]byte, error) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) { //nolint:gosec // size is at most len(b)
			return nil, errors.New("a length is wrong")
		}
		v := b[size : size+int(n)] //nolint:gosec // at most len(b)
		b = b[size+int(n):]        //nolint:gosec // likewise
		return v, nil
	}
	name, err := text()
	if err != nil {
		return dst, err
	}
	if string(name) != table {
		return dst, fmt.Errorf("it is a row of %q", name)
	}
	for len(b) > 0 {
		kind := b[0]
		b = b[1:]
		switch kind {
		case 'i':
			if len(b) < 8 {
				return dst, errors.New("a number is cut off")
			}
			dst = append(dst, int64(binary.BigEndian.Uint64(b))) //nolint:gosec // a bit pattern
			b = b[8:]
		case 's', 'b':
			v, err := text()
			if err != nil {
				return dst, err
			}
			if kind == 's' {
				dst = append(dst, string(v))
			} else {
				dst = append(dst, slices.Clone(v))
			}
		default:
			return dst, fmt.Errorf("a value of kind %q", kind)
		}
	}
	if len(dst) != columns {
		return dst, fmt.Errorf("%d values for %d columns", len(dst), columns)
	}
	return dst, nil
}

// tableLeaf is what the history hash has of one table.
func tableLeaf(buf []byte, name string, m *merkle) ([32]byte, error) {
	root := m.root()
	row, err := appendRow(buf, name, []driver.Value{m.rows, root[:]})
	return leafHash(row), err
}

// NewestDump gives the newest checkpoint of a workspace that carries a dump, with
// its own entry, after checking that it is of this log and signed by key. It is
// nil where there is none.
func (db *DB) NewestDump(ctx context.Context, workspace int64, key ed25519.PublicKey) (c *Checkpoint, seq int64, err error) {
	w, err := db.WorkspaceByID(ctx, workspace)
	if err != nil {
		return nil, 0, err
	}
	if c, seq, err = db.newestDump(ctx, workspace); err != nil || c == nil {
		return nil, 0, err
	}
	if err := c.verify(w.UUID, key); err != nil {
		return nil, 0, sinew.Errorf(sinew.CodeConflict, "checkpoint %d: %w", seq, err).
			Hint("start with the master key that this database was made with, SINEW_KEY or the key file")
	}
	at, err := entry(ctx, db.reader, workspace, c.Seq)
	if err != nil {
		return nil, 0, fmt.Errorf("checkpoint %d: %w", seq, err)
	}
	if hex.EncodeToString(at.Hash[:]) != c.Chain {
		return nil, 0, sinew.Errorf(sinew.CodeConflict, "checkpoint %d is not of entry %d as it is now", seq, c.Seq).
			Hint("`sinew log verify` tells what else is wrong; restore a backup")
	}
	return c, seq, nil
}

func (db *DB) newestDump(ctx context.Context, workspace int64) (*Checkpoint, int64, error) {
	seqs, err := db.EntriesOf(ctx, workspace, string(sinew.EntryCheckpoint), 0, math.MaxInt64)
	if err != nil {
		return nil, 0, err
	}
	for _, seq := range slices.Backward(seqs) {
		e, err := entry(ctx, db.reader, workspace, seq)
		if err != nil {
			return nil, 0, err
		}
		c := &Checkpoint{}
		if err := json.Unmarshal(e.Payload, c); err != nil {
			return nil, 0, fmt.Errorf("checkpoint %d: %w", seq, err)
		}
		if c.Dump == "" {
			continue
		}
		ref, err := c.dumpRef()
		if err != nil {
			return nil, 0, fmt.Errorf("checkpoint %d: %w", seq, err)
		}
		if _, err := livingBlob(ctx, db.reader, workspace, ref); err == nil {
			return c, seq, nil
		} else if !errors.Is(err, errBlobGone) {
			return nil, 0, fmt.Errorf("checkpoint %d: %w", seq, err)
		}
	}
	return nil, 0, nil
}

func (c *Checkpoint) dumpRef() (BlobRef, error) {
	digest, err := ParseDigest(c.Dump)
	return BlobRef{BlobDump, digest}, err
}

// LoadDump makes an empty projection what the dump of a checkpoint says, up to
// the checkpoint's entry; what an earlier attempt left there goes first. Nothing
// is visible before all of it is there and has the digest and the history hash
// that the checkpoint names. same reports whether the dump has the tables and
// columns of this version, so that the history hash stays what it was.
func (db *DB) LoadDump(ctx context.Context, lease *Lease, space int64, c *Checkpoint) (same bool, err error) {
	w, err := db.WorkspaceByID(ctx, lease.Workspace)
	if err != nil {
		return false, err
	}
	ref, err := c.dumpRef()
	if err != nil {
		return false, fmt.Errorf("load dump: %w", err)
	}
	blob, err := db.OpenBlob(ctx, lease.Workspace, ref)
	if err != nil {
		return false, fmt.Errorf("load dump: %w", err)
	}
	defer blob.Close()
	l := &dumpLoader{s: &Stage{db: db, lease: lease, ws: lease.Workspace, space: space}, ctx: ctx, c: c, uuid: w.UUID, batch: 600}
	if err := l.empty(); err != nil {
		return false, fmt.Errorf("load dump: %w", err)
	}
	sum := sha256.New()
	root, err := scanDump(io.TeeReader(blob, sum), l.begin, l.row)
	if err == nil {
		err = l.flush()
	}
	switch {
	case err != nil:
	case [32]byte(sum.Sum(nil)) != ref.Digest:
		err = badDump("its bytes are not what was recorded")
	case hex.EncodeToString(root[:]) != c.History:
		err = badDump("it has another history hash than the checkpoint says")
	default:
		if err = db.reindexFindings(ctx, lease, space); err == nil {
			err = l.done()
		}
	}
	if err != nil {
		return false, fmt.Errorf("load dump: %w", err)
	}
	return l.same, nil
}

// dumpLoader writes the rows of a dump into a space, a batch in a transaction.
type dumpLoader struct {
	s    *Stage
	ctx  context.Context
	c    *Checkpoint
	uuid string
	same bool

	tables []table // of the dump, with the columns that every row gets besides
	gens   []bool  // whether rows carry a generation
	at     int     // table of the rows in hand
	values []any
	n      int
	batch  int // rows a transaction; follows the measured time
}

// empty deletes what an earlier attempt left in the space. A space that shows
// anything is left alone.
func (l *dumpLoader) empty() error {
	var shown bool
	err := l.s.db.read(l.ctx, func(t *tx) error {
		return t.QueryRowContext(l.ctx, `SELECT live_gen + projected_seq > 0 FROM space WHERE id = $1`, l.s.space).Scan(&shown)
	})
	if err != nil {
		return err
	}
	if shown {
		return errors.New("the projection is not empty")
	}
	return l.s.clear(l.ctx)
}

// firstGen is the generation of what a dump brings.
const firstGen = 1

// begin compares the dump with the schema. Columns that it does not have get
// their default, as rows did that were there when the column came.
func (l *dumpLoader) begin(h *dumpHeader) error {
	if h.Workspace != l.uuid || h.Seq != l.c.Seq || h.Version != l.c.Version {
		return badDump("it is not the dump of checkpoint %d of this workspace", l.c.Seq)
	}
	l.same = len(h.Tables) == len(historyTables)
	for i, t := range h.Tables {
		k := slices.IndexFunc(historyTables, func(known hashed) bool { return known.name == t.Name })
		if k < 0 {
			return unknownInDump("table " + t.Name)
		}
		known, columns := strings.Fields(historyTables[k].columns), strings.Fields(t.Columns)
		for _, column := range columns {
			if !slices.Contains(known, column) {
				return unknownInDump("column " + t.Name + "." + column)
			}
		}
		l.same = l.same && k == i && slices.Equal(known, columns)
		into := table{t.Name, append([]string{"space"}, columns...)}
		gen := carriesGen(t.Name)
		if gen {
			into.cols = append(into.cols, "gen_from")
		}
		l.tables, l.gens = append(l.tables, into), append(l.gens, gen)
	}
	return nil
}

func carriesGen(table string) bool {
	for _, v := range versioned {
		if v.name == table {
			return true
		}
	}
	return false
}

func unknownInDump(what string) error {
	return sinew.Errorf(sinew.CodeUnsupported, "the dump has the %s, which this sinew does not know", what).
		Hint("use the release that wrote it, or a newer one")
}

func (l *dumpLoader) row(table int, values []any) error {
	if table != l.at {
		if err := l.flush(); err != nil {
			return err
		}
		l.at = table
	}
	l.values = append(append(l.values, l.s.space), values...)
	if l.gens[table] {
		l.values = append(l.values, int64(firstGen))
	}
	if l.n++; l.n < l.batch {
		return nil
	}
	return l.flush()
}

func (l *dumpLoader) flush() error {
	if l.n == 0 {
		return nil
	}
	start := time.Now()
	into := &l.tables[l.at]
	err := l.s.tx(l.ctx, func(t *tx) error { return bulkInsert(l.ctx, t, into.name, into.cols, l.values) })
	if err != nil {
		return err
	}
	clear(l.values)
	l.values, l.n = l.values[:0], 0
	switch took := time.Since(start); { // as Stage.Flush
	case took > stageBudget && l.batch > 100:
		l.batch = l.batch * 3 / 4
	case took < stageBudget/2 && l.batch < 4000:
		l.batch = l.batch * 5 / 4
	}
	return nil
}

// done makes what was loaded visible.
func (l *dumpLoader) done() error {
	return l.s.tx(l.ctx, func(t *tx) error {
		res, err := t.ExecContext(l.ctx, `UPDATE space SET live_gen = $1, projected_seq = $2 WHERE id = $3 AND live_gen = 0 AND projected_seq = 0`,
			int64(firstGen), l.c.Seq, l.s.space)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, errGen)
		}
		return nil
	})
}
