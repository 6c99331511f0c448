package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/sinewsec/sinew/internal/sinew"
)

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// writeNew writes a file that must not exist yet, readable by its owner alone,
// and leaves none behind when that fails.
func writeNew(name string, write func(*counter) error) (n int64, err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
	if errors.Is(err, fs.ErrExist) {
		return 0, sinew.Errorf(sinew.CodeConflict, "the file exists already").At(name).Hint("choose another name, or remove it")
	}
	if err != nil {
		return 0, sinew.Errorf(sinew.CodeInvalid, "the file cannot be written: %w", errors.Unwrap(err)).At(name)
	}
	c := &counter{w: f}
	err = write(c)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, errors.Join(fmt.Errorf("write %s: %w", name, err), os.Remove(name))
	}
	return c.n, nil
}

// openOrStdin opens a file; - is standard input.
func openOrStdin(s *session, name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(s.env.Stdin), nil
	}
	f, err := os.Open(name) //nolint:gosec // the user names it
	if err != nil {
		return nil, sinew.Errorf(sinew.CodeInvalid, "the file cannot be opened: %w", errors.Unwrap(err)).At(name).Hint("check the path")
	}
	return f, nil
}
