package counter

import (
	"bytes"
	"context"
	"fmt"

	"ddkk-stats/parser"
)

// take counts a block into the open batch. Blocks that were on their way when
// a rewind was asked for are passed over or cut to what continues at pos.
func (in *Ingester) take(ctx context.Context, f fetched) error {
	b := f.block
	if b.Release != nil {
		defer b.Release()
	}
	seg := in.places.segment(f)
	in.places.live = b.Live || b.Kind == Closed
	in.now, in.redisNow = in.opt.Now(), in.clock.now()
	if b.Live {
		in.loop.liveAt = in.now
	}
	reached := seg.pos
	if b.Kind == Closed {
		reached = max(reached, seg.torn) // an unfinished last line is passed over by now
	}
	switch {
	case b.Start > reached && seg.gone:
		seg.pos, seg.floor, seg.gone = b.Start, b.Start, false
	case b.Start > reached && seg.awaited > 0:
		seg.awaited--
		return nil
	case b.Start > reached:
		return in.places.rewind(seg, seg.pos)
	case b.Kind == Closed:
		seg.closed = b.End == reached
		in.progressed(seg)
		return nil
	case b.End <= seg.pos:
		return nil
	}
	seg.closed, seg.awaited = false, 0
	if in.open.lines == 0 {
		in.loop.opened = in.now
	}
	switch b.Kind {
	case Torn:
		return in.unended(ctx, seg, b)
	case Oversize:
		in.single(seg, b)
		return nil
	}
	data := b.Data[seg.pos-b.Start:]
	if within := seg.pos - b.Start; within > 0 && b.Data[within-1] != '\n' {
		data = in.passRest(seg, data)
	}
	if len(data) == 0 {
		return nil
	}
	return in.lines(ctx, seg, data)
}

// unended deals with the last line of a closed segment, which has no newline. It is a
// line if it is one by its format; else the rest of it may still come, and then it
// comes whole.
func (in *Ingester) unended(ctx context.Context, seg *segment, b Block) error {
	if b.Start < seg.pos { // the rest of one that was counted, still without its newline
		seg.pos, seg.booked = b.End, max(seg.booked, b.End)
		in.progressed(seg)
		return nil
	}
	if int64(len(b.Data)) < b.End-b.Start { // too long for a line
		in.single(seg, b)
		return nil
	}
	if in.inputs[seg.input].Parser.Parse(b.Data, &in.hit); in.hit.Kind == parser.Malformed {
		in.single(seg, b)
		return nil
	}
	booked, rewinds := seg.booked, seg.rewinds
	if err := in.line(ctx, seg, b.Start, b.End); err != nil || seg.rewinds != rewinds {
		return err // it comes again
	}
	in.countViews()
	if b.End > booked {
		in.open.books[seg.input].Read++
		seg.booked = b.End
	}
	in.open.lines++
	seg.pos = b.End
	in.progressed(seg)
	return nil
}

// passRest passes over what was appended to a line that had been counted without its
// newline, and returns what comes behind it.
func (in *Ingester) passRest(seg *segment, data []byte) []byte {
	n := int64(bytes.IndexByte(data, '\n') + 1)
	seg.pos += n
	seg.booked = max(seg.booked, seg.pos)
	in.open.lines++
	in.progressed(seg)
	return data[n:]
}

// progressed notes that the open batch reaches up to the segment's pos.
func (in *Ingester) progressed(seg *segment) { in.open.ends[seg.id] = mark{seg.pos, seg.rewinds} }

// maxAwaited is how many blocks may be on their way when a segment is rewound:
// more than the channel and the source hold.
const maxAwaited = 64

// single books a line that never reaches the parser.
func (in *Ingester) single(seg *segment, b Block) {
	if books := &in.open.books[seg.input]; b.End > seg.booked {
		books.Read++
		if b.Kind == Torn {
			books.Torn++
		} else {
			books.Malformed[parser.BadLength]++
		}
		seg.booked = b.End
	}
	if b.Kind == Torn {
		seg.torn = b.End // pos stays: should the line be finished, it comes whole
	} else {
		seg.pos = b.End
	}
	in.open.lines++
	in.progressed(seg)
}

// lines counts complete lines. It stops early when one of them makes the
// segment be rewound; then the rest comes again.
func (in *Ingester) lines(ctx context.Context, seg *segment, data []byte) error {
	p := in.inputs[seg.input].Parser
	start, booked, rewinds := seg.pos, seg.booked, seg.rewinds
	at := start
	looked := in.aheadFirst
	in.misses, in.aheadFirst = 0, false
	var err error
	if looked {
		err = in.lookAhead(ctx, seg, at, data)
	}
	for err == nil && seg.rewinds == rewinds && at < start+int64(len(data)) {
		rest := data[at-start:]
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			err = fmt.Errorf("count segment %s: BUG: block at %d ends within a line", seg.id, at)
			break
		}
		p.Parse(rest[:i], &in.hit)
		end := at + int64(i) + 1
		if err = in.line(ctx, seg, at, end); err != nil || seg.rewinds != rewinds {
			break // the line is read again
		}
		at = end
		seg.booked = max(seg.booked, end)
		in.open.lines++
		if in.misses > missesAllowed && !looked {
			looked = true
			err = in.lookAhead(ctx, seg, at, data[at-start:])
		}
	}
	in.countViews()
	in.bookRead(seg.input, data[:at-start], booked-start)
	if seg.rewinds == rewinds {
		seg.pos = at
		in.progressed(seg)
	}
	return err
}

// maxRounds is how often a line may ask for what it lacks before it is read again:
// its site, then the site's day and buckets, and these of a site that was damaged.
const maxRounds = 4

// line counts in.hit, whose line lies between two offsets, and books what became of
// it. What it lacks is read first; should that rewind the segment, the line comes again.
func (in *Ingester) line(ctx context.Context, seg *segment, start, end int64) error {
	o := in.add(&in.hit, seg.id, start, end)
	for round, rewinds := 0, seg.rewinds; o == lineLacks; round++ {
		if round == maxRounds { // its site is replaced again and again
			return in.places.rewind(seg, seg.pos)
		}
		in.misses++
		w := newWanted()
		in.lacks(w, &in.hit, seg.id, start)
		if err := in.filler.fill(ctx, w); err != nil || seg.rewinds != rewinds {
			return err
		}
		o = in.add(&in.hit, seg.id, start, end)
	}
	books := &in.open.books[seg.input]
	switch {
	case end > seg.booked:
		books.book(&in.hit, o)
	case o == lineDup && in.cur.site.assumes(seg.id, end):
		books.Dedup++ // it was booked as one that counts
		books.unbook(in.hit.Bot)
	}
	return nil
}

// bookRead counts the newlines of what was processed; the first again bytes
// were in the books before.
func (in *Ingester) bookRead(input int, data []byte, again int64) {
	again = min(max(again, 0), int64(len(data)))
	in.open.books[input].Read += int64(bytes.Count(data[again:], newline))
	if again > 0 {
		n := int64(bytes.Count(data[:again], newline))
		in.meter.update(func(s *IngestStats) { s.Reread += n })
	}
}

var newline = []byte{'\n'}
