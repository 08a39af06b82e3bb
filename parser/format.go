package parser

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ddkk-stats/parser/format"
)

// Format is how a line is written: a name, or the text of a format as
// format.Compile takes it. Equal ones read alike. The zero value is FormatV1.
type Format string

const (
	// FormatV1 is our own TAB-separated format, see readV1.
	FormatV1 Format = ""
	// FormatCombined is the "combined" format of nginx and Apache.
	FormatCombined Format = "combined"
	// FormatJSON is one JSON object a line with configurable field names.
	FormatJSON Format = "json"
)

// FormatW3C is the name of a W3C extended log, whose own first lines say what is
// where: by itself it reads nothing.
const FormatW3C = "w3c"

func (f Format) String() string {
	if f == FormatV1 {
		return VersionV1
	}
	return string(f)
}

// ParseFormat reads the name of a format, or the text of one, and makes sure that it
// can be compiled.
func ParseFormat(text string) (Format, error) {
	text = strings.TrimSpace(text)
	switch name := strings.ToLower(text); name {
	case VersionV1:
		return FormatV1, nil
	case string(FormatCombined), string(FormatJSON):
		return Format(name), nil
	case FormatW3C:
		return "", errors.New("parse log format w3c: the log itself says what is where; import finds it, elsewhere write the line that begins with #Fields: as the format")
	default:
		if _, named := format.Named(name); named {
			text = name
		}
	}
	if _, err := format.Compile(text); err != nil {
		return "", fmt.Errorf("parse log format %q: %w; use v1, combined, json, %s, nginx's log_format or Apache's LogFormat", text, err, strings.Join(format.Names(), ", "))
	}
	return Format(text), nil
}

// JSON says whether each line is an object.
func (f Format) JSON() bool {
	text, named := format.Named(string(f))
	if !named {
		text = string(f)
	}
	return f == FormatJSON || strings.HasPrefix(text, "json:")
}

// FormatFrom is the format of a name in the configuration of nginx (also as nginx -T
// prints it) or of Apache; without a name the only one that there is.
func FormatFrom(config, name string) (Format, error) {
	text, err := format.From(config, name)
	if err != nil {
		return "", fmt.Errorf("find log format: %w", err)
	}
	return ParseFormat(text)
}

// W3C is the format of a W3C extended log that begins so, as its own "#Fields:" line
// says; false for another log.
func W3C(begin []byte) (Format, bool) {
	for line := range bytes.Lines(begin) {
		line = bytes.TrimPrefix(line, []byte(byteOrderMark))
		if len(line) == 0 || line[0] != '#' {
			break
		}
		if f, err := ParseFormat(string(line)); err == nil {
			return f, true
		}
	}
	return "", false
}

// IsW3C says whether a format is a "#Fields:" line.
func (f Format) IsW3C() bool { return strings.HasPrefix(string(f), "#") }

// Formats are those that a log which begins so is tried by, in that order: all that
// have a name, or of a W3C log the one that it names itself.
func Formats(begin []byte) []Format {
	all := []Format{FormatV1, FormatCombined, FormatJSON}
	if f, ok := W3C(begin); ok {
		return append(all, f)
	}
	for _, name := range format.Names() {
		all = append(all, Format(name))
	}
	return all
}

// NamedFormats are the names of formats beside v1, combined and json.
func NamedFormats() []string { return format.Names() }

// Whose says who writes a format that has a name.
func (f Format) Whose() string { return format.Whose(string(f)) }

// Tells says whether lines of the format may tell a field ("host", "request_time",
// ...); of JSON ones that is not known before they are read, so they may.
func (f Format) Tells(field string) bool {
	switch f {
	case FormatV1, FormatJSON:
		return true
	case FormatCombined:
		return slices.Contains([]string{"time", "addr", "status", "request", "referer", "user_agent", "remote_user", "body_bytes_sent"}, field)
	}
	l, err := format.Compile(string(f))
	which, known := format.FieldOf(field)
	return err == nil && known && l.Has(which)
}

// What a line of ours begins and ends with, and how many fields it has, both marks
// counted. A v2 line is a v1 line with Accept-Language before its end mark; FormatV1 reads
// both, so that a log may change from one to the other. The nginx configuration and the
// built-in beacon write v2.
const (
	VersionV1   = "v1"
	VersionV2   = "v2"
	EndMark     = "end"
	NumFieldsV1 = 16
	NumFieldsV2 = 17
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
	case bytes.HasPrefix(line, []byte(VersionV1+"\t")), bytes.HasPrefix(line, []byte(VersionV2+"\t")):
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
// (without the newline): the request id that nginx wrote into a line of ours, else
// 128 bits of the line's SHA-256. It survives rename, gzip and copy.
func SegmentID(firstLine []byte) string {
	line := bytes.TrimSuffix(firstLine, []byte("\r"))
	if id := erasedID(line); id != "" {
		return id
	}
	if id := requestIDV1(line); id != nil {
		return string(bytes.ToLower(id))
	}
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:16])
}

// requestIDV1 is the third field of a v1 or v2 line, nil if it is not one. The rest
// of the line may be torn: its first bytes are what identifies a segment.
func requestIDV1(line []byte) []byte {
	rest, ok := bytes.CutPrefix(line, []byte(VersionV1+"\t"))
	if !ok {
		rest, ok = bytes.CutPrefix(line, []byte(VersionV2+"\t"))
	}
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
