package store

import (
	"encoding/binary"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

// TestRowChanges has rows come back as they were from what differs, whatever the
// columns; only generations are not part of it.
func TestRowChanges(t *testing.T) {
	full := FindingRow{
		ID: 7, Family: 1, Unit: 2, Place: 3, Service: "api", Class: sinew.ClassCode, State: sinew.StateOpen, Severity: 3, Tool: "t",
		Rule: "r", Title: "a title", CWE: " 79 ", IDs: " CVE-1 ", File: "a.go", Line: 12, Package: "p", Version: "1", PURL: "pkg:x/y",
		Image: "i", Host: "h", Resource: "res", Endpoint: "GET /", Owner: "ann", Verdict: sinew.VerdictTriaged, VerdictBy: "p-1",
		VerdictSeq: 9, Until: -5, FirstSeen: 1 << 50, LastSeen: 3, Since: 4, Reopened: 2, ObsSeq: 8, ObsN: 1 << 27, Origin: 1 << 60,
	}
	line := full
	line.Line, line.ObsSeq, line.ObsN = 15, 11, 0
	c := NewRowChanges()
	for name, rows := range map[string][2]FindingRow{
		"nothing": {full, full}, "lines": {line, full}, "to nothing": {{}, full}, "from nothing": {full, {}},
	} {
		now, was := rows[0], rows[1]
		now.GenFrom, was.GenFrom = 4, 3
		b, err := c.Finding(nil, &now, &was)
		if err != nil {
			t.Fatal(err)
		}
		if name == "nothing" && len(b) != 1 || name == "lines" && len(b) > 16 {
			t.Errorf("%s: %d bytes", name, len(b))
		}
		got := now
		rest, err := c.RestoreFinding(append(b, "rest"...), &got)
		if was.GenFrom = now.GenFrom; err != nil || string(rest) != "rest" || got != was {
			t.Errorf("%s: %+v, want %+v; %q is left, %v", name, got, was, rest, err)
		}
		for cut := range b {
			got := now
			if _, err := c.RestoreFinding(b[:cut], &got); err == nil {
				t.Errorf("%s: cut off at %d of %d it can be read", name, cut, len(b))
			}
		}
	}
	p := PresenceRow{
		Finding: 7, Place: 3, State: sinew.PresenceFixed, Basis: sinew.BasisProven, FirstSeen: 1, LastSeen: 2, Since: 3, SinceSeq: 4,
		ObsSeq: 5, ObsN: 6, ObsHash: -1 << 63, Pass: 3, ToolStatus: sinew.ToolAccepted, Line: 8, Tool: 1<<63 - 1, Content: 2,
		PlaceKey: 3, Moved: 4, Near: 5,
	}
	b, err := c.Presence(nil, &PresenceRow{Finding: 7}, &p)
	if err != nil {
		t.Fatal(err)
	}
	got := PresenceRow{Finding: 7}
	if rest, err := c.RestorePresence(b, &got); err != nil || len(rest) != 0 || got != p {
		t.Errorf("%+v, want %+v; %v", got, p, err)
	}
	if _, err := c.RestorePresence(binary.AppendUvarint(nil, 1<<60), &got); err == nil {
		t.Error("a column that there is not can be read")
	}
}
