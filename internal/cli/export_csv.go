package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// csvTables turn the lines of an export into CSV files. The first line of a file names its
// columns; days come first where there are any.
type csvTables struct {
	folder string
	date   string
	of     map[string]*csvTable
}

type csvTable struct {
	f       *os.File
	w       *csv.Writer
	columns []string
}

// csvColumns are the columns of tables, in their order.
var csvColumns = map[string][]string{
	"daily_stats": {"date", "pv", "uv", "pv_pc", "pv_mobile", "pv_bot", "events", "events_bot"},
	"page_stats":  {"date", "page", "pv", "uv", "pv_bot"},
	"facet_stats": {"date", "facet", "name", "pv", "pv_bot", "uv"},
	"event_stats": {"date", "event_key", "pv", "uv"},
	"baselines":   {"source", "page", "pv", "uv"},
	"uniques":     {"period", "page", "uv"},
	"api_daily":   {"date", "dimension", "name", "calls", "failed", "milliseconds"},
	"api_periods": {"period", "dimension", "name", "calls", "failed", "milliseconds"},
	"access_logs": {"date", "created_at", "page", "event_key", "referrer", "country", "browser", "os", "device_type", "language", "screen", "channel", "campaign", "potential_bot", "user_hash", "ip", "user_agent", "referer", "uid"},
}

func (t *csvTables) read(in *bufio.Reader) error {
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := t.line(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *csvTables) line(line []byte) error {
	var row map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&row); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	name, _ := row["table"].(string)
	if name == "day" {
		t.date, _ = row["date"].(string)
	}
	columns := csvColumns[name]
	if columns == nil {
		return nil
	}
	x := t.of[name]
	if x == nil {
		f, err := os.Create(filepath.Join(t.folder, name+".csv"))
		if err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
		x = &csvTable{f: f, w: csv.NewWriter(f), columns: columns}
		t.of[name] = x
		if err := x.w.Write(columns); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	record := make([]string, len(columns))
	for i, c := range columns {
		switch v := row[c].(type) {
		case nil:
			if c == "date" {
				record[i] = t.date
			}
		case map[string]any:
			record[i] = fmt.Sprint("hex:", v["hex"])
		default:
			record[i] = fmt.Sprint(v)
		}
	}
	return x.w.Write(record)
}

func (t *csvTables) close() error {
	var errs []error
	for _, x := range t.of {
		x.w.Flush()
		errs = append(errs, x.w.Error(), x.f.Close())
	}
	return errors.Join(errs...)
}
