package counter

import (
	"context"
	"fmt"
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

func (l *tornLog) Watch() {}

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
	if log.rewound > 0 || !r.in.places.segs["s"].closed {
		t.Fatalf("rewound %d times, closed: %v", log.rewound, r.in.places.segs["s"].closed)
	}
}

// A last line that is whole but for its newline counts, once: also when its newline, or
// more, comes later, in the same run or the next, and when the site is counted again.
func TestLastLineWithoutItsNewline(t *testing.T) {
	t.Parallel()
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:1.0) Gecko/20100101 Firefox/140.0"
	hit := func() string {
		return testHit{at: time.Now(), site: "a.example", page: "/", agent: agent}.line()
	}
	first, last, next := hit()+"\n", hit(), hit()+"\n"
	start := int64(len(first))
	end := start + int64(len(last))
	lines := func(at int64, text string) Block {
		return Block{Segment: "s", Kind: Lines, Start: at, End: at + int64(len(text)), Data: []byte(text)}
	}
	unended := func(text string) Block {
		return Block{Segment: "s", Kind: Torn, Start: start, End: start + int64(len(text)), Data: []byte(text)}
	}
	closed := func(at int64) Block { return Block{Segment: "s", Kind: Closed, Start: at, End: at} }
	for name, c := range map[string]struct {
		blocks      []Block
		human, torn int64 // booked then
		pv          string
		rest        int64 // where the checkpoint is
	}{
		"not changed":        {[]Block{unended(last), closed(end)}, 0, 0, "2", end},
		"its newline":        {[]Block{lines(start, last+"\n")}, 0, 0, "2", end},
		"its newline, more":  {[]Block{lines(start, last+"\n"+next)}, 1, 0, "3", end + 1 + int64(len(next))},
		"a rest":             {[]Block{lines(start, last+" rest\n"), lines(end+6, next)}, 1, 0, "3", end + 6 + int64(len(next))},
		"a rest, no newline": {[]Block{unended(last + " rest"), closed(end + 5), lines(start, last+" rest!\n"+next)}, 1, 0, "3", end + 7 + int64(len(next))},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " restart ", restart), func(t *testing.T) {
				m := miniredis.RunT(t)
				r := newRig(t, redis.NewClient(&redis.Options{Addr: m.Addr()}))
				r.opt.Embedded = true
				log := &tornLog{memoryLog: r.log, blocks: []Block{lines(0, first), unended(last), closed(end)}}
				human, torn := int64(2), c.torn
				if !restart {
					log.blocks = append(log.blocks, c.blocks...)
					human += c.human
				}
				counted := func(human, torn int64) {
					t.Helper()
					eventually(t, func() bool {
						b := r.in.Stats().Books
						return b.Human == human && b.Torn == torn && b.Read == human+torn
					}, func() { t.Fatalf("want %d of people: %+v", human, r.in.Stats()) })
				}
				r.startOn(log)
				counted(human, torn)
				if restart {
					r.stop()
					log.blocks = c.blocks
					r.startOn(log)
					counted(c.human, c.torn)
				}
				r.stop()
				if pv, _ := m.Get(r.opt.Keys.SitePV("a.example")); pv != c.pv {
					t.Errorf("%s views, want %s", pv, c.pv)
				}
				if at := m.HGet(r.opt.Keys.Checkpoint("a.example"), "s"); at != fmt.Sprint(c.rest) {
					t.Errorf("the checkpoint is at %s, want %d", at, c.rest)
				}
				if log.rewound > 0 {
					t.Errorf("rewound %d times", log.rewound)
				}
			})
		}
	}
}

// listedLog is a log of which only the list of its segments matters.
type listedLog struct {
	Source
	all []SegmentInfo
}

func (l listedLog) Segments() []SegmentInfo { return l.all }

// Numbers are complete though a segment ends within a line: nothing of that is left to count.
func TestNothingIsLeftBehindAnUnfinishedLastLine(t *testing.T) {
	read := func(floor, torn int64) *segment { return &segment{id: "s", pos: 100, floor: floor, torn: torn} }
	for _, x := range []struct {
		what         string
		seg          *segment // nil: no block of it came since the start, which was to go on at 100
		read, looked int64
		want         bool
	}{
		{"a line that was read and is not committed", read(100, 0), 120, 120, false},
		{"an unfinished line that was handed out", read(100, 120), 120, 120, true},
		{"an unfinished line that was handed out, and one before it that is not committed", read(60, 120), 120, 120, false},
		{"an unfinished line in the live log", read(100, 0), 100, 120, true},
		{"an unfinished line in the live log, and one before it that is not committed", read(60, 0), 100, 120, false},
		{"what was not looked at", read(100, 0), 100, 100, false},
		{"an unfinished line behind what was counted before the start", nil, 100, 120, true},
		{"what came while no daemon ran", nil, 100, 100, false},
		{"a block that is on its way", nil, 120, 120, false},
	} {
		pl := &places{inputs: []Input{{Source: listedLog{all: []SegmentInfo{{ID: "s", Size: 120, Read: x.read, Looked: x.looked}}}}}, segs: map[string]*segment{}}
		pl.resume.set(map[string]int64{"s": 100})
		if x.seg != nil {
			pl.segs["s"] = x.seg
		}
		if got := pl.reached(map[string]int64{"s": 120}); got != x.want {
			t.Errorf("%s: %v", x.what, got)
		}
	}
}
