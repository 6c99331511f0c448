//go:build !unix

package sandbox

import (
	"os"
	"os/exec"
	"time"
)

// On systems without rlimits the child watches its own memory (selfwatch.go), and
// the parent limits wall time.

func passFile(*exec.Cmd, *os.File) bool { return false }

func limitSelf(int64, time.Duration) error { return nil }

func residentBytes(int) int64 { return 0 }

func overCPU(error) bool { return false }
