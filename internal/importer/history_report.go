package importer

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Reports of Matomo and Google Analytics are tables of whatever was chosen, with names of
// columns as the API or a person has them. These are read; the first that there is counts.
var (
	reportDate  = []string{"date", "day index", "day", "nth day"}
	reportPage  = []string{"metadata_url", "url", "page url", "page path and screen class", "page path + query string", "page path", "page path and screen name", "page", "label"}
	reportViews = []string{"nb_pageviews", "pageviews", "views", "screenpageviews", "nb_hits", "screen page views", "nb_actions", "actions"}
	reportUsers = []string{"sum_daily_nb_uniq_visitors", "nb_uniq_visitors", "unique visitors", "daily unique visitors", "active users", "activeusers", "total users", "users", "visitors"}
)

// maxReport bounds a report, which is read as a whole.
const maxReport = 256 << 20

// report reads tables one after the other, with blank lines or comments between them.
func (h *historyReader) report(_ string, r io.Reader) error {
	all, err := io.ReadAll(io.LimitReader(r, maxReport+1))
	if err != nil {
		return err
	}
	if len(all) > maxReport {
		return errors.New("it is larger than 256 MiB; export fewer days at once")
	}
	var start time.Time // of GA4: "# Start date: 20261101"
	var block bytes.Buffer
	found, line, first := false, 0, 0
	end := func() error {
		defer block.Reset()
		if block.Len() == 0 {
			return nil
		}
		ok, err := h.block(block.Bytes(), first, start)
		found = found || ok
		return err
	}
	for text := range bytes.Lines(all) {
		line++
		bare := strings.TrimSpace(strings.Trim(string(text), ",;\r\n"))
		if bare == "" || bare[0] == '#' {
			if err := end(); err != nil {
				return err
			}
			if date, ok := strings.CutPrefix(bare, "# Start date:"); ok {
				if start, err = reportDay(strings.TrimSpace(date), start); err != nil {
					return fmt.Errorf("line %d: %w", line, err)
				}
			}
			continue
		}
		if block.Len() == 0 {
			first = line
		}
		block.Write(text)
	}
	if err := end(); err != nil {
		return err
	}
	if !found {
		return errors.New("it has no table with views by day or by page; its columns must be named in English, as the API or the report has them")
	}
	return nil
}

// block reads one table, which begins at a line; false: it tells nothing that is read.
func (h *historyReader) block(data []byte, line int, start time.Time) (bool, error) {
	in := csv.NewReader(bytes.NewReader(data))
	in.FieldsPerRecord = -1
	header, _, _ := bytes.Cut(data, []byte("\n"))
	for _, comma := range "\t;" {
		if bytes.ContainsRune(header, comma) && !bytes.ContainsRune(header, ',') {
			in.Comma = comma
		}
	}
	records, err := in.ReadAll()
	if err != nil {
		return false, fmt.Errorf("behind line %d: %w", line, err)
	}
	c := columnsOf(records[0])
	if !c.has(reportViews...) || !c.has(reportDate...) && !c.has(reportPage...) {
		h.skipped["other tables"]++
		return false, nil
	}
	var problems []error
	for i, record := range records[1:] {
		if err := h.reportRow(c, record, start); err != nil {
			if problems = append(problems, fmt.Errorf("line %d: %w", line+1+i, err)); len(problems) >= maxProblems {
				break
			}
		}
	}
	return true, errors.Join(problems...)
}

func (h *historyReader) reportRow(c columns, record []string, start time.Time) error {
	var date time.Time
	if c.has(reportDate...) {
		text := c.of(record, reportDate...)
		if text == "" || strings.EqualFold(text, "Grand total") || strings.EqualFold(text, "Total") {
			return nil // a sum
		}
		var err error
		if date, err = reportDay(text, start); err != nil {
			return err
		}
	}
	pv, err := reportCount(c.of(record, reportViews...))
	if err != nil {
		return fmt.Errorf("views: %w", err)
	}
	uv, err := reportCount(c.of(record, reportUsers...))
	if err != nil {
		return fmt.Errorf("users: %w", err)
	}
	page := ""
	if c.has(reportPage...) {
		page = c.of(record, reportPage...)
		if page == "" || page == "Others" || page == "(other)" || page == "-" || page == "(not set)" || strings.EqualFold(page, "Grand total") {
			h.skipped["rows without a page"]++
			return nil
		}
		if u, err := url.Parse(page); err == nil && u.Host != "" {
			if !h.ours(u.Host) {
				return nil
			}
			page = u.RequestURI()
		}
		if !strings.HasPrefix(page, "/") {
			page = "/" + page
		}
	}
	h.add(page, date, pv, uv)
	return nil
}

// reportDay reads a day; a small number is so many days after start.
func reportDay(text string, start time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "20060102", "1/2/06", "1/2/2006", "Jan 2, 2006", "Monday, January 2, 2006"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < 10000 && !start.IsZero() {
		return start.AddDate(0, 0, n), nil
	}
	return time.Time{}, fmt.Errorf("%q is no day such as 2026-11-30 or 20261130", text)
}

// reportCount reads a number as people read it: "1,234".
func reportCount(text string) (int64, error) { return countOf(strings.ReplaceAll(text, ",", "")) }
