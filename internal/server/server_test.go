package server

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens again")

// TestOpenAPI keeps docs/openapi.json equal to what the server says of itself.
func TestOpenAPI(t *testing.T) {
	const path = "../../docs/openapi.json"
	s, err := New(Config{Version: "0"})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc = append(doc, '\n')
	if *update {
		if err := os.WriteFile(path, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(doc)); diff != "" {
		t.Errorf("%s is not what the server says (-file +server), run go test ./internal/server -update:\n%s", path, diff)
	}
}
