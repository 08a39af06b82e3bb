package counter

import (
	"context"
	"encoding/binary"
	"fmt"
)

// Hosts that count the same site each keep in memory who was there today, and
// append what is new to the site's packed keys. A commit finds such a key
// longer than it knows when another host wrote first. Then what that one
// appended is learned, and taken out of our own changes, which go out again at
// once: no line is read twice for it.

// catchUp merges the sites whose parts were refused because another host wrote,
// and returns those parts to be sent again; nil when there are none.
func (st *settler) catchUp(ctx context.Context, f *flight, behind map[*site][]*part) (*flight, error) {
	var rest []*part
	for s, parts := range behind {
		ok, err := st.merge(ctx, s, parts)
		if err != nil {
			return nil, st.heal.damage(ctx, s, err)
		}
		if ok {
			rest = append(rest, parts...)
			continue
		}
		booked := st.counts.booked(s, f.batch)
		if err := st.heal.refresh(ctx, s); err != nil {
			return nil, err
		}
		st.assumeBooked(s.name, booked)
	}
	if len(rest) == 0 {
		return nil, nil
	}
	f.batch.parts = rest
	return &flight{batch: f.batch}, nil
}

// of are the shares of a site.
func (b *batch) of(s *site) []*part {
	var parts []*part
	for _, p := range b.parts {
		if p.site == s {
			parts = append(parts, p)
		}
	}
	return parts
}

// merge learns what others appended to a site's packed keys. refused are its
// parts that were not applied, in their order. False: a line of ours is a
// duplicate of one that another host counted.
func (st *settler) merge(ctx context.Context, s *site, refused []*part) (bool, error) {
	open := st.counts.open.of(s)
	buckets := map[*bucket]bool{}
	for _, p := range refused {
		for _, x := range p.seen {
			if buckets[x.bucket] {
				continue
			}
			buckets[x.bucket] = true
			ok, err := st.mergeBucket(ctx, s, x.rule, x.bucket, refused, open)
			if !ok || err != nil {
				return false, err
			}
		}
	}
	done := map[*pairSet]bool{}
	for _, p := range refused {
		for x := range p.pairs() {
			set := x.change().set
			if done[set] {
				continue
			}
			done[set] = true
			if err := st.mergePairs(ctx, s, x, pairsOf(refused, set), pairsOf(open, set)); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// mergePairs learns the (visitor, page) pairs of others.
func (st *settler) mergePairs(ctx context.Context, s *site, x pairOwner, refused, open []pairOwner) error {
	set := x.change().set
	at := set.known(refused)
	var theirs set64
	var end int64
	err := st.wire.retry(ctx, "read pairs", func() (err error) {
		theirs = set64{}
		end, err = st.load.readPairs(ctx, x.key(st.keys, s.name), at, &theirs)
		return err
	})
	if err != nil {
		return fmt.Errorf("read pairs of %s: %w", s.name, err)
	}
	set.merge(&theirs, end, refused, open)
	return nil
}

// mergeBucket learns what lines of others left with a duplicate rule. False:
// one of them makes a line of ours a duplicate.
func (st *settler) mergeBucket(ctx context.Context, s *site, rule *recent, b *bucket, refused, open []*part) (bool, error) {
	at := b.length
	sent := seenOf(refused, b)
	for _, x := range sent {
		at -= int64(len(x.data))
	}
	var theirs []byte
	var end int64
	err := st.wire.retry(ctx, "read seen", func() (err error) {
		theirs = nil
		end, err = st.load.readPacked(ctx, st.keys.Seen(s.name, rule.name, b.number), at, func(p []byte) { theirs = append(theirs, p...) })
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read what %s has seen: %w", s.name, err)
	}
	var keys set64
	for p := theirs; len(p) >= seenEntry; p = p[seenEntry:] {
		keys.add(binary.LittleEndian.Uint64(p))
	}
	for _, x := range append(seenOf(open, b), sent...) {
		for p := x.data; len(p) >= seenEntry; p = p[seenEntry:] {
			if keys.has(binary.LittleEndian.Uint64(p)) {
				return false, nil
			}
		}
	}
	b.fill(theirs)
	b.length = end
	for _, x := range sent {
		x.length = b.length
		b.length += int64(len(x.data))
	}
	return true, nil
}

func seenOf(parts []*part, b *bucket) []*seenChange {
	var all []*seenChange
	for _, p := range parts {
		for _, x := range p.seen {
			if x.bucket == b {
				all = append(all, x)
			}
		}
	}
	return all
}
