package server

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestOperate does by the API what keeps a workspace: checkpoint, retention,
// rebuild, rematch and remap, with progress as lines (TRU2).
func TestOperate(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var c struct {
			Schema, Dump, History string
			Seq                   int64
		}
		w.ok("admin", "POST", "/api/v1/checkpoints", nil, &c)
		if c.Schema != "checkpoint/v1" || len(c.Dump) != 64 || c.Seq == 0 {
			t.Errorf("checkpoint %+v", c)
		}
		var p struct {
			Head, Projected int64
			Checkpoint      *struct{ Entry, Seq, Bytes int64 }
		}
		w.ok("admin", "GET", "/api/v1/projection", nil, &p)
		if p.Checkpoint == nil || p.Checkpoint.Seq != c.Seq || p.Checkpoint.Bytes == 0 || p.Head < p.Checkpoint.Entry {
			t.Errorf("projection %+v, checkpoint %+v", p, p.Checkpoint)
		}
		for _, route := range []string{"rebuild", "rematch", "remap"} {
			last := ""
			for line := range strings.Lines(string(w.do("admin", "POST", "/api/v1/projection/"+route, object{}, "Accept", ndjson).body)) {
				last = line
			}
			var l struct {
				Result *struct {
					Equal  bool `json:"equal"`
					DryRun bool `json:"dry_run"`
				}
			}
			if err := json.Unmarshal([]byte(last), &l); err != nil || l.Result == nil || l.Result.Equal == l.Result.DryRun {
				t.Errorf("%s ends with %s", route, last)
			}
		}
		var days struct{ Days map[string]int }
		w.ok("admin", "PUT", "/api/v1/retention", object{"kind": "body", "days": 90}, &days)
		if days.Days["body"] != 90 || days.Days["evidence"] != 400 {
			t.Errorf("retention %v", days.Days)
		}
		if p := w.problem("admin", "PUT", "/api/v1/retention", object{"kind": "assignment", "days": 90}, 400); !strings.Contains(p.Detail, "kept for ever") {
			t.Errorf("assignments: %+v", p)
		}
		var gone struct{ Deleted int }
		w.ok("admin", "POST", "/api/v1/retention/apply", nil, &gone)
		if gone.Deleted != 0 {
			t.Errorf("%d young payloads were deleted", gone.Deleted)
		}
	})
}
