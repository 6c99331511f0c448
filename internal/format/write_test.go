package format

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// The parse/v1 contract: one line a report, an error in place of findings.
func TestWriteParseLine(t *testing.T) {
	e := readerEngine(t)
	for _, tt := range []struct{ name, data, want string }{
		{"findings", "{\"msg\": \"a <b>\"}\n{\"msg\": \"c\"}", `{"schema":"parse/v1","report":"dir/findings","format":"jsonl","findings":[{"tool":"jsonl","title":"a <b>","severity":"low","extra":{"keys":[0],"n":0}},{"tool":"jsonl","title":"c","severity":"low","extra":{"keys":[1],"n":1}}]}`},
		{"ambiguous", "[]", `{"schema":"parse/v1","report":"dir/ambiguous","format":"","notes":["the file is empty or holds an empty value: it could be any tool's, so it closes nothing"],"findings":[]}`},
		{"error", `{"z": 1}`, `{"schema":"parse/v1","report":"dir/error","error":"error: no format recognises this file: it is JSON with the keys z (sinew format list shows what is read; sinew format new begins a mapping for it)","code":"unsupported"}`},
		{"breaks off", "{\"msg\": \"a\"}\n{\"msg\": ", `{"schema":"parse/v1","report":"dir/breaks off","error":"breaks off:2: the file ends at byte 21, in the middle of a JSON value: expected '}' (the report is cut off; run the scanner again, or look for a full disk or a broken upload)","code":"invalid"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			in := Input{Name: tt.name, R: strings.NewReader(tt.data), Size: int64(len(tt.data))}
			_, err := e.WriteParseLine(context.Background(), &out, "dir/"+tt.name, in, Options{SpoolDir: t.TempDir()})
			if (err != nil) != strings.Contains(tt.want, `"error"`) {
				t.Errorf("error %v", err)
			}
			if out.String() != tt.want+"\n" || !json.Valid(out.Bytes()) {
				t.Errorf("line\n got %s\nwant %s", out.String(), tt.want)
			}
		})
	}
}

func TestRecognise(t *testing.T) {
	e := engineOf(t, "detect: { json: 'has(\"a\")' }", "specificity: 3\ndetect: { json: 'true' }", "detect: { csv: 'true' }")
	fs, err := e.Recognise(context.Background(), Input{Name: "x", R: strings.NewReader(`{"a": 1}`), Size: 8}, Options{})
	if err != nil || len(fs) != 2 || fs[0].ID != "ta" || fs[1].ID != "tb" {
		t.Errorf("%v %v", fs, err)
	}
}
