package counter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A log whose block nobody takes is watched meanwhile, once a second.
func TestPumpWatchesWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemoryLog(1)
		log.ask = func(string) int64 { return 0 }
		log.write("a", "1", "2")
		in := &Ingester{inputs: []Input{{Source: log}}}
		ctx, cancel := context.WithCancel(t.Context())
		blocks, ended := make(chan fetched), make(chan error)
		go func() { ended <- in.pump(ctx, 0, blocks) }()
		time.Sleep(3*watchEvery + watchEvery/2)
		if n := log.watched.Load(); n != 3 {
			t.Errorf("watched %d times, want 3", n)
		}
		if f := <-blocks; f.block.Segment != "a" {
			t.Errorf("block of %q", f.block.Segment)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
