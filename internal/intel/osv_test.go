package intel

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

func aliases(t *testing.T, data []byte) (string, int, error) {
	t.Helper()
	var sets []string
	n, err := EachAliases("bundle", bytes.NewReader(data), int64(len(data)), func(names []string) error {
		sets = append(sets, strings.Join(names, "="))
		return nil
	})
	return strings.Join(sets, " "), n, err
}

// TestEachAliases reads bundles in their three forms (ING3, ING4).
func TestEachAliases(t *testing.T) {
	t.Parallel()
	one := `{"id":"GHSA-aaaa-bbbb-cccc","aliases":["CVE-2024-1"],"affected":[{"package":{"name":"x"}}]}`
	two := `{"id":"PYSEC-2024-2","aliases":["CVE-2024-2","GHSA-dddd-eeee-ffff"]}`
	bundle := `{"id":"DSA-1-1","aliases":["CVE-2024-3"]}`
	several := `{"id":"GHSA-gggg-hhhh-iiii","aliases":["CVE-2024-4","CVE-2024-5"]}`
	withdrawn := `{"id":"GHSA-jjjj-kkkk-llll","aliases":["CVE-2024-6"],"withdrawn":"2024-01-01T00:00:00Z"}`
	alone := `{"id":"CVE-2024-7"}`
	all := []string{one, two, bundle, several, withdrawn, alone}
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for i, record := range all {
		m, err := w.Create(string(rune('a'+i)) + ".json")
		if err == nil {
			_, err = m.Write([]byte(record))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := "GHSA-AAAA-BBBB-CCCC=CVE-2024-1 PYSEC-2024-2=CVE-2024-2=GHSA-DDDD-EEEE-FFFF"
	for form, data := range map[string][]byte{
		"archive": archive.Bytes(), "lines": []byte(strings.Join(all, "\n")), "array": []byte(" [" + strings.Join(all, ",") + "]"),
	} {
		if got, n, err := aliases(t, data); got != want || n != len(all) || err != nil {
			t.Errorf("%s: %q, %d records, %v", form, got, n, err)
		}
	}
}

// TestEachAliasesRefuses: what is no bundle is refused with its place (TRU4).
func TestEachAliasesRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ data, want string }{
		"empty":     {"", "empty"},
		"no record": {`{"name":"x"}`, "record 1 has no id"},
		"cut off":   {`[{"id":"CVE-1"},{"id":`, "record 2"},
		"no JSON":   {"id,aliases\n", "invalid character"},
		"archive":   {"PK\x03\x04 and no more", "archive"},
	} {
		if _, _, err := aliases(t, []byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
