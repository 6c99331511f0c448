// Command parse prints the parse/v1 line of each report, for writing mappings:
//
//	go run ./internal/format/formattest/cmd/parse [--formats DIR] [--format ID] [--snapshot] --json FILE...
//
// The product's own command is sinew parse.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"github.com/sinewsec/sinew/formats"
	"github.com/sinewsec/sinew/internal/format"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

func run() error {
	dir := flag.String("formats", "", "read the mappings of this directory in place of the built-in ones")
	id := flag.String("format", "", "format id")
	snapshot := flag.Bool("snapshot", false, "print the snapshot to standard error")
	_ = flag.Bool("json", true, "the only output there is")
	flag.Parse()
	var files fs.FS = formats.Files
	if *dir != "" {
		files = os.DirFS(*dir)
	}
	engine, err := format.New(files)
	if err != nil {
		return err
	}
	for _, name := range flag.Args() {
		if err := one(engine, name, *id, *snapshot); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return nil
}

func one(engine *format.Engine, name, id string, snapshot bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	res, err := engine.WriteParseLine(context.Background(), os.Stdout, name, format.Input{Name: name, R: f, Size: st.Size()}, format.Options{Format: id})
	if err != nil || !snapshot {
		return err
	}
	enc := json.NewEncoder(os.Stderr)
	enc.SetIndent("", "  ")
	return enc.Encode(res.Snapshot)
}
