package format

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/sinewsec/sinew/internal/sinew"
)

// unit is one file to map: the report, or a member of an archive.
type unit struct {
	variant *variant
	look    *look
	member  string // path inside the archive, empty for the report itself
}

// Archives are opened member by member into the encrypted store of the parse. No
// name in an archive ever becomes a path on disk.

// unpack copies a member into the store, within the limits.
func (p *parse) unpack(name string, packed int64, r io.Reader) (Input, error) {
	s, err := p.storage()
	if err != nil {
		return Input{}, err
	}
	start := s.Size()
	buf := make([]byte, 64<<10)
	for {
		n, rerr := r.Read(buf)
		got := s.Size() + int64(n) - start
		if p.spent+got > p.limits.Total {
			return Input{}, tooLarge(name, "the archive unpacks to more than %s", size(p.limits.Total)).Hint("split it, or raise the limit in the configuration")
		}
		if got > 16<<20 && got > packed*p.limits.Ratio {
			return Input{}, tooLarge(name, "it unpacks to more than %d times its size", p.limits.Ratio).
				Hint("this is what a decompression bomb looks like; if it is none, upload the unpacked file")
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return Input{}, err
		}
		if errors.Is(rerr, io.EOF) {
			break
		}
		if rerr != nil {
			if err := p.clock.err(p.limits); err != nil {
				return Input{}, err
			}
			return Input{}, invalid(name, "it cannot be unpacked: %v", rerr).Hint("the archive is damaged or cut off")
		}
	}
	length := s.Size() - start
	p.spent += length
	return Input{Name: path.Base(name), R: io.NewSectionReader(s, start, length), Size: length}, nil
}

// storage is where this parse keeps what it unpacks and transcodes.
func (p *parse) storage() (*Spool, error) {
	if p.store == nil {
		s, err := NewSpool(p.opt.SpoolDir, 0)
		if err != nil {
			return nil, err
		}
		p.store = s
		p.closers = append(p.closers, s.Close)
	}
	return p.store, nil
}

// archive lists what is to be read in an archive.
func (p *parse) archive(l *look, member string, want *Format, nesting int) ([]unit, error) {
	if nesting >= p.limits.Nesting {
		return nil, tooLarge("", "archives are nested more than %d deep", p.limits.Nesting).Hint("unpack it first")
	}
	a := &members{parse: p, want: want, nesting: nesting + 1, outer: member}
	in := l.in
	switch l.archive {
	case "gzip":
		z, err := gzip.NewReader(io.NewSectionReader(in.R, 0, in.Size))
		if err != nil {
			return nil, invalid("", "not a valid gzip file: %v", err).Hint("the file is damaged or cut off")
		}
		name := strings.TrimSuffix(in.Name, ".gz")
		inner, err := p.unpack(name, in.Size, z)
		if err != nil {
			return nil, err
		}
		return p.units(inner, member, want, nesting+1)
	case "tar":
		if err := a.tar(in); err != nil {
			return nil, err
		}
	case "zip":
		z, err := openZipReader(in)
		if err != nil {
			return nil, err
		}
		if err := p.lookZIP(l, z); err != nil {
			return nil, err
		}
		v, err := p.choose(l, want)
		if err == nil && v != nil {
			return []unit{{variant: v, look: l, member: member}}, nil
		}
		if err != nil && (l.kinds[kindXLSX] != nil || sinew.CodeOf(err) != sinew.CodeUnsupported || isTie(err)) {
			return nil, err
		}
		if err := a.zip(z); err != nil {
			return nil, err
		}
	}
	return a.result(l.archive)
}

func isTie(err error) bool { return strings.HasPrefix(err.Error(), "several formats") }

// members collects the units of an archive.
type members struct {
	*parse
	want    *Format
	nesting int
	outer   string
	found   []unit
	refused []error
	seen    int
	empty   int
}

func (a *members) add(name string, packed int64, r io.Reader) error {
	if a.seen++; a.seen > a.limits.Members {
		return tooLarge("", "the archive has more than %d files", a.limits.Members).Hint("upload the reports in it one by one")
	}
	full := name
	if a.outer != "" {
		full = a.outer + "/" + name
	}
	in, err := a.unpack(name, packed, r)
	if err != nil {
		return err
	}
	us, err := a.units(in, full, a.want, a.nesting)
	switch {
	case err != nil && sinew.CodeOf(err) == sinew.CodeUnsupported && !isTie(err):
		a.refused = append(a.refused, located(err, name))
		return nil
	case err != nil:
		return located(err, name)
	case len(us) == 0:
		a.empty++
	}
	a.found = append(a.found, us...)
	return nil
}

