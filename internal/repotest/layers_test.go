package repotest

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// layers lists the folders from the bottom up (docs/decisions/006-layers.md). A
// package imports folders of lower rows and its own folder, and nothing else of
// ours. A new package goes into the lowest row that works; a new row is a
// decision.
var layers = []struct {
	name string
	dirs []string
	pure bool // no I/O, clock, chance, SQL, HTTP: the same input gives the same output
}{
	{name: "vocabulary", dirs: []string{"internal/sinew"}},
	{name: "test support", dirs: []string{"internal/pgtest", "internal/repotest"}},
	{name: "pure", dirs: []string{"internal/identity", "internal/filter", "internal/graph"}, pure: true},
	{name: "data", dirs: []string{"formats", "examples"}},
	{name: "forms", dirs: []string{"internal/export", "internal/intel"}},
	{name: "formats", dirs: []string{"internal/format"}},
	{name: "store", dirs: []string{"internal/store"}},
	{name: "access", dirs: []string{"internal/auth"}},
	{name: "way", dirs: []string{"internal/pipeline"}},
	{name: "edge", dirs: []string{"internal/server", "internal/client", "web"}},
	{name: "house", dirs: []string{"internal/app"}},
	{name: "hand", dirs: []string{"internal/cli"}},
	{name: "door", dirs: []string{"cmd"}},
	{name: "proof", dirs: []string{"test"}},
}

// layerOf gives the row of an import path of ours, and the folder in that row.
func layerOf(importPath string) (row int, dir string, ok bool) {
	rel, ours := strings.CutPrefix(importPath, module+"/")
	if !ours {
		return 0, "", false
	}
	for row, l := range layers {
		for _, dir := range l.dirs {
			if rel == dir || strings.HasPrefix(rel, dir+"/") {
				return row, dir, true
			}
		}
	}
	return 0, "", false
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		home, dir, ok := layerOf(p.ImportPath)
		if !ok {
			t.Errorf("%s is in no layer: add it to layers in %s", p.ImportPath, "internal/repotest/layers_test.go")
			continue
		}
		for _, imp := range p.Imports {
			to, toDir, ours := layerOf(imp)
			if ours && to >= home && toDir != dir {
				t.Errorf("%s (%s) imports %s (%s): move what it needs down, or name an interface here that the upper one fulfils",
					p.rel(), layers[home].name, imp, layers[to].name)
			}
		}
	}
}

// TestVocabularyIsStandard keeps the package that everything imports free of
// anybody else's dependencies.
func TestVocabularyIsStandard(t *testing.T) {
	for _, p := range packages(t) {
		if p.rel() != "internal/sinew" {
			continue
		}
		for _, imp := range p.Imports {
			if first, _, _ := strings.Cut(imp, "/"); strings.Contains(first, ".") {
				t.Errorf("internal/sinew imports %s: the vocabulary uses the standard library only", imp)
			}
		}
		return
	}
	t.Error("there is no internal/sinew")
}

// impure are the imports that let a package see more than its arguments.
var impure = []string{
	"crypto/rand", "database/sql", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2",
	"net", "net/http", "os", "os/exec", "os/signal", "os/user", "syscall", "unsafe",
}

// clock are the functions of package time that read or wait for the clock.
var clock = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}

func TestPurePackages(t *testing.T) {
	for _, p := range packages(t) {
		row, _, ok := layerOf(p.ImportPath)
		if !ok || !layers[row].pure {
			continue
		}
		for _, imp := range p.Imports {
			if slices.Contains(impure, imp) {
				t.Errorf("%s imports %s, but it is a pure package: take the value as an argument", p.rel(), imp)
			}
		}
		fset, parsed := parse(t, p, p.GoFiles)
		for _, f := range parsed {
			for _, use := range clockUses(f) {
				t.Errorf("%s uses time.%s, but it is a pure package: take the time as an argument",
					fset.Position(use.Pos()), use.Sel.Name)
			}
		}
	}
}

// clockUses finds time.Now and its like in a file.
func clockUses(f *ast.File) []*ast.SelectorExpr {
	name := ""
	for _, imp := range f.Imports {
		if path, err := strconv.Unquote(imp.Path.Value); err == nil && path == "time" {
			name = "time"
			if imp.Name != nil {
				name = imp.Name.Name
			}
		}
	}
	if name == "" {
		return nil
	}
	var uses []*ast.SelectorExpr
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == name && slices.Contains(clock, sel.Sel.Name) {
				uses = append(uses, sel)
			}
		}
		return true
	})
	return uses
}

// TestNothingOfTestsShips keeps test support out of the commands.
func TestNothingOfTestsShips(t *testing.T) {
	for _, p := range packages(t) {
		if !strings.HasPrefix(p.rel(), "cmd/") {
			continue
		}
		for _, dep := range p.Deps {
			ours := strings.HasPrefix(dep, module+"/")
			if ours && strings.HasSuffix(dep, "test") {
				t.Errorf("%s contains %s: only tests may import it (go list -deps tells the way)", p.rel(), dep)
			}
		}
	}
}
