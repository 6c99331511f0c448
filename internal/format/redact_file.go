package format

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/text/transform"
)

// Redact writes the report to w with a token in the place of each secret value,
// in whatever spelling: as it is, with the escapes of JSON (also of JSON inside a
// JSON text), with the references of XML, with the doubled quotes of CSV.
// Archives are rewritten member by member. Text in another encoding becomes
// UTF-8. Memory does not grow with the report. A report without secrets is copied
// as it is. What was written parses to the same result, with the same tokens.
func Redact(ctx context.Context, in Input, secrets *Secrets, w io.Writer) error {
	r := &redaction{ctx: ctx, secrets: secrets}
	if secrets.Count() == 0 {
		_, err := io.Copy(w, r.reader(in))
		return err
	}
	return r.file(in, "", w, 0)
}

type redaction struct {
	ctx     context.Context //nolint:containedctx // of one call
	secrets *Secrets
}

type ctxReader struct {
	ctx context.Context //nolint:containedctx // of one call
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (r *redaction) reader(in Input) io.Reader {
	return ctxReader{r.ctx, io.NewSectionReader(in.R, 0, in.Size)}
}

func (r *redaction) file(in Input, member string, w io.Writer, nesting int) error {
	head := make([]byte, min(in.Size, 4<<10))
	n, err := in.R.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the beginning: %w", err)
	}
	head = head[:n]
	kind := archiveKind(head)
	if kind != "" && nesting > 8 {
		return tooLarge(member, "archives are nested too deep to be redacted")
	}
	switch kind {
	case "gzip":
		z, err := gzip.NewReader(r.reader(in))
		if err != nil {
			return invalid(member, "not a valid gzip file: %v", err)
		}
		out := gzip.NewWriter(w)
		out.Name = z.Name
		if err := r.inner(z, member, out, nesting); err != nil {
			return err
		}
		return out.Close()
	case "tar":
		return r.tar(in, member, w, nesting)
	case "zip":
		return r.zip(in, member, w, nesting)
	}
	return r.text(in, member, w)
}

// inner redacts what an archive holds: into a spool, since its kind decides, and
// some kinds are read from their end.
func (r *redaction) inner(src io.Reader, member string, w io.Writer, nesting int) error {
	s, err := NewSpool("", Limits{}.WithDefaults().Total)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := io.Copy(s, ctxReader{r.ctx, src}); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return r.file(Input{R: s, Size: s.Size()}, member, w, nesting+1)
}

func join(member, name string) string {
	if member == "" {
		return name
	}
	return member + "/" + name
}

func (r *redaction) zip(in Input, member string, w io.Writer, nesting int) error {
	z, err := openZipReader(in)
	if err != nil {
		return err
	}
	out := zip.NewWriter(w)
	for _, f := range z.File {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: f.Modified}
		dst, err := out.CreateHeader(h)
		if err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		if f.Mode().IsDir() {
			continue
		}
		src, err := openMember(f)
		if err != nil {
			return err
		}
		err = r.inner(src, join(member, f.Name), dst, nesting)
		if err = errors.Join(err, src.Close()); err != nil {
			return err
		}
	}
	return out.Close()
}

func (r *redaction) tar(in Input, member string, w io.Writer, nesting int) error {
	t := tar.NewReader(r.reader(in))
	out := tar.NewWriter(w)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return out.Close()
		}
		if err != nil {
			return invalid(member, "not a valid tar file: %v", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		// The header tells the size, so the member is redacted first.
		s, err := NewSpool("", 0)
		if err != nil {
			return err
		}
		err = r.inner(t, join(member, h.Name), s, nesting)
		if err == nil {
			err = out.WriteHeader(&tar.Header{Name: h.Name, Mode: 0o600, Size: s.Size(), ModTime: h.ModTime, Typeflag: tar.TypeReg})
		}
		if err == nil {
			_, err = io.Copy(out, io.NewSectionReader(s, 0, s.Size()))
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return err
		}
	}
}

// text redacts a file that is no archive.
func (r *redaction) text(in Input, member string, w io.Writer) error {
	enc, bom, name, err := textEncoding(in)
	if err != nil {
		return err
	}
	src := io.Reader(ctxReader{r.ctx, io.NewSectionReader(in.R, bom, in.Size-bom)})
	if enc != nil {
		src = transform.NewReader(src, enc.NewDecoder())
	}
	if enc != nil || bom > 0 {
		// The mark tells readers to take no other encoding's word for it.
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return fmt.Errorf("write redacted %s: %w", name, err)
		}
	}
	head := make([]byte, 4<<10)
	n, err := io.ReadFull(src, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	head = head[:n]
	spellings := []spelling{spellCSV, spellRaw, spellCSVMixed}
	text := bytes.TrimLeft(head, " \t\r\n\x00")
	switch {
	case len(text) == 0:
	case text[0] == '{' || text[0] == '[':
		spellings = []spelling{spellJSON, spellJSONMixed}
	case text[0] == '<':
		spellings = []spelling{spellXML, spellXMLMixed}
	}
	out := w
	var stages []*redactWriter
	if r.secrets.match != nil {
		for _, s := range slices.Backward(spellings) {
			st := &redactWriter{w: out, m: r.secrets.match, spelling: s}
			stages = append(stages, st)
			out = st
		}
	}
	if err := r.local(io.MultiReader(bytes.NewReader(head), src), member, spellings, out); err != nil {
		return err
	}
	for _, st := range slices.Backward(stages) {
		if err := st.close(); err != nil {
			return err
		}
	}
	return nil
}

