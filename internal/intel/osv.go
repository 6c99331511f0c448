// Package intel reads what others publish about vulnerabilities. It refuses to
// know databases and the network: bytes in, records out.
package intel

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/sinewsec/sinew/internal/identity"
	"github.com/sinewsec/sinew/internal/sinew"
)

const (
	maxRecord  = 16 << 20  // bytes of one record
	maxRecords = 2_000_000 // records of one bundle
	maxNames   = 100       // of one vulnerability
)

// EachAliases gives the names of every vulnerability of a bundle that has more than
// one: a zip archive of OSV records as osv.dev exports them (all.zip), a JSON array
// of them, or one record after another. Records that were withdrawn are left out,
// and those that bundle several vulnerabilities, as advisories of distributions do.
// https://ossf.github.io/osv-schema/
func EachAliases(name string, r io.ReaderAt, size int64, fn func(names []string) error) (records int, err error) {
	read := func(where string, from io.Reader) error {
		err := eachRecord(from, func(rec *osvRecord) error {
			if records++; records > maxRecords {
				return sinew.Errorf(sinew.CodeTooLarge, "the bundle has more than %d records", maxRecords).At(name)
			}
			if names := rec.names(); len(names) > 1 {
				return fn(names)
			}
			return nil
		})
		if known := (&sinew.Error{}); err != nil && !errors.As(err, &known) {
			err = sinew.Errorf(sinew.CodeInvalid, "%s: %w", where, err).At(name).
				Hint("expected OSV records: all.zip of an ecosystem as osv.dev exports it, a JSON array, or a record a line")
		}
		return err
	}
	head := make([]byte, min(size, 4))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read %s: %w", name, err)
	}
	if !bytes.Equal(head, []byte("PK\x03\x04")) && !bytes.Equal(head, []byte("PK\x05\x06")) {
		return records, read("the file", io.NewSectionReader(r, 0, size))
	}
	archive, err := zip.NewReader(r, size)
	if err != nil {
		return 0, sinew.Errorf(sinew.CodeInvalid, "the archive cannot be read: %w", err).At(name)
	}
	for _, f := range archive.File {
		if f.FileInfo().IsDir() || !strings.EqualFold(path.Ext(f.Name), ".json") {
			continue
		}
		if err := readMember(f, read); err != nil {
			return records, err
		}
	}
	return records, nil
}

func readMember(f *zip.File, read func(string, io.Reader) error) error {
	if f.UncompressedSize64 > maxRecord {
		return fmt.Errorf("%s has more than %d bytes", f.Name, maxRecord)
	}
	m, err := f.Open()
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	defer m.Close()
	return read(f.Name, io.LimitReader(m, maxRecord)) // a member may be longer than it says
}

// osvRecord is what we need of a record.
type osvRecord struct {
	ID        string   `json:"id"`
	Aliases   []string `json:"aliases"`
	Withdrawn string   `json:"withdrawn"`
}

// names are the names of the one vulnerability that a record is about, in upper
// case; none if it is about several.
func (r *osvRecord) names() []string {
	if r.Withdrawn != "" || len(r.Aliases) >= maxNames {
		return nil
	}
	var names []string
	for _, id := range append([]string{r.ID}, r.Aliases...) {
		if id = strings.ToUpper(strings.TrimSpace(id)); id != "" && len(id) <= 100 {
			names = append(names, id)
		}
	}
	if !identity.OneVulnerability(names) {
		return nil
	}
	return names
}

// eachRecord reads an array of records, or records one after another.
func eachRecord(r io.Reader, fn func(*osvRecord) error) error {
	buffered := bufio.NewReader(r)
	dec := json.NewDecoder(buffered)
	first, err := firstByte(buffered)
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty")
	}
	if err != nil {
		return err
	}
	array := first == '['
	if array {
		if _, err := dec.Token(); err != nil {
			return err
		}
	}
	for n := 1; !array || dec.More(); n++ {
		rec := osvRecord{}
		err := dec.Decode(&rec)
		if errors.Is(err, io.EOF) && !array {
			return nil
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", n, err)
		}
		if rec.ID == "" {
			return fmt.Errorf("record %d has no id", n)
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

func firstByte(r *bufio.Reader) (byte, error) {
	for {
		b, err := r.Peek(1)
		if err != nil {
			return 0, err
		}
		if !bytes.ContainsAny(b, " \t\r\n") {
			return b[0], nil
		}
		if _, err := r.ReadByte(); err != nil {
			return 0, err
		}
	}
}
