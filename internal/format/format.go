// Package format reads the reports of other tools. It recognises which format a
// file has, frames its rows, maps each row with the jq program of a mapping file
// (see the files of package formats, and docs/adding-a-format.md), replaces the
// values of secrets by tokens, and hands out observations, assets and relations.
//
// Everything is streamed over a seekable input: a first pass collects what is
// outside the rows (the head) and the lookup tables, further passes frame one
// row at a time. Memory does not grow with the report.
//
// The package refuses to do network or database work, to write a report's bytes
// to disk unencrypted, to let a secret's value pass, and to guess: a file that
// it cannot read whole is an error that names the place.
package format

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Engine holds the mappings. It is safe for concurrent use.
type Engine struct {
	read func() ([]*Format, error) // sorted by id; the same each time
}

// Format is one mapping file.
type Format struct {
	ID          string   `json:"id"`
	Version     int      `json:"version"`
	Name        string   `json:"name"`
	DefectDojo  []string `json:"defectdojo,omitempty"`  // scan type names of the compatible endpoints
	Digest      string   `json:"digest"`                // sha256 of the mapping's text, in hex
	Specificity int      `json:"specificity,omitempty"` // decides when several formats recognise a file
	Kinds       []string `json:"kinds"`                 // reader kinds: json, xml, ...
	File        string   `json:"file"`                  // where the mapping was read from
	Overrides   int      `json:"overrides,omitempty"`   // version of the mapping that it replaces

	text     []byte
	defs     *definitions // nil if it has none
	variants []*variant
}

// Ref is how a snapshot names its mapping: id/version.
func (f *Format) Ref() string { return fmt.Sprintf("%s/%d", f.ID, f.Version) }

// Text is the mapping file as it was read.
func (f *Format) Text() []byte { return slices.Clone(f.text) }

// New reads every *.yaml file of the given file systems. Later ones override
// earlier ones: a file with an id that is taken must say which version it
// replaces (replaces: 1). Errors name file and line. The programs of the first file
// system are taken as good until they are used, see [Engine.Check]; later ones are
// somebody's own, whose mistakes are told at once.
func New(fsys ...fs.FS) (*Engine, error) {
	list, err := readMappings(fsys...)
	if err != nil {
		return nil, err
	}
	return &Engine{read: func() ([]*Format, error) { return list, nil }}, nil
}

// Later is [New] for one file system that is known to be good. It is read when the
// first mapping is asked for, since most commands need none.
func Later(fsys fs.FS) *Engine {
	return &Engine{read: sync.OnceValues(func() ([]*Format, error) { return readMappings(fsys) })}
}

func readMappings(fsys ...fs.FS) ([]*Format, error) {
	byID := map[string]*Format{}
	for layer, f := range fsys {
		names, err := fs.Glob(f, "*.yaml")
		if err != nil {
			return nil, fmt.Errorf("list mapping files: %w", err)
		}
		seen := map[string]string{}
		for _, name := range names {
			text, err := fs.ReadFile(f, name)
			if err != nil {
				return nil, fmt.Errorf("read mapping file %s: %w", name, err)
			}
			m, err := parseMapping(name, text, layer == 0)
			if err != nil {
				return nil, err
			}
			if other, ok := seen[m.ID]; ok {
				return nil, sinew.Errorf(sinew.CodeInvalid, "the id %q is already taken by %s", m.ID, other).At(name).Hint("give each mapping its own id")
			}
			seen[m.ID] = name
			if old, ok := byID[m.ID]; ok && m.Overrides != old.Version {
				return nil, sinew.Errorf(sinew.CodeInvalid, "%s version %d exists already", m.ID, old.Version).
					At(name).Hint("to override it, add the line replaces: %d", old.Version)
			}
			byID[m.ID] = m
		}
	}
	return slices.SortedFunc(maps.Values(byID), func(a, b *Format) int { return cmp.Compare(a.ID, b.ID) }), nil
}

// Formats lists the mappings by id: none if they cannot be read, of which every
// other method tells.
func (e *Engine) Formats() []*Format {
	list, _ := e.read()
	return slices.Clone(list)
}

// Format returns the mapping with the given id, or the one that DefectDojo's
// users know by that name.
func (e *Engine) Format(id string) (*Format, error) {
	list, err := e.read()
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.ID == id {
			return f, nil
		}
	}
	for _, f := range list {
		for _, n := range f.DefectDojo {
			if strings.EqualFold(n, id) {
				return f, nil
			}
		}
	}
	return nil, sinew.Errorf(sinew.CodeUnsupported, "there is no format %q", id).Hint("sinew format list shows the known ones")
}