func (a *members) result(kind string) ([]unit, error) {
	if len(a.found) == 0 && len(a.refused) > 0 {
		return nil, &sinew.Error{
			Code: sinew.CodeUnsupported, Message: fmt.Sprintf("no file in this %s archive is a report that is known; the first: %v", kind, a.refused[0]),
			Next: "unpack it and upload the report itself", Err: a.refused[0],
		}
	}
	for _, err := range a.refused {
		a.notes.add("files left out", "left out: "+cutText(err.Error(), 300))
	}
	return a.found, nil
}

// memberName refuses names that only an attack or another system has a use for,
// and passes over what is no report. Names are only ever shown.
func (a *members) memberName(name string) (string, bool) {
	clean := path.Clean("/" + strings.ReplaceAll(name, `\`, "/"))[1:]
	if clean == "" || strings.HasSuffix(name, "/") {
		return "", false
	}
	if clean != name && (strings.Contains(name, "..") || strings.HasPrefix(name, "/") || strings.Contains(name, ":")) {
		a.notes.add("files left out", "left out: the name "+cutText(fmt.Sprintf("%q", name), 100)+" leads out of the archive")
		return "", false
	}
	base := path.Base(clean)
	if strings.HasPrefix(clean, "__MACOSX/") || base == ".DS_Store" || base == "Thumbs.db" {
		return "", false
	}
	return cutText(cleanText([]byte(clean), 500, func(string) {}), 500), true
}

func (a *members) tar(in Input) error {
	t := tar.NewReader(io.NewSectionReader(in.R, 0, in.Size))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return invalid("", "not a valid tar file: %v", err).Hint("the file is damaged or cut off")
		}
		name, ok := a.memberName(h.Name)
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		if err := a.add(name, in.Size, t); err != nil {
			return err
		}
	}
}

func (a *members) zip(z *zip.Reader) error {
	for _, f := range z.File {
		name, ok := a.memberName(f.Name)
		if !ok || !f.Mode().IsRegular() {
			continue
		}
		if err := a.zipMember(f, name); err != nil {
			return err
		}
	}
	return nil
}

func (a *members) zipMember(f *zip.File, name string) error {
	r, err := openMember(f)
	if err != nil {
		return err
	}
	defer r.Close()
	return a.add(name, int64(f.CompressedSize64), r) //nolint:gosec // bounded by the file's size
}

func openMember(f *zip.File) (io.ReadCloser, error) {
	if f.Flags&1 != 0 {
		return nil, sinew.Errorf(sinew.CodeUnsupported, "the file %q in the archive is encrypted", cutText(f.Name, 200)).Hint("unpack it first")
	}
	r, err := f.Open()
	if err != nil {
		return nil, invalid(cutText(f.Name, 200), "it cannot be unpacked: %v", err).Hint("the archive is damaged or packed in an unusual way")
	}
	return r, nil
}

// maxDirectory bounds the table of contents of a ZIP, which is read whole.
const maxDirectory = 8 << 20

// openZipReader opens a ZIP after a look at how large its directory is.
func openZipReader(in Input) (*zip.Reader, error) {
	tail := make([]byte, min(in.Size, 66<<10))
	if _, err := in.R.ReadAt(tail, in.Size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the archive's directory: %w", err)
	}
	i := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if i < 0 || i+22 > len(tail) {
		return nil, invalid("", "the ZIP file has no directory at its end").Hint("the file is cut off")
	}
	length := uint64(binary.LittleEndian.Uint32(tail[i+12:]))
	if length == 0xffffffff && i >= 20 {
		at := int64(binary.LittleEndian.Uint64(tail[i-12:])) //nolint:gosec // checked by ReadAt
		var rec [56]byte
		if _, err := in.R.ReadAt(rec[:], at); err != nil {
			return nil, invalid("", "the ZIP file's directory is damaged").Hint("the file is damaged or cut off")
		}
		length = binary.LittleEndian.Uint64(rec[40:])
	}
	if length > maxDirectory {
		return nil, tooLarge("", "the ZIP file's directory has %s, more than %s", size(int64(min(length, 1<<60))), size(maxDirectory)).Hint("upload the reports in it one by one")
	}
	z, err := zip.NewReader(io.NewSectionReader(in.R, 0, in.Size), in.Size)
	if err != nil {
		return nil, invalid("", "not a valid ZIP file: %v", err).Hint("the file is damaged or cut off")
	}
	z.RegisterDecompressor(zip.Deflate, flate.NewReader)
	return z, nil
}

// lookZIP samples what zip and xlsx mappings see.
func (p *parse) lookZIP(l *look, z *zip.Reader) error {
	names := make([]any, 0, len(z.File))
	for _, f := range z.File {
		names = append(names, strings.ToValidUTF8(f.Name, "\uFFFD"))
	}
	if zipFile(z, "xl/workbook.xml") != nil {
		x, err := p.openWorkbook(z)
		if err != nil {
			return err
		}
		sample, err := x.sample()
		if err != nil {
			return err
		}
		l.kinds[kindXLSX] = sample
		l.shape = "a spreadsheet with the sheets " + someKeys(sample["sheets"].(map[string]any)) //nolint:forcetypeassert // made there
		return nil
	}
	l.kinds[kindZIP] = map[string]any{"names": names}
	return nil
}

func zipFile(z *zip.Reader, name string) *zip.File {
	for _, f := range z.File {
		if strings.EqualFold(strings.TrimPrefix(f.Name, "/"), name) {
			return f
		}
	}
	return nil
}

// zipDocument is a ZIP whose members belong together: tables may come from one
// and rows from another. Its head is {member name: head of the member}.
type zipDocument struct {
	subs []zipSub
	top  map[string]any
}

type zipSub struct {
	name string
	doc  document
}

const maxJoined = 200

func openZIP(p *parse, e *env, in Input) (_ document, err error) {
	z, err := openZipReader(in)
	if err != nil {
		return nil, err
	}
	d := &zipDocument{top: map[string]any{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	uses := func(name string, index bool) bool {
		for _, r := range e.variant.rows {
			if !index && globs(r.member, name) {
				return true
			}
		}
		for _, ix := range e.variant.index {
			if index && globs(ix.member, name) {
				return true
			}
		}
		return false
	}
	for _, tablesFirst := range []bool{true, false} {
		for _, f := range z.File {
			if !uses(f.Name, tablesFirst) || !tablesFirst && d.top[f.Name] != nil {
				continue
			}
			if len(d.subs) >= maxJoined {
				return nil, tooLarge("", "the archive has more than %d files of this format", maxJoined)
			}
			doc, err := p.openMemberDocument(e, f)
			if err != nil {
				return nil, located(err, f.Name)
			}
			d.subs = append(d.subs, zipSub{f.Name, doc})
			d.top[f.Name] = doc.head()
		}
	}
	if len(d.subs) == 0 {
		return nil, invalid("", "the archive has none of the files that %s reads", e.variant.format.Name)
	}
	order := func(name string) int {
		return slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	}
	slices.SortStableFunc(d.subs, func(a, b zipSub) int { return order(a.name) - order(b.name) })
	return d, nil
}

func globs(pattern, name string) bool {
	ok, err := doublestar.Match(pattern, name)
	return err == nil && ok
}

func (p *parse) openMemberDocument(e *env, f *zip.File) (document, error) {
	r, err := openMember(f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	in, err := p.unpack(f.Name, int64(f.CompressedSize64), r) //nolint:gosec // bounded by the file's size
	if err != nil {
		return nil, err
	}
	if in, err = p.plainText(in); err != nil {
		return nil, err
	}
	in.R = checked{in, p}
	sub := *e
	sub.member = f.Name
	xml := false
	for _, r := range e.variant.rows {
		xml = xml || globs(r.member, f.Name) && strings.HasPrefix(r.path.text, "/")
	}
	for _, ix := range e.variant.index {
		xml = xml || globs(ix.member, f.Name) && strings.HasPrefix(ix.path.text, "/")
	}
	tree := newPathTree(e.variant, xml, func(glob string) bool { return globs(glob, f.Name) })
	switch ext := strings.ToLower(path.Ext(f.Name)); {
	case xml:
		return openXML(&sub, in, tree)
	case ext == ".csv":
		l := &look{in: in, kinds: map[string]any{}}
		head := make([]byte, min(in.Size, lookBytes))
		n, _ := in.R.ReadAt(head, 0)
		p.lookTable(l, head[:n])
		return openCSV(&sub, l, tree)
	case ext == ".jsonl" || ext == ".ndjson":
		return openLines(&sub, in.R, tree)
	}
	return openJSON(&sub, in.R, tree)
}

func (d *zipDocument) head() any { return d.top }

func (d *zipDocument) rows(emit func(*row) error) error {
	for _, s := range d.subs {
		if err := s.doc.rows(emit); err != nil {
			return located(err, s.name)
		}
	}
	return nil
}

func (d *zipDocument) close() error {
	var err error
	for _, s := range d.subs {
		err = errors.Join(err, s.doc.close())
	}
	return err
}
