package repotest

import (
	"bytes"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackageDocs wants one doc comment per package: what it is for, and what
// it refuses to do.
func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		names := p.GoFiles
		if len(names) == 0 {
			names = slices.Concat(p.TestGoFiles, p.XTestGoFiles)
		}
		fset, parsed := parse(t, p, names)
		var docs []string
		for _, f := range parsed {
			if f.Doc == nil {
				continue
			}
			docs = append(docs, fset.Position(f.Doc.Pos()).String())
			want := "Package " + strings.TrimSuffix(f.Name.Name, "_test")
			if f.Name.Name == "main" {
				want = "Command " + p.rel()[strings.LastIndex(p.rel(), "/")+1:]
			}
			if text := f.Doc.Text(); !strings.HasPrefix(text, want) {
				t.Errorf("%s: the doc comment starts with %q, not with %q", docs[len(docs)-1], firstLine(text), want)
			}
		}
		switch len(docs) {
		case 0:
			t.Errorf("%s has no doc comment: say in one file what the package is for and what it refuses to do", p.rel())
		case 1:
		default:
			t.Errorf("%s has %d doc comments, keep one: %s", p.rel(), len(docs), strings.Join(docs, ", "))
		}
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

const (
	maxLines = 600
	maxBytes = 1 << 20
)

// longFiles may have more than maxLines lines, each for the reason beside it.
var longFiles = map[string]string{}

func TestFilesAreShort(t *testing.T) {
	long := map[string]bool{}
	for _, path := range list(t, ".go") {
		b := read(t, path)
		if len(b) > maxBytes {
			t.Errorf("%s has %d bytes: data belongs into a file that is embedded or read", path, len(b))
		}
		lines := bytes.Count(b, []byte("\n"))
		long[path] = lines > maxLines
		if long[path] && longFiles[path] == "" {
			t.Errorf("%s has %d lines: split it by what its parts are for, or say in longFiles why it is one piece", path, lines)
		}
	}
	for path := range longFiles {
		if !long[path] {
			t.Errorf("%s is no longer long: remove it from longFiles", path)
		}
	}
}

// TestSkipsHaveReasons: a test that doesn't run says why.
func TestSkipsHaveReasons(t *testing.T) {
	for _, p := range packages(t) {
		fset, parsed := parse(t, p, slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles))
		for _, f := range parsed {
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				sel, ok := call.Fun.(*ast.SelectorExpr)
				if ok && (sel.Sel.Name == "SkipNow" || sel.Sel.Name == "Skip" && len(call.Args) == 0) && isTesting(sel.X) {
					t.Errorf("%s: skips without a reason", fset.Position(call.Pos()))
				}
				return true
			})
		}
	}
}

// isTesting tells t, b, f and tb, as tests name them, from other things that
// can skip, such as iterators.
func isTesting(x ast.Expr) bool {
	id, ok := x.(*ast.Ident)
	return ok && slices.Contains([]string{"t", "b", "f", "tb"}, id.Name)
}

// trace is a path of the machine that something was made on. Folders of the
// same name further down, such as a CI runner's, are somebody else's.
var trace = regexp.MustCompile(`(?:^|[^\w./-]|://)(/(?:work|farm)/)|(bash[_]jobs)`)

// TestNoTracesOfABuildMachine: such paths mean nothing to a reader, and reports
// in examples must not carry them.
func TestNoTracesOfABuildMachine(t *testing.T) {
	for _, path := range list(t) {
		b := read(t, path)
		if at := trace.FindIndex(b); at != nil {
			t.Errorf("%s:%d names %q of the machine it was made on",
				path, 1+bytes.Count(b[:at[0]], []byte("\n")), strings.TrimSpace(string(b[at[0]:at[1]])))
		}
	}
}
