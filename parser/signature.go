package parser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// signatureLength is that of a signature in hex digits: 128 bits.
const signatureLength = 32

// Sign is the signature of a beacon for a page of a site, both normalised: the
// first 128 bits of HMAC-SHA256(key, site LF page) in hex. A site has no line feed in it.
func Sign(key []byte, site string, page []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(appendSigned(nil, site, page)) // never fails, by its documentation
	return hex.EncodeToString(mac.Sum(nil)[:signatureLength/2])
}

// appendSigned appends what is signed.
func appendSigned(dst []byte, site string, page []byte) []byte {
	return append(append(append(dst, site...), '\n'), page...)
}

// signatures checks those of beacons; nil: none are asked for.
type signatures struct {
	keys []hash.Hash // each a keyed HMAC, to be reset
	text []byte      // buffer
	sum  [sha256.Size]byte
	got  [signatureLength / 2]byte
}

func newSignatures(keys []string) *signatures {
	if len(keys) == 0 {
		return nil
	}
	s := &signatures{}
	for _, key := range keys {
		s.keys = append(s.keys, hmac.New(sha256.New, []byte(key)))
	}
	return s
}

// good tells whether one of the keys has signed the page.
func (s *signatures) good(sig []byte, site string, page []byte) bool {
	if len(sig) != signatureLength {
		return false
	}
	if _, err := hex.Decode(s.got[:], sig); err != nil {
		return false
	}
	s.text = appendSigned(s.text[:0], site, page)
	for _, mac := range s.keys {
		mac.Reset()
		mac.Write(s.text)
		if hmac.Equal(mac.Sum(s.sum[:0])[:len(s.got)], s.got[:]) {
			return true
		}
	}
	return false
}
