package parser

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Format is how a line is written.
type Format uint8

const (
	// FormatV1 is our own TAB-separated format, see readV1.
	FormatV1 Format = iota
	// FormatCombined is the "combined" format of nginx and Apache.
	FormatCombined
	// FormatJSON is one JSON object a line with configurable field names.
	FormatJSON
)

// Names of formats, as in configuration and on the command line.
var formatNames = [...]string{FormatV1: "v1", FormatCombined: "combined", FormatJSON: "json"}

func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", f)
}

// ParseFormat is the inverse of Format.String.
func ParseFormat(name string) (Format, error) {
	for f, n := range formatNames {
		if n == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("parse log format %q: use v1, combined or json", name)
}

// What a v1 line begins and ends with, and how many fields it has, both marks
// counted. The nginx configuration and the built-in beacon write the same.
const (
	VersionV1   = "v1"
	EndMark     = "end"
	NumFieldsV1 = 16
)

// MaxLine is the longest line in bytes that is parsed, of any format. nginx
// refuses requests whose headers would make a longer one.
const MaxLine = 64 << 10

// byteOrderMark is what some editors and log shippers put before a file.
const byteOrderMark = "\xEF\xBB\xBF"

// Detect tells the format of a log from its first line. What looks like
// nothing known is FormatV1, so that a strange line in our own log becomes one
// malformed line and does not change how the rest is read.
func Detect(firstLine []byte) Format {
	line := bytes.TrimLeft(bytes.TrimPrefix(firstLine, []byte(byteOrderMark)), " ")
	switch {
	case bytes.HasPrefix(line, []byte(VersionV1+"\t")):
		return FormatV1
	case bytes.HasPrefix(line, []byte("{")):
		return FormatJSON
	}
	open := bytes.IndexByte(line, '[')
	if open > 0 && bytes.Contains(line[open:], []byte(`] "`)) {
		return FormatCombined
	}
	return FormatV1
}

// SegmentID is the identity of a segment, 32 hex digits, from its first line
// (without the newline): the request id that nginx wrote into a v1 line, else
// 128 bits of the line's SHA-256. It survives rename, gzip and copy.
func SegmentID(firstLine []byte) string {
	line := bytes.TrimSuffix(firstLine, []byte("\r"))
	if id := requestIDV1(line); id != nil {
		return string(bytes.ToLower(id))
	}
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:16])
}

// requestIDV1 is the third field of a v1 line, nil if it is not one. The rest
// of the line may be torn: its first bytes are what identifies a segment.
func requestIDV1(line []byte) []byte {
	rest, ok := bytes.CutPrefix(line, []byte(VersionV1+"\t"))
	if !ok {
		return nil
	}
	_, rest, _ = bytes.Cut(rest, []byte("\t"))
	id, _, ok := bytes.Cut(rest, []byte("\t"))
	if !ok || len(id) != 32 {
		return nil
	}
	for _, c := range id {
		if unhex(c) < 0 {
			return nil
		}
	}
	return id
}
