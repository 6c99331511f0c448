package format

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/sinewsec/sinew/internal/sinew"
)

// ParseSchema is the version of the parse contract.
const ParseSchema = "parse/v1"

// WriteParseLine writes the parse/v1 line of one report: {"schema", "report",
// "format", "findings": [...]}, or {"schema", "report", "error"}. The line is put
// together in an encrypted spool, so that a report that breaks off in the middle
// gives an error line and nothing else, whatever its size. It returns the error
// of the report, which has been written, or one of writing.
func (e *Engine) WriteParseLine(ctx context.Context, w io.Writer, report string, in Input, opt Options) (*Result, error) {
	spool, err := NewSpool(opt.SpoolDir, 0)
	if err != nil {
		return nil, err
	}
	defer spool.Close()
	out := &lineBuffer{w: spool}
	res, perr := e.Parse(ctx, in, opt, func(b sinew.SnapshotBody) error {
		if b.Observation == nil {
			return nil
		}
		return out.add(b.Observation)
	})
	if perr != nil {
		line := struct {
			Schema string `json:"schema"`
			Report string `json:"report"`
			Error  string `json:"error"`
			Code   string `json:"code"`
		}{ParseSchema, report, perr.Error(), string(sinew.CodeOf(perr))}
		if err := encode(w, line); err != nil {
			return nil, errors.Join(perr, err)
		}
		return nil, perr
	}
	if err := out.flush(); err != nil {
		return nil, err
	}
	id := ""
	if res.Format != nil {
		id = res.Format.ID
	}
	name, _ := json.Marshal(report) //nolint:errchkjson // a string always encodes
	notes := ""
	if len(res.Snapshot.Notes) > 0 {
		b, _ := json.Marshal(res.Snapshot.Notes) //nolint:errchkjson // strings always encode
		notes = `,"notes":` + string(b)
	}
	if _, err := fmt.Fprintf(w, `{"schema":%q,"report":%s,"format":%q%s,"findings":[`, ParseSchema, name, id, notes); err != nil {
		return nil, fmt.Errorf("write findings: %w", err)
	}
	if _, err := io.Copy(w, io.NewSectionReader(spool, 0, spool.Size())); err != nil {
		return nil, fmt.Errorf("write findings: %w", err)
	}
	if _, err := io.WriteString(w, "]}\n"); err != nil {
		return nil, fmt.Errorf("write findings: %w", err)
	}
	return res, nil
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

type lineBuffer struct {
	w    io.Writer
	b    bytes.Buffer
	some bool
}

func (l *lineBuffer) add(o *sinew.Observation) error {
	if l.some {
		l.b.WriteByte(',')
	}
	l.some = true
	if err := encode(&l.b, o); err != nil {
		return fmt.Errorf("write finding %q: %w", o.Title, err)
	}
	l.b.Truncate(l.b.Len() - 1)
	if l.b.Len() > 64<<10 {
		return l.flush()
	}
	return nil
}

func (l *lineBuffer) flush() error {
	_, err := l.w.Write(l.b.Bytes())
	l.b.Reset()
	return err
}
