package sandbox

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// TRU4: the parser ends itself when it holds too much, on systems where nobody
// else sees that.
func TestSelfWatch(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	before := ownMemory()
	if before <= 0 {
		t.Fatalf("the runtime holds %d bytes", before)
	}
	const much = 256 << 20
	over := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		selfWatch(ctx, before+much/2, time.Millisecond, func() { close(over) })
	}()
	held := make([]byte, much)
	<-over
	runtime.KeepAlive(held)
	stop()
	<-done

	// Below the limit it goes on until it is told to stop.
	ctx, stop = context.WithCancel(t.Context())
	ticked := make(chan struct{})
	go func() {
		defer close(ticked)
		selfWatch(ctx, 1<<50, time.Microsecond, func() { t.Error("it was stopped below the limit") })
	}()
	stop()
	<-ticked
}
