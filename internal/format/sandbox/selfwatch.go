package sandbox

import (
	"context"
	"runtime/metrics"
	"time"
)

// ownMemory is what the Go runtime holds of the system's memory: on Linux the
// parent sees the resident set itself and is the stricter one, elsewhere this is
// what there is. The parser is Go alone, so little is missing.
func ownMemory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	var n [2]uint64
	for i := range samples {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			n[i] = samples[i].Value.Uint64()
		}
	}
	return int64(n[0] - n[1]) //nolint:gosec // less than any machine has
}

// selfWatch calls over, once, when the process holds more than limit bytes.
func selfWatch(ctx context.Context, limit int64, every time.Duration, over func()) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if ownMemory() > limit {
				over()
				return
			}
		}
	}
}