// Check compiles every program of every mapping. Programs of the first file system
// given to [New] are otherwise compiled when first used.
func (e *Engine) Check() error {
	list, err := e.read()
	if err != nil {
		return err
	}
	for _, f := range list {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

// Input is a report: a file, or a [Spool].
type Input struct {
	Name string // base name, for messages and the snapshot
	R    io.ReaderAt
	Size int64
}

// Options steer one parse.
type Options struct {
	Format   string   // mapping id; empty to detect it
	Redactor Redactor // nil: values become sinew:secret:local:<n>, which are comparable only within the report
	Limits   Limits   // zero fields take their defaults
	SpoolDir string   // for encrypted temporary files; empty for the system's

	// Lines takes the lines of the body in the place of the sink, as text: JSON
	// with a newline, valid until it returns. They are encoded where they are
	// mapped, by several goroutines.
	Lines func(line []byte) error

	// Clean is called before the first line, once, if it is known by then that the
	// report tells no secrets: what [Redact] will write is the report itself.
	Clean func() error
}

// Limits bound the work on one report. Zero fields take the default.
type Limits struct {
	Total    int64         // bytes of a report, and of all that an archive unpacks to; 4 GiB
	Row      int           // bytes of one row; 8 MiB
	Head     int           // bytes outside the rows; 32 MiB
	Document int           // bytes of a format that is read whole (HTML, spreadsheet); 64 MiB
	Tree     int           // estimated memory of one decoded head, row or document; 96 MiB
	String   int           // bytes of one text, before mapping; 256 KiB
	Depth    int           // nesting; 512
	Columns  int           // of a table; 4,096
	Findings int           // 20 million
	Outputs  int           // of one program on one row; 100,000
	Members  int           // files in an archive; 10,000
	Nesting  int           // archives in archives; 3
	Ratio    int64         // unpacked to packed bytes, beyond the first 16 MiB; 200
	RowTime  time.Duration // of one program on one row; 5 s
	FileTime time.Duration // of the whole report; 30 min
}

// WithDefaults fills the zero fields.
func (l Limits) WithDefaults() Limits {
	l.Total = cmp.Or(l.Total, 4<<30)
	l.Row = cmp.Or(l.Row, 8<<20)
	l.Head = cmp.Or(l.Head, 32<<20)
	l.Document = cmp.Or(l.Document, 64<<20)
	l.Tree = cmp.Or(l.Tree, 96<<20)
	l.String = cmp.Or(l.String, 256<<10)
	l.Depth = cmp.Or(l.Depth, 512)
	l.Columns = cmp.Or(l.Columns, 4096)
	l.Findings = cmp.Or(l.Findings, 20_000_000)
	l.Outputs = cmp.Or(l.Outputs, 100_000)
	l.Members = cmp.Or(l.Members, 10_000)
	l.Nesting = cmp.Or(l.Nesting, 3)
	l.Ratio = cmp.Or(l.Ratio, 200)
	l.RowTime = cmp.Or(l.RowTime, 5*time.Second)
	l.FileTime = cmp.Or(l.FileTime, 30*time.Minute)
	return l
}

// Sink takes the body of a snapshot in its canonical order: observations in
// report order, then assets, relations and withdrawals. Each line has exactly
// one field set; what it points to belongs to the sink.
type Sink func(sinew.SnapshotBody) error

// Result is what a report says as a whole.
type Result struct {
	// Format is nil for a file that could be anything and says nothing: [], {}
	// or empty. Such a report has no findings and closes nothing.
	Format *Format
	// Snapshot has stream, coverage, times, commit, digest, format, tool name and
	// version, report name, notes and counts filled in; the rest is the
	// uploader's and the pipeline's.
	Snapshot sinew.Snapshot
	// Secrets are the values to keep out of the evidence, for [Redact].
	Secrets *Secrets
	// Member is the file inside an archive that was read, if it was only one.
	Member string
}

// Recognise lists the formats whose detect expression fits a file, whatever
// their specificity. A file that says nothing is recognised by none.
func (e *Engine) Recognise(ctx context.Context, in Input, opt Options) (_ []*Format, err error) {
	p := newParse(e, in, opt, nil)
	defer func() { err = errors.Join(err, p.close()) }()
	p.clock = newClock(ctx, p.limits.RowTime, p.limits.FileTime)
	defer p.clock.stop()
	in.R = checked{in, p}
	l, err := p.sniff(in)
	if err != nil {
		return nil, located(err, in.Name)
	}
	if l.archive == "zip" {
		z, err := openZipReader(l.in)
		if err == nil {
			err = p.lookZIP(l, z)
		}
		if err != nil {
			return nil, located(err, in.Name)
		}
	}
	list, err := e.read()
	if err != nil {
		return nil, err
	}
	var out []*Format
	for _, f := range list {
		for _, v := range f.variants {
			ok, err := p.recognises(v, l)
			if err != nil {
				return nil, located(err, in.Name)
			}
			if ok && !l.empty {
				out = append(out, f)
				break
			}
		}
	}
	return out, nil
}

// Parse recognises the format of a report, maps its rows and gives what they
// say to the sink. Errors are [*sinew.Error] naming the file and the place in it:
// CodeUnsupported if no format or several fit, CodeInvalid for a broken file,
// CodeTooLarge when a limit was reached. An error from the sink ends the parse
// and is returned as it is. After an error the sink has been given a part of the
// report, which is to be thrown away.
func (e *Engine) Parse(ctx context.Context, in Input, opt Options, sink Sink) (*Result, error) {
	in.Name = path.Base(strings.ReplaceAll(in.Name, `\`, "/"))
	p := newParse(e, in, opt, sink)
	res, err := p.run(ctx)
	if err != nil {
		return nil, located(err, in.Name)
	}
	return res, nil
}
