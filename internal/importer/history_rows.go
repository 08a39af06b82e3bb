package importer

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// columns are a table's, by their names in lower case.
type columns map[string]int

func columnsOf(header []string) columns {
	c := columns{}
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := c[name]; !twice {
			c[name] = i
		}
	}
	return c
}

// of is the value of the first of some columns that there is.
func (c columns) of(record []string, names ...string) string {
	for _, n := range names {
		if i, ok := c[n]; ok && i < len(record) {
			return strings.TrimSpace(record[i])
		}
	}
	return ""
}

func (c columns) has(names ...string) bool {
	for _, n := range names {
		if _, ok := c[n]; ok {
			return true
		}
	}
	return false
}

// rows calls row for each row of a CSV with a header. What is wrong is told by line, all of
// it at once up to maxProblems.
func rows(r io.Reader, need []string, row func(c columns, record []string) error) error {
	in := csv.NewReader(r)
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("read the header: %w", err)
	}
	if len(header) > 0 { // GoatCounter writes the version of its format before the first name
		header[0] = strings.TrimLeft(header[0], "0123456789")
	}
	c := columnsOf(header)
	for _, n := range need {
		if !c.has(n) {
			return fmt.Errorf("it has no column %q; its header is %q", n, header)
		}
	}
	var problems []error
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return errors.Join(problems...)
		}
		if err != nil {
			return errors.Join(append(problems, fmt.Errorf("read CSV: %w", err))...)
		}
		line, _ := in.FieldPos(0)
		if err := row(c, record); err != nil {
			if problems = append(problems, fmt.Errorf("line %d: %w", line, err)); len(problems) >= maxProblems {
				return errors.Join(append(problems, errors.New("and perhaps more"))...)
			}
		}
	}
}

// goatCounter reads its CSV export: a row a view.
func (h *historyReader) goatCounter(_ string, r io.Reader) error {
	return rows(r, []string{"path", "date", "bot", "event", "session"}, func(c columns, record []string) error {
		switch bot := c.of(record, "bot"); {
		case c.of(record, "event") == "true":
			h.skipped["events"]++
			return nil
		case bot != "" && bot != "0":
			h.skipped["views of bots"]++
			return nil
		}
		at, err := time.Parse(time.RFC3339, c.of(record, "date"))
		if err != nil {
			return fmt.Errorf("%q is no date as 2026-11-30T08:00:00Z", c.of(record, "date"))
		}
		page := c.of(record, "path")
		if page == "" {
			return errors.New("it has no path")
		}
		h.view(page, h.day(at), c.of(record, "session"))
		return nil
	})
}

// umamiTimes are how its databases write moments; without a zone they are UTC.
var umamiTimes = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05-07", "2006-01-02 15:04:05"}

// umami reads website_event.csv: a row a view, or an event.
func (h *historyReader) umami(_ string, r io.Reader) error {
	return rows(r, []string{"session_id", "created_at", "url_path"}, func(c columns, record []string) error {
		if kind := c.of(record, "event_type"); kind != "" && kind != "1" || c.of(record, "event_name") != "" {
			h.skipped["events"]++
			return nil
		}
		if !h.ours(c.of(record, "hostname")) {
			return nil
		}
		text := c.of(record, "created_at")
		for _, layout := range umamiTimes {
			if at, err := time.Parse(layout, text); err == nil {
				h.view(c.of(record, "url_path"), h.day(at), c.of(record, "session_id"))
				return nil
			}
		}
		return fmt.Errorf("%q is no moment", text)
	})
}

// plausible reads imported_visitors and imported_pages: a row a day, or a day and a page.
func (h *historyReader) plausible(name string, r io.Reader) error {
	need := []string{"date", "visitors", "pageviews"}
	pages := strings.HasPrefix(name, "imported_pages")
	if pages {
		need = append(need, "page")
	} else if !strings.HasPrefix(name, "imported_visitors") {
		h.skipped["other files"]++
		return nil
	}
	return rows(r, need, func(c columns, record []string) error {
		date, err := time.Parse(time.DateOnly, c.of(record, "date"))
		if err != nil {
			return fmt.Errorf("%q is no date as 2026-11-30", c.of(record, "date"))
		}
		pv, err := countOf(c.of(record, "pageviews"))
		if err != nil {
			return fmt.Errorf("pageviews: %w", err)
		}
		uv, err := countOf(c.of(record, "visitors"))
		if err != nil {
			return fmt.Errorf("visitors: %w", err)
		}
		page := ""
		if pages {
			if page = c.of(record, "page"); page == "" || !h.ours(c.of(record, "hostname")) {
				return nil
			}
		}
		h.add(page, date, pv, uv)
		return nil
	})
}
