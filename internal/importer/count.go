package importer

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Count is what an earlier counter had: of a page, or of a whole site where
// Page is "".
type Count struct {
	Site, Page string
	PV, UV     int64
}

// Naming turns names as they were written into ours. Page is not called for "".
type Naming struct {
	Site func(string) (string, bool)
	Page func(site, page string) string
}

// maxProblems bounds how much is said about one file.
const maxProblems = 20

// columns of a CSV file, in their order without a header.
var csvColumns = []string{"site", "page", "pv", "uv"}

// ReadCSV reads counts from CSV: site, page, pv, uv. A first line with these
// words may put them into another order and leave uv out, and page where only
// totals are given. An empty page is the whole site. Everything that is wrong
// is told at once, by line.
func ReadCSV(r io.Reader, n Naming) ([]Count, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.TrimLeadingSpace, in.ReuseRecord = -1, true, true
	c := &csvReader{naming: n, at: map[string]int{}, sums: sums{}, lines: map[[2]string]int{}}
	for first := true; ; first = false {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read CSV: %w", err)
		}
		line, _ := in.FieldPos(0)
		if first {
			record[0] = strings.TrimPrefix(record[0], "\uFEFF")
			if c.header(record) {
				continue
			}
		}
		c.record(record, line)
		if len(c.problems) >= maxProblems {
			c.problems = append(c.problems, errors.New("and perhaps more"))
			break
		}
	}
	if len(c.problems) == 0 && len(c.sums) == 0 {
		return nil, errors.New("read CSV: it has no counts; its columns are site,page,pv,uv")
	}
	return c.sums.list(), errors.Join(c.problems...)
}

type csvReader struct {
	naming   Naming
	at       map[string]int // column -> place
	lines    map[[2]string]int
	sums     sums
	problems []error
}

func (c *csvReader) header(record []string) bool {
	at := map[string]int{}
	for i, name := range record {
		if name = strings.ToLower(strings.TrimSpace(name)); slices.Contains(csvColumns, name) {
			at[name] = i
		}
	}
	_, site := at["site"]
	_, pv := at["pv"]
	if site && pv {
		c.at = at
		return true
	}
	for i, name := range csvColumns {
		c.at[name] = i
	}
	return false
}

func (c *csvReader) record(record []string, line int) {
	field := func(name string) string {
		if i, ok := c.at[name]; ok && i < len(record) {
			return strings.TrimSpace(record[i])
		}
		return ""
	}
	bad := func(format string, args ...any) {
		c.problems = append(c.problems, fmt.Errorf("line %d: %w", line, fmt.Errorf(format, args...)))
	}
	site, ok := c.naming.Site(field("site"))
	if !ok {
		bad("%q is no site, or not one of SITES", field("site"))
		return
	}
	pv, err := countOf(field("pv"))
	if err != nil {
		bad("pv: %w", err)
		return
	}
	uv, err := countOf(field("uv"))
	if err != nil {
		bad("uv: %w", err)
		return
	}
	raw := [2]string{field("site"), field("page")}
	if before, twice := c.lines[raw]; twice {
		bad("%s %s stands in line %d already", raw[0], raw[1], before)
		return
	}
	c.lines[raw] = line
	c.sums.add(c.naming, site, raw[1], pv, uv)
}

// countOf reads a number that is not negative; "" is none.
func countOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > 1<<52 {
		return 0, fmt.Errorf("%q is no count", text)
	}
	return n, nil
}

// sums add up what becomes one page, such as /a and /%61.
type sums map[[2]string]*Count

func (s sums) add(n Naming, site, page string, pv, uv int64) {
	if page != "" {
		page = n.Page(site, page)
	}
	k := [2]string{site, page}
	if s[k] == nil {
		s[k] = &Count{Site: site, Page: page}
	}
	s[k].PV += pv
	s[k].UV += uv
}

func (s sums) list() []Count {
	var all []Count
	for _, c := range s {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Page, b.Page)) })
	return all
}
