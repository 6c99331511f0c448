package formats_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sinewsec/sinew/internal/format"
	"github.com/sinewsec/sinew/internal/sinew"
)

// TestExcerpt: of every observation of every sample, the row that it was mapped
// from is found in the redacted report, and holds what the observation says.
func TestExcerpt(t *testing.T) {
	samples, err := filepath.Glob("testdata/*/*")
	if err != nil {
		t.Fatal(err)
	}
	e := engine(t)
	tried := map[string]int{}
	for _, name := range samples {
		if strings.HasSuffix(name, ".golden") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		id := filepath.Base(filepath.Dir(name))
		in := format.Input{Name: filepath.Base(name), R: bytes.NewReader(text), Size: int64(len(text))}
		var seen []*sinew.Observation
		res, err := e.Parse(t.Context(), in, format.Options{Format: id}, func(b sinew.SnapshotBody) error {
			if b.Observation != nil {
				seen = append(seen, b.Observation)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var redacted bytes.Buffer
		if err := format.Redact(t.Context(), in, res.Secrets, &redacted); err != nil {
			t.Fatal(err)
		}
		in.R, in.Size = bytes.NewReader(redacted.Bytes()), int64(redacted.Len())
		for i := 0; i < len(seen); i += max(1, len(seen)/5) {
			x, err := e.Excerpt(t.Context(), in, format.Options{Format: id}, func(n int64, _ *sinew.Observation) bool { return n == int64(i) })
			if err != nil {
				t.Errorf("%s, observation %d: %v", name, i, err)
				continue
			}
			tried[x.Media]++
			if !wellFormed(x) {
				t.Errorf("%s, observation %d: no %s: %.300s", name, i, x.Media, x.Text)
			}
			if !holds(x.Text, seen[i]) {
				t.Errorf("%s, observation %d: the row of %s %q does not say so: %.500s", name, i, seen[i].Rule, seen[i].Title, x.Text)
			}
			// Lines of a file inside an archive cannot be counted from outside.
			if lines := strings.Count(redacted.String(), "\n") + 1; x.Member == "" && x.Line > lines {
				t.Errorf("%s, observation %d is said to be on line %d of %d", name, i, x.Line, lines)
			}
		}
		_, err = e.Excerpt(t.Context(), in, format.Options{Format: id}, func(int64, *sinew.Observation) bool { return false })
		if sinew.CodeOf(err) != sinew.CodeNotFound {
			t.Errorf("%s: a row that is not there: %v", name, err)
		}
	}
	for _, media := range []string{"application/json", "application/xml", "text/csv"} {
		if tried[media] < 5 {
			t.Errorf("%d rows of %s were tried", tried[media], media)
		}
	}
}

// wellFormed reports whether an excerpt is what its media type says.
func wellFormed(x *format.Excerpt) bool {
	switch x.Media {
	case "application/json":
		return json.Valid([]byte(x.Text))
	case "application/xml":
		d := xml.NewDecoder(strings.NewReader(x.Text))
		for {
			if _, err := d.Token(); err != nil {
				return err == io.EOF //nolint:errorlint // the decoder gives it as it is
			}
		}
	}
	return x.Text != ""
}

// holds reports whether a row has a word of the observation that tells it from
// its neighbours.
func holds(text string, o *sinew.Observation) bool {
	words := []string{o.Rule, o.ToolID, o.File, o.Host, o.Secret}
	words = append(words, o.IDs...)
	if o.Package != nil {
		words = append(words, o.Package.Name, o.Package.PURL)
	}
	words = append(words, strings.Fields(o.Title)...)
	for _, w := range words {
		if len(w) > 3 && strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
			return true
		}
	}
	return false
}
