package identity

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sinewsec/sinew/internal/sinew"
)

func localID(t testing.TB, seq, ordinal int64) int64 {
	t.Helper()
	id, err := sinew.LocalID(seq, ordinal)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAssignmentRoundTrip(t *testing.T) {
	list := []Assigned{
		{Pass: PassNew},
		{Pass: PassNew, Birth: localID(t, 3, 0)}, // first in the fold, but born by an earlier entry
		{Pass: PassMoved},                        // the other way round
		{Pass: PassContent | PassSibling, Birth: localID(t, 1, 1<<28-1)},
		{Pass: PassManual, Birth: localID(t, 1<<35-1, 7)},
		{Pass: PassUnchanged, Birth: localID(t, 200, 300)},
	}
	b, err := EncodeAssignment(list)
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeAssignment(b)
	if err != nil || !slices.Equal(back, list) {
		t.Errorf("%v, %v, want %v", back, err, list)
	}
	for n := len(b) - 1; n > len(assignmentMagic); n-- {
		if back, err := DecodeAssignment(b[:n]); err == nil && !slices.Equal(back, list[:len(back)]) {
			t.Errorf("cut to %d bytes it reads as %v", n, back)
		}
	}
}

func TestAssignmentErrors(t *testing.T) {
	head := assignmentMagic
	for name, s := range map[string]string{
		"empty": "", "short": head[:5], "other": "sinew assignment v9\n", "cut": head + "\x03\x05",
		"born before the log": head + "\x03\x00\x00", "number out of range": head + "\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00",
		"ordinal out of range": head + "\x03\x01\xff\xff\xff\xff\x7f", "overflow": head + "\x03" + string(bytes.Repeat([]byte{0xff}, 12)),
	} {
		if list, err := DecodeAssignment([]byte(s)); err == nil {
			t.Errorf("%s: reads as %v", name, list)
		}
	}
	if _, err := EncodeAssignment([]Assigned{{Pass: 0x80}}); err == nil {
		t.Error("a pass that does not fit is written")
	}
	if _, err := EncodeAssignment([]Assigned{{Birth: -1}}); err == nil {
		t.Error("a negative birth is written")
	}
}

func FuzzAssignment(f *testing.F) {
	good, err := EncodeAssignment([]Assigned{{Pass: PassNew}, {Pass: PassTool, Birth: localID(f, 5, 9)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(assignmentMagic))
	f.Add([]byte(assignmentMagic + "\x02\x80\x80\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := DecodeAssignment(b)
		if err != nil {
			return
		}
		again, err := EncodeAssignment(list)
		if err != nil {
			t.Fatalf("%v was read and cannot be written: %v", list, err)
		}
		back, err := DecodeAssignment(again)
		if err != nil || !slices.Equal(back, list) {
			t.Fatalf("%v, then %v, %v", list, back, err)
		}
	})
}
