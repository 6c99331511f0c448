package pipeline

import "testing"

// ING3: paths are relative to the root of what was scanned, wherever the scanner
// ran, and also where a mapping has cut a runner's folder already.
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ strip, prefix, in, want string }{
		{"", "", "a/b.go", "a/b.go"},
		{"/src/shop", "", "/src/shop/a/b.go", "a/b.go"},
		{"/src/shop", "", "file:///src/shop/a/b.go", "a/b.go"},
		{"file:///src/shop/", "", "/src/shop/a/b.go", "a/b.go"},
		{"/src/shop", "", "shop/a/b.go", "a/b.go"}, // the mapping cut /src
		{"/src/shop", "", "shopping/a.go", "shopping/a.go"},
		{"/src/shop", "", "a/b.go", "a/b.go"},
		{"", "catalog", "main.go", "catalog/main.go"},
		{"", "catalog/", "./main.go", "catalog/main.go"},
		{"/build", "catalog", "/build/main.go", "catalog/main.go"},
		{"/src", "", "", ""},
	} {
		if got := (Paths{Strip: c.strip, Prefix: c.prefix}).path(c.in); got != c.want {
			t.Errorf("strip %q, prefix %q: %q becomes %q, want %q", c.strip, c.prefix, c.in, got, c.want)
		}
	}
}