// local copies src, replacing the short values in the rows that they belong to.
func (r *redaction) local(src io.Reader, member string, spellings []spelling, w io.Writer) error {
	var mine []localSecret
	for _, l := range r.secrets.local {
		if l.member == member {
			mine = append(mine, l)
		}
	}
	slices.SortStableFunc(mine, func(a, b localSecret) int { return int(a.start - b.start) })
	at := int64(0)
	for i := 0; i < len(mine); {
		start, end := mine[i].start, mine[i].end
		var own []localSecret
		for ; i < len(mine) && mine[i].start < end; i++ {
			end = max(end, mine[i].end)
			own = append(own, mine[i])
		}
		if start > at {
			n, err := io.CopyN(w, src, start-at)
			if at += n; err != nil {
				return fmt.Errorf("copy the report: %w", err)
			}
		}
		if end-at > int64(Limits{}.WithDefaults().Document) {
			return tooLarge("", "a row is too large to be redacted")
		}
		b := make([]byte, end-at)
		if _, err := io.ReadFull(src, b); err != nil {
			return fmt.Errorf("copy the report: %w", err)
		}
		at = end
		for _, l := range own {
			b = replaceSpelled(b, l, spellings)
		}
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("write redacted: %w", err)
		}
	}
	_, err := io.Copy(w, src)
	return err
}

// replaceSpelled replaces a value of a row where it stands by itself and is no
// name. A number of JSON becomes a text.
func replaceSpelled(b []byte, l localSecret, spellings []spelling) []byte {
	for _, sp := range spellings {
		d := sp.decode(b, true, &quoting{}, &reuse{})
		var out []byte
		last, at := 0, 0
		for {
			i := bytes.Index(d.b[at:], []byte(l.value))
			if i < 0 {
				break
			}
			i += at
			end := i + len(l.value)
			at = end
			from := max(0, i-200)
			if !bounded(d.b, i, end) || isName(d.b, i, end) || insideToken(string(d.b[from:min(len(d.b), end+200)]), i-from) {
				continue
			}
			token := l.token
			if d.isOutside(i) {
				if !l.number || i > 0 && d.b[i-1] == '.' || end < len(d.b) && d.b[end] == '.' {
					continue
				}
				token = `"` + token + `"`
			}
			out = append(append(out, b[last:d.place(i)]...), token...)
			last = d.place(end)
		}
		if last > 0 {
			b = append(out, b[last:]...)
		}
	}
	return b
}

// redactWriter replaces the values in one spelling as bytes pass through.
type redactWriter struct {
	w        io.Writer
	m        *matcher
	spelling spelling
	src      []byte
	quotes   quoting // at the beginning of src
	mem      reuse
	lead     int // bytes of src that are written already and kept as context
}

const redactChunk = 128 << 10

func (r *redactWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		room := redactChunk + 8*r.m.longest - len(r.src)
		if room <= 0 {
			before := len(r.src)
			if err := r.process(false); err != nil {
				return 0, err
			}
			if len(r.src) < before {
				continue
			}
			room = redactChunk // all of it is escapes: more is needed to decide
		}
		k := min(room, len(p))
		r.src = append(r.src, p[:k]...)
		p = p[k:]
	}
	return n, nil
}

func (r *redactWriter) close() error { return r.process(true) }

// process replaces what can be decided and keeps the rest.
func (r *redactWriter) process(final bool) error {
	quotes := r.quotes
	d := r.spelling.decode(r.src, final, &quotes, &r.mem)
	stop := len(d.b)
	if !final {
		stop = max(0, len(d.b)-r.m.longest-16) // the longest value, and what must not follow a word
	}
	i := 0
	for i < len(d.b) && d.place(i) < r.lead {
		i++
	}
	last := r.lead
	for i < stop {
		n, token := r.m.at(d.b, i)
		if n == 0 || d.isOutside(i) {
			i++
			continue
		}
		if token != "" {
			if _, err := r.w.Write(r.src[last:d.place(i)]); err != nil {
				return err
			}
			if _, err := io.WriteString(r.w, token); err != nil {
				return err
			}
			last = d.place(i + n)
		}
		i += n
	}
	end := len(r.src)
	if !final {
		end = d.place(min(i, len(d.b)))
	}
	if end > last {
		if _, err := r.w.Write(r.src[last:end]); err != nil {
			return err
		}
	}
	end = max(end, last)
	keep := min(end, d.place(max(0, min(i, len(d.b))-16))) // on the border of an escape
	r.spelling.decode(r.src[:keep], true, &r.quotes, &r.mem)
	r.src = r.src[:copy(r.src, r.src[keep:])]
	r.lead = end - keep
	return nil
}
