package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ddkk-stats/parser"
)

// maxExportLine bounds a line of an export; a raw row has some kilobytes at most.
const maxExportLine = 1 << 20

// ReadExport reads an export through, and tells what it is of. One that was cut or edited
// is an error.
func ReadExport(r io.Reader) (head ExportHead, lines int64, err error) {
	sum := sha256.New()
	in := exportLines(r)
	ended := false
	for in.Scan() {
		line := in.Bytes()
		if ended {
			return head, lines, errors.New("read export: something follows its last line")
		}
		if lines == 0 {
			if err := json.Unmarshal(line, &head); err != nil || head.Export == 0 {
				return head, lines, ErrNoExport
			}
			if head.Export != ExportVersion {
				return head, lines, fmt.Errorf("read export: it is of version %d, which this program does not know: use a newer one", head.Export)
			}
		}
		if bytes.HasPrefix(line, []byte(`{"table":"end"`)) {
			var end exportEnd
			if err := json.Unmarshal(line, &end); err != nil {
				return head, lines, fmt.Errorf("read export: line %d: %w", lines+1, err)
			}
			if end.Lines != lines || end.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
				return head, lines, errors.New("read export: it was edited, or damaged: its content is not what its last line says")
			}
			ended = true
			continue
		}
		lines++
		sum.Write(line)
		sum.Write([]byte{'\n'})
	}
	if err := in.Err(); err != nil {
		return head, lines, fmt.Errorf("read export: %w", err)
	}
	if lines == 0 {
		return head, lines, ErrNoExport
	}
	if !ended {
		return head, lines, errors.New("read export: its end is missing: the export or a copy was broken off")
	}
	return head, lines, nil
}

// ErrNoExport tells of a file that is something else.
var ErrNoExport = errors.New("read export: it is none")

func exportLines(r io.Reader) *bufio.Scanner {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 1<<16), maxExportLine)
	return in
}

// ImportedSite is what an import of a site came to.
type ImportedSite struct {
	Days    int
	Rows    int64        // raw rows that are new
	There   []parser.Day // days without raw rows, here or there, that stay as they were
	Ruled   int64        // raw rows that a rule here takes out
	Skipped []string     // tables of which the site has something already
}

// ImportSite stores what ReadExport found whole, as a site of any name. Days that have raw
// rows get these, each once, and sums that are made of them; other days, calls, and the visitors of weeks that are over come
// where there is nothing of them, and stay as they are where there is. Bases are set. So a second time
// changes nothing, and neither does what a run left that was killed. rules judges raw rows:
// what was deleted stays deleted. The site must be rebuilt in Redis then, see PendingImports.
func (tr *transfers) ImportSite(ctx context.Context, r io.Reader, site string, rules *parser.Parser, progress func(lines int64)) (out ImportedSite, err error) {
	unlock, ok, err := tr.dialect.lock(ctx, lockArchive, false)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if !ok {
		return out, ErrLocked
	}
	im := &siteImport{tr: tr, name: site, site: tr.dialect.bytes([]byte(site)), rules: rules, out: &out, segments: map[string]bool{}}
	in := exportLines(r)
	for n := int64(0); in.Scan(); n++ {
		if progress != nil && n%1000 == 0 {
			progress(n)
		}
		if n == 0 {
			continue
		}
		if err := im.line(ctx, in.Bytes()); err != nil {
			return out, errors.Join(fmt.Errorf("import %s: line %d: %w", site, n+1, err), in.Err())
		}
	}
	if err := in.Err(); err != nil {
		return out, fmt.Errorf("import %s: %w", site, err)
	}
	if err := im.endDay(ctx); err != nil {
		return out, fmt.Errorf("import %s: %w", site, err)
	}
	if _, err := tr.rollups.rollUp(ctx, site, nil); err != nil {
		return out, err
	}
	if err := im.finish(ctx); err != nil {
		return out, fmt.Errorf("import %s: %w", site, err)
	}
	return out, nil
}
