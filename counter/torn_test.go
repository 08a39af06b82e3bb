package counter

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// tornLog is a log whose only segment ends within a line, as its tailer hands it out.
type tornLog struct {
	*memoryLog // its segments are never asked for
	blocks     []Block
	rewound    int
}

func (l *tornLog) Next(ctx context.Context) (Block, error) {
	l.mu.Lock()
	if len(l.blocks) > 0 {
		b := l.blocks[0]
		l.blocks = l.blocks[1:]
		l.mu.Unlock()
		return b, nil
	}
	l.mu.Unlock()
	<-ctx.Done()
	return Block{}, ctx.Err()
}

func (l *tornLog) Rewind(string, int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rewound++
	return nil
}

// What is closed behind an unfinished last line is read to its end: it is not read
// again, over and over, for the line that will never come.
func TestSegmentWithAnUnfinishedLastLineIsClosed(t *testing.T) {
	m := miniredis.RunT(t)
	r := newRig(t, redis.NewClient(&redis.Options{Addr: m.Addr()}))
	r.opt.Embedded = true
	h := testHit{at: time.Now(), site: "a.example", page: "/", agent: "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Gecko/20100101 Firefox/140.0"}
	whole := h.line() + "\n"
	half := int64(len(whole)) + 20
	log := &tornLog{memoryLog: r.log, blocks: []Block{
		{Segment: "s", Kind: Lines, End: int64(len(whole)), Data: []byte(whole)},
		{Segment: "s", Kind: Torn, Start: int64(len(whole)), End: half, Data: []byte(whole[:20])},
		{Segment: "s", Kind: Closed, Start: half, End: half},
	}}
	r.startOn(log)
	eventually(t, func() bool { return r.in.Stats().Books.Torn == 1 && r.in.Stats().Books.Human == 1 }, func() { t.Fatalf("%+v", r.in.Stats()) })
	r.stop()
	if log.rewound > 0 || !r.in.segs["s"].closed {
		t.Fatalf("rewound %d times, closed: %v", log.rewound, r.in.segs["s"].closed)
	}
}
