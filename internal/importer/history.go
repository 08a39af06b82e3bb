package importer

import (
	"archive/zip"
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// DayCount is what an earlier counter had of a page on a day, or of the whole site where
// Page is "". Date is a midnight in UTC; zero: the file does not tell the day.
type DayCount struct {
	Page   string
	Date   time.Time
	PV, UV int64
}

// History is what the files of an earlier counter tell of one site.
type History struct {
	Days    []DayCount     // by page, then by date
	Skipped map[string]int // why rows were left out, and how many
}

// HistoryOptions say what is read.
type HistoryOptions struct {
	Format string // of HistoryFormats
	Site   string
	Naming Naming
	Zone   *time.Location // of days, where the file has moments
}

// HistoryFormats are the counters whose exports are read.
func HistoryFormats() []string { return slices.Sorted(maps.Keys(historyFormats)) }

// historyFormat reads the tables of a counter's export.
type historyFormat struct {
	// takes tells whether a file of an export, by its base name, is read.
	takes func(name string) bool
	read  func(h *historyReader, name string, r io.Reader) error
}

var historyFormats = map[string]historyFormat{
	"goatcounter": {anyFile, (*historyReader).goatCounter},
	"umami":       {func(name string) bool { return strings.HasPrefix(name, "website_event") }, (*historyReader).umami},
	"plausible": {func(name string) bool {
		return strings.HasPrefix(name, "imported_visitors") || strings.HasPrefix(name, "imported_pages")
	}, (*historyReader).plausible},
	"matomo": {anyFile, (*historyReader).report},
	"ga":     {anyFile, (*historyReader).report},
}

func anyFile(string) bool { return true }

// historyReader adds up what files tell.
type historyReader struct {
	opt     HistoryOptions
	sums    map[dayKey]*DayCount
	seen    map[visitKey]bool // of rows that are single views
	skipped map[string]int
}

type dayKey struct {
	page string
	date time.Time
}

type visitKey struct {
	dayKey
	visit string
}

// ReadHistory reads the files of an export: CSV, also compressed or in a zip.
func ReadHistory(paths []string, opt HistoryOptions) (*History, error) {
	format, ok := historyFormats[opt.Format]
	if !ok {
		return nil, fmt.Errorf("read history: %q is none of %s", opt.Format, strings.Join(HistoryFormats(), ", "))
	}
	h := &historyReader{opt: opt, sums: map[dayKey]*DayCount{}, seen: map[visitKey]bool{}, skipped: map[string]int{}}
	for _, path := range paths {
		if err := h.file(path, format); err != nil {
			return nil, fmt.Errorf("read %s as an export of %s: %w", path, opt.Format, err)
		}
	}
	if len(h.sums) == 0 {
		return nil, fmt.Errorf("read history: %s has no counts of %s in the files; is the format right?", opt.Format, opt.Site)
	}
	h.sites()
	out := &History{Skipped: h.skipped}
	for _, d := range h.sums {
		out.Days = append(out.Days, *d)
	}
	slices.SortFunc(out.Days, func(a, b DayCount) int { return cmp.Or(cmp.Compare(a.Page, b.Page), a.Date.Compare(b.Date)) })
	return out, nil
}

func (h *historyReader) file(path string, format historyFormat) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b := bufio.NewReader(f)
	begin, err := b.Peek(8)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	p := packingOf(begin)
	switch {
	case p == nil:
		return h.table(filepath.Base(path), b, format)
	case p.name == "zip":
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return h.zip(f, info.Size(), format)
	case p.open == nil:
		return p.refuse(path)
	}
	unpacked, err := p.open(b)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return h.table(filepath.Base(path), unpacked, format)
}

func (h *historyReader) zip(f *os.File, size int64, format historyFormat) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return fmt.Errorf("open the zip: %w", err)
	}
	for _, part := range z.File {
		name := filepath.Base(part.Name)
		if part.FileInfo().IsDir() || !strings.HasSuffix(name, ".csv") {
			continue
		}
		if !format.takes(name) {
			h.skipped["other files"]++
			continue
		}
		r, err := part.Open()
		if err != nil {
			return fmt.Errorf("open %s: %w", name, err)
		}
		if err := errors.Join(h.table(name, r, format), r.Close()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (h *historyReader) table(name string, r io.Reader, format historyFormat) error {
	// Matomo writes UTF-16 for Excel, others a mark before UTF-8.
	return format.read(h, name, transform.NewReader(r, unicode.BOMOverride(unicode.UTF8.NewDecoder())))
}

// add adds to a day; page is as the file has it, "" the whole site.
func (h *historyReader) add(page string, date time.Time, pv, uv int64) {
	if page != "" {
		page = h.opt.Naming.Page(h.opt.Site, page)
	}
	k := dayKey{page, date}
	if h.sums[k] == nil {
		h.sums[k] = &DayCount{Page: page, Date: date}
	}
	h.sums[k].PV += pv
	h.sums[k].UV += uv
}

// view adds one view of a visit, to its page and to the site.
func (h *historyReader) view(page string, date time.Time, visit string) {
	for _, p := range []string{h.opt.Naming.Page(h.opt.Site, page), ""} {
		k := dayKey{p, date}
		if h.sums[k] == nil {
			h.sums[k] = &DayCount{Page: p, Date: date}
		}
		h.sums[k].PV++
		if v := (visitKey{k, visit}); visit != "" && !h.seen[v] {
			h.seen[v] = true
			h.sums[k].UV++
		}
	}
}

// sites makes days of the site of those of its pages, for days that files tell by page
// alone. Visitors cannot be told from them.
func (h *historyReader) sites() {
	made := map[time.Time]int64{}
	for k, d := range h.sums {
		if k.page != "" {
			made[k.date] += d.PV
		}
	}
	for date, pv := range made {
		if k := (dayKey{"", date}); h.sums[k] == nil && !(date.IsZero() && h.dated()) {
			h.sums[k] = &DayCount{Date: date, PV: pv}
		}
	}
}

// dated tells whether there are days of the whole site: then pages without a day are in them.
func (h *historyReader) dated() bool {
	for k := range h.sums {
		if k.page == "" && !k.date.IsZero() {
			return true
		}
	}
	return false
}

// ours tells whether a row's host is the site's; without one it is.
func (h *historyReader) ours(host string) bool {
	if host == "" {
		return true
	}
	site, ok := h.opt.Naming.Site(host)
	if ok && site == h.opt.Site {
		return true
	}
	h.skipped["rows of other sites"]++
	return false
}

// day is the day of a moment in the zone of days.
func (h *historyReader) day(at time.Time) time.Time {
	y, m, d := at.In(h.opt.Zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Cut is what was left out of a history.
type Cut struct {
	Until time.Time
	Days  int   // of the site
	PV    int64 // of the site
}

// Until leaves out what is after a day.
func (h *History) Until(last time.Time) Cut {
	cut := Cut{Until: last}
	h.Days = slices.DeleteFunc(h.Days, func(d DayCount) bool {
		if !d.Date.After(last) {
			return false
		}
		if d.Page == "" {
			cut.Days, cut.PV = cut.Days+1, cut.PV+d.PV
		}
		return true
	})
	return cut
}
