package beacon

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// encoder turns a record into a line. Each has its own source of request ids,
// so that callers do not wait for each other there.
type encoder struct {
	buf []byte
	rng *rand.ChaCha8
	id  [32]byte
}

// newEncoder seeds from the operating system: ids must not repeat after a
// restart, since a segment is known by its first one.
func newEncoder() *encoder {
	var seed [32]byte
	cryptorand.Read(seed[:]) // never fails: it ends the program instead
	return &encoder{rng: rand.NewChaCha8(seed)}
}

// line is valid until the next call.
func (e *encoder) line(r *Record) []byte {
	var id []byte
	if len(r.RequestID) == 0 {
		id = e.requestID()
	}
	e.buf = appendLine(e.buf[:0], r, id)
	return e.buf
}

// requestID makes 32 lower-case hex digits, as nginx's $request_id.
func (e *encoder) requestID() []byte {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], e.rng.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], e.rng.Uint64())
	hex.Encode(e.id[:], raw[:])
	return e.id[:]
}
