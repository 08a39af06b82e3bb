package archive

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// contentSum is the SHA-256 of a segment's content, taken of the very bytes
// that are archived while they are read. A chunk may be read again: what it
// takes twice is summed once. nil sums nothing: who reads to count again does not
// archive.
type contentSum struct {
	h  hash.Hash
	at int64 // everything before it is in h
}

func newContentSum() *contentSum { return &contentSum{h: sha256.New()} }

// through returns r, whose first byte is at offset from of the content, and adds
// what is read by it.
func (c *contentSum) through(r io.Reader, from int64) io.Reader {
	if c == nil {
		return r
	}
	return &summing{Reader: r, sum: c, pos: from}
}

type summing struct {
	io.Reader
	sum *contentSum
	pos int64
}

func (s *summing) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if c := s.sum; s.pos <= c.at && s.pos+int64(n) > c.at {
		c.h.Write(p[c.at-s.pos : n]) // a hash never fails
		c.at = s.pos + int64(n)
	}
	s.pos += int64(n)
	return n, err
}

// reach adds what lies before an offset where an earlier run began.
func (c *contentSum) reach(ctx context.Context, seg Segment, to int64) (err error) {
	if c == nil || c.at >= to {
		return nil
	}
	r, err := seg.Open(ctx, c.at)
	if err != nil {
		return &segmentError{fmt.Errorf("open segment: %w", err)}
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if _, err := io.CopyN(io.Discard, c.through(r, c.at), to-c.at); err != nil {
		return &segmentError{fmt.Errorf("read segment: %w", err)}
	}
	return nil
}

// keep writes what the segment's content was, in the transaction that ends it.
func (c *contentSum) keep(ctx context.Context, tx *sql.Tx, d dialect, seg Segment) error {
	if c.at != seg.Size() {
		return fmt.Errorf("sum up the segment's content: BUG: %d of %d bytes were read", c.at, seg.Size())
	}
	id := d.bytes([]byte(seg.ID()))
	if _, err := execTx(ctx, tx, "forget the segment's sum", "DELETE FROM segment_sums WHERE segment = ?", id); err != nil {
		return err
	}
	_, err := execTx(ctx, tx, "write the segment's sum", "INSERT INTO segment_sums (segment, size, content_sum) VALUES (?, ?, ?)",
		id, c.at, d.bytes([]byte(hex.EncodeToString(c.h.Sum(nil)))))
	return err
}
