package format

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sinewsec/sinew/internal/sinew"
)

// Spool holds a report on disk, encrypted with a key that exists in memory only,
// in a file without a name. It is written once, then read anywhere.
type Spool struct {
	file  *os.File
	key   [32]byte
	block cipher.Block
	size  int64
	limit int64
	buf   []byte
	name  string // to remove on close, where an open file cannot be unlinked
}

// NewSpool makes an empty spool in dir (empty: the system's directory for
// temporary files) that takes up to limit bytes; 0 means no limit.
func NewSpool(dir string, limit int64) (*Spool, error) {
	f, err := os.CreateTemp(dir, ".sinew-spool-*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	s := &Spool{file: f, limit: limit}
	if err := os.Remove(f.Name()); err != nil {
		s.name = f.Name()
	}
	if _, err := rand.Read(s.key[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("make a key: %w", err), s.Close())
	}
	if s.block, err = aes.NewCipher(s.key[:]); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenSpool reads a spool that another process wrote, from its file and key.
func OpenSpool(f *os.File, key [32]byte, size int64) (*Spool, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return &Spool{file: f, key: key, block: block, size: size}, nil
}

// File and Key hand the spool to a child process.
func (s *Spool) File() *os.File { return s.file }

// Key is the key of this spool alone; it is never written anywhere.
func (s *Spool) Key() [32]byte { return s.key }

// Size is the number of bytes written.
func (s *Spool) Size() int64 { return s.size }

// stream is the key stream from a byte offset on. Each block is used for one
// offset of one file with one key.
func (s *Spool) stream(at int64) cipher.Stream {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[8:], uint64(at)/aes.BlockSize) //nolint:gosec // offsets are not negative
	st := cipher.NewCTR(s.block, iv[:])
	if skip := at % aes.BlockSize; skip > 0 {
		var junk [aes.BlockSize]byte
		st.XORKeyStream(junk[:skip], junk[:skip])
	}
	return st
}

// Write appends p.
func (s *Spool) Write(p []byte) (int, error) {
	if s.limit > 0 && s.size+int64(len(p)) > s.limit {
		return 0, sinew.Errorf(sinew.CodeTooLarge, "the report is larger than %s", size(s.limit)).
			Hint("split it, or raise the limit in the configuration")
	}
	if cap(s.buf) == 0 {
		s.buf = make([]byte, 64<<10)
	}
	st := s.stream(s.size)
	done := 0
	for done < len(p) {
		n := min(len(p)-done, len(s.buf))
		st.XORKeyStream(s.buf[:n], p[done:done+n])
		w, err := s.file.WriteAt(s.buf[:n], s.size)
		s.size += int64(w)
		done += w
		if err != nil {
			return done, fmt.Errorf("write temporary file: %w", err)
		}
	}
	return done, nil
}

// ReadAt reads at an offset; several goroutines may.
func (s *Spool) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	short := false
	if int64(len(p)) > s.size-off {
		p, short = p[:s.size-off], true
	}
	n, err := s.file.ReadAt(p, off)
	s.stream(off).XORKeyStream(p[:n], p[:n])
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// Close forgets the key and frees the file.
func (s *Spool) Close() error {
	clear(s.key[:])
	s.block = nil
	err := s.file.Close()
	if s.name != "" {
		err = errors.Join(err, os.Remove(s.name))
	}
	return err
}
