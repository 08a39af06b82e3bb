package importer

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
)

func historyNaming() Naming {
	return Naming{
		Site: func(raw string) (string, bool) { return strings.TrimPrefix(raw, "www."), true },
		Page: func(_, raw string) string { page, _, _ := strings.Cut(raw, "?"); return page },
	}
}

func readHistory(t *testing.T, format, zone string, paths ...string) (string, *History) {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	h, err := ReadHistory(paths, HistoryOptions{Format: format, Site: "ddkk.com", Naming: historyNaming(), Zone: loc})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range h.Days {
		date := "-"
		if !d.Date.IsZero() {
			date = d.Date.Format("01-02")
		}
		fmt.Fprintf(&b, "%s %s %d %d\n", d.Page, date, d.PV, d.UV)
	}
	return b.String(), h
}

// TestReadHistory: the same two days as each counter exports them come to the same.
func TestReadHistory(t *testing.T) {
	at := func(name string) string { return filepath.Join("testdata", "history", name) }
	const all = " 10-01 3 1\n 10-02 1 1\n/ 10-01 2 1\n/ 10-02 1 1\n/a 10-01 1 1\n"
	f := func(format, want string, files ...string) *History {
		t.Helper()
		got, h := readHistory(t, format, "UTC", files...)
		if got != want {
			t.Errorf("%s %s:\n%s\nwant\n%s", format, files, got, want)
		}
		return h
	}
	if h := f("goatcounter", all, at("goatcounter.csv")); h.Skipped["views of bots"] != 1 || h.Skipped["events"] != 1 {
		t.Errorf("skipped %v", h.Skipped)
	}
	if h := f("umami", all, at("website_event.csv")); h.Skipped["rows of other sites"] != 1 || h.Skipped["events"] != 1 {
		t.Errorf("skipped %v", h.Skipped)
	}
	f("plausible", all, at("imported_visitors_20261001_20261002.csv"), at("imported_pages_20261001_20261002.csv"), at("imported_browsers_20261001_20261002.csv"))
	f("matomo", " 10-01 3 1\n 10-02 1 1\n/ 10-01 2 0\n/ 10-02 1 0\n/a 10-01 1 0\n", at("matomo-days.csv"), at("matomo-pages.csv"))
	f("ga", " 10-01 3 1\n 10-02 1 1\n/ - 3 2\n/a - 1 1\n", at("ga4.csv"))
	f("ga", " 10-01 3 0\n 10-02 1 0\n/ - 3 2\n/a - 1 1\n", at("ua.csv"))

	// Of pages alone the site's days are their sum, whose visitors nobody knows.
	f("plausible", " 10-01 3 0\n 10-02 1 0\n/ 10-01 2 1\n/ 10-02 1 1\n/a 10-01 1 1\n", at("imported_pages_20261001_20261002.csv"))

	// The same in a zip, gzipped, and as Matomo writes for Excel.
	dir := t.TempDir()
	packed := filepath.Join(dir, "export.zip")
	packZip(t, packed, at("imported_visitors_20261001_20261002.csv"), at("imported_pages_20261001_20261002.csv"), at("imported_browsers_20261001_20261002.csv"))
	f("plausible", all, packed)
	packed = filepath.Join(dir, "umami.zip")
	packZip(t, packed, at("website_event.csv"), at("ua.csv"))
	f("umami", all, packed)
	zipped := filepath.Join(dir, "goatcounter.csv.gz")
	out, err := os.Create(zipped)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(out)
	if _, err := z.Write(readAll(t, at("goatcounter.csv"))); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	f("goatcounter", all, zipped)
	wide := filepath.Join(dir, "matomo.csv")
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(string(readAll(t, at("matomo-days.csv"))))) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	if err := os.WriteFile(wide, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f("matomo", " 10-01 3 1\n 10-02 1 1\n", wide)

	// Days are those of TIMEZONE.
	if got, _ := readHistory(t, "goatcounter", "Asia/Shanghai", at("goatcounter.csv")); got != " 10-01 2 1\n 10-02 2 2\n/ 10-01 1 1\n/ 10-02 2 2\n/a 10-01 1 1\n" {
		t.Errorf("in Shanghai:\n%s", got)
	}
}

func readAll(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func packZip(t *testing.T, to string, files ...string) {
	t.Helper()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(out)
	for _, f := range files {
		w, err := z.Create("export/" + filepath.Base(f))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(readAll(t, f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestReadHistoryRefuses: what is no such export is told, by line, and nothing is taken.
func TestReadHistoryRefuses(t *testing.T) {
	f := func(format, content, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "imported_pages.csv")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadHistory([]string{path}, HistoryOptions{Format: format, Site: "ddkk.com", Naming: historyNaming(), Zone: time.UTC})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %q: %v, want %q", format, content, err, want)
		}
	}
	f("x", "", `"x" is none of`)
	f("goatcounter", "", "read the header")
	f("goatcounter", "site,page\n", `no column "path"`)
	f("goatcounter", "2Path,Event,Session,Bot,Date\n/,false,s,0,yesterday\n", "line 2: \"yesterday\" is no date")
	f("umami", "session_id,created_at,url_path\ns,1.1.2026,/\n", "line 2")
	f("plausible", "date,page,visitors,pageviews\n2026-10-01,/,1,-4\n", "line 2: pageviews")
	f("plausible", "date,page,visitors,pageviews\n", "no counts of ddkk.com")
	f("matomo", "Datum,Besuche\n2026-10-01,4\n", "named in English")
	f("ga", "Date,Views\n2026-13-01,4\n", "line 2: \"2026-13-01\" is no day")
	f("ga", "Nth day,Views\n0001,4\n", "line 2") // from when on?
}

func TestHistoryUntil(t *testing.T) {
	_, h := readHistory(t, "goatcounter", "UTC", filepath.Join("testdata", "history", "goatcounter.csv"))
	cut := h.Until(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC))
	if cut.Days != 1 || cut.PV != 1 || len(h.Days) != 3 {
		t.Errorf("%+v, %+v", cut, h.Days)
	}
}
