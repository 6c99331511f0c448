package pipeline

import (
	"bufio"
	"context"
	"crypto/sha256"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/intel"
	"github.com/sinewsec/sinew/internal/sinew"
	"github.com/sinewsec/sinew/internal/store"
)

// IntelEntry is the payload of an intelligence entry: something that others publish
// and that was imported as a whole.
type IntelEntry struct {
	Schema  string `json:"schema"` // intel/v1
	Kind    string `json:"kind"`   // aliases
	Name    string `json:"name"`   // of the file
	Digest  string `json:"digest"` // of the blob: a line a vulnerability, its names with spaces between
	Records int    `json:"records"`
	Sets    int    `json:"sets"`
}

// IntelAliases is the kind of alias sets.
const IntelAliases = "aliases"

// ImportAliases records which names vulnerabilities have, from a bundle of OSV
// records. It needs the admin role on everything, as it may change what is one
// problem everywhere.
func (p *Pipeline) ImportAliases(ctx context.Context, r sinew.Reader, name string, body io.Reader) (store.Accepted, *IntelEntry, error) {
	if !r.All.Allows(sinew.RoleAdmin) {
		return store.Accepted{}, nil, sinew.Errorf(sinew.CodeDenied, "your role does not allow this").Hint("ask an administrator of the workspace")
	}
	limit := p.opt.MaxBytes
	if limit == 0 {
		limit = format.Limits{}.WithDefaults().Total
	}
	spool, err := format.NewSpool(p.opt.SpoolDir, limit)
	if err != nil {
		return store.Accepted{}, nil, err
	}
	defer spool.Close()
	if _, err := io.Copy(spool, body); err != nil {
		return store.Accepted{}, nil, err
	}
	blob, err := p.db.NewBlob(ctx, r.Workspace, store.BlobIntel)
	if err != nil {
		return store.Accepted{}, nil, err
	}
	defer blob.Abort()
	entry := &IntelEntry{Schema: "intel/v1", Kind: IntelAliases, Name: path.Base(name)}
	entry.Records, err = intel.EachAliases(entry.Name, spool, spool.Size(), func(names []string) error {
		entry.Sets++
		slices.Sort(names)
		_, err := io.WriteString(blob, strings.Join(names, " ")+"\n")
		return err
	})
	if err != nil {
		return store.Accepted{}, nil, err
	}
	digest, _, err := blob.Commit()
	if err != nil {
		return store.Accepted{}, nil, err
	}
	entry.Digest = hexDigest(digest)
	a, err := p.db.Accept(ctx, r, store.Accept{
		Kind: sinew.EntryIntel, Payload: entry, Blobs: []store.BlobRef{{Kind: store.BlobIntel, Digest: digest}},
		Request: sha256.Sum256([]byte(entry.Digest)),
	})
	return a, entry, err
}

// intelEntry projects imported intelligence.
func (j *projector) intelEntry(ctx context.Context, e sinew.Entry) error {
	in, err := payload[IntelEntry](e)
	if err != nil {
		return err
	}
	st, err := j.begin(ctx)
	if err != nil {
		return err
	}
	digest, err := store.ParseDigest(in.Digest)
	if err != nil {
		return err
	}
	known, err := j.db.Aliases(ctx, j.space)
	if err != nil {
		return err
	}
	names := maps.Clone(known)
	err = j.eachName(ctx, digest, func(set []string) {
		for _, id := range set {
			if _, ok := names[id]; !ok {
				names[id] = id
			}
		}
		for _, id := range set[1:] {
			a, b := rootOf(names, set[0]), rootOf(names, id)
			if a != b { // the smallest stands for all, whatever the order
				names[max(a, b)] = min(a, b)
			}
		}
	})
	if err != nil {
		return err
	}
	differ := map[string]bool{}
	told := map[string]bool{} // roots of what the bundle tells
	for id := range names {
		names[id] = rootOf(names, id)
		if known[id] != names[id] {
			differ[id] = true
		}
	}
	if err := j.eachName(ctx, digest, func(set []string) { told[names[set[0]]] = true }); err != nil {
		return err
	}
	// Of all that the bundle speaks of, not only of what differs: an attempt that was
	// cut off may have left the names.
	changed := map[string]bool{}
	for id, root := range names {
		if told[root] {
			changed[id] = true
		}
	}
	if err := st.SaveAliases(ctx, names, differ); err != nil {
		return err
	}
	st.SaveIntel(store.IntelRow{Kind: in.Kind, Seq: e.Seq, At: micros(e.At), Name: in.Name, Records: int64(in.Records), Sets: int64(in.Sets)})
	if err := j.noteNamed(ctx, st, changed); err != nil {
		return err
	}
	return j.flip(ctx, st, e.Seq, nil)
}

// eachName gives the alias sets of a blob, none of them empty.
func (j *projector) eachName(ctx context.Context, digest [32]byte, fn func(set []string)) error {
	r, err := j.db.OpenBlob(ctx, j.ws.ID, store.BlobRef{Kind: store.BlobIntel, Digest: digest})
	if err != nil {
		return err
	}
	defer r.Close()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if set := strings.Fields(lines.Text()); len(set) > 0 {
			fn(set)
		}
	}
	return lines.Err()
}

// rootOf follows names to the one that stands for all, and shortens the way.
func rootOf(names map[string]string, id string) string {
	root := id
	for names[root] != root {
		root = names[root]
	}
	for id != root {
		id, names[id] = names[id], root
	}
	return root
}

// noteNamed has the findings of some vulnerabilities correlated again.
func (j *projector) noteNamed(ctx context.Context, st *store.Stage, changed map[string]bool) error {
	if len(changed) == 0 {
		return nil
	}
	after := int64(-1)
	for {
		rows, err := j.db.FindingPage(ctx, j.space, store.FindingCond{Named: true}, after, 10*touchBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].ID
		st.Correlate(slices.DeleteFunc(rows, func(row store.FindingRow) bool {
			for id := range strings.FieldsSeq(row.IDs) {
				if changed[strings.ToUpper(id)] {
					return false
				}
			}
			return true
		}))
	}
}

// Intel tells what intelligence was imported, and when.
func (p *Pipeline) Intel(ctx context.Context, r sinew.Reader) ([]Intelligence, error) {
	space, err := p.db.LiveSpace(ctx, r.Workspace)
	if err != nil {
		return nil, err
	}
	rows, err := p.db.Intel(ctx, space.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Intelligence, len(rows))
	for i, row := range rows {
		out[i] = Intelligence{Kind: row.Kind, Name: row.Name, At: time.UnixMicro(row.At).UTC(), Records: row.Records, Sets: row.Sets}
	}
	return out, nil
}

// Intelligence is what was imported last of a kind.
type Intelligence struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name" doc:"Of the file"`
	At      time.Time `json:"at" doc:"When it was imported"`
	Records int64     `json:"records"`
	Sets    int64     `json:"sets" doc:"Vulnerabilities with several names"`
}
