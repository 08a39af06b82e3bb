package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Defaults of the traffic: a busy site's day.
const (
	distinctPages    = 20_000
	distinctVisitors = 147_000
	distinctAgents   = 500
)

// traffic describes generated hits. The same description gives the same hits,
// so that everybody counts the same work.
type traffic struct {
	lines, pages, visitors, sites int  // pages and visitors of all sites together
	even                          bool // every page and visitor equally often, none left out; else by Zipf's law
	pixel                         bool // a bare pixel: no view id, as the widget sends one
}

// hitLog are the same hits as a v1 log and as a combined one.
type hitLog struct {
	traffic
	v1, combined string
	size         int64 // of v1
	removed      bool
}

// hit is one generated hit.
type hit struct {
	ms            int64
	id            [2]uint64
	page, visitor int
	site          int
}

// day is the one that hits are of: yesterday, so that all of it is past.
func day() time.Time { return time.Now().UTC().Add(-24 * time.Hour).Truncate(24 * time.Hour) }

// hits calls f for every hit, in the order of time.
func (t traffic) hits(f func(*hit)) {
	rng := rand.New(rand.NewPCG(1, uint64(t.lines)))
	zipf := rand.NewZipf(rng, 1.1, 8, uint64(t.pages-1))
	start := day().UnixMilli()
	step := float64(24*time.Hour/time.Millisecond) / float64(t.lines)
	for i := range t.lines {
		h := hit{ms: start + int64(float64(i)*step), id: [2]uint64{rng.Uint64(), rng.Uint64()}}
		if t.even {
			h.page, h.visitor = i%t.pages, i*7919%t.visitors
		} else {
			h.page, h.visitor = int(zipf.Uint64()), rng.IntN(t.visitors)
		}
		h.site = h.page % t.sites
		f(&h)
	}
}

// log writes the hits to files, once per run.
func (b *bench) log(t traffic) (*hitLog, error) {
	t.sites = max(t.sites, 1)
	key := fmt.Sprintf("%+v", t)
	if l := b.logs[key]; l != nil && !l.removed {
		return l, nil
	}
	b.say("writing %d hits", t.lines)
	dir, err := b.folder("log")
	if err != nil {
		return nil, err
	}
	l := &hitLog{traffic: t, v1: filepath.Join(dir, "event.log"), combined: filepath.Join(dir, "combined.txt")}
	if err := l.write(); err != nil {
		return nil, fmt.Errorf("write hits: %w", err)
	}
	b.logs[key] = l
	return l, nil
}

func (l *hitLog) write() error {
	v1, err := os.Create(l.v1)
	if err != nil {
		return err
	}
	combined, err := os.Create(l.combined)
	if err != nil {
		return errors.Join(err, v1.Close())
	}
	a, c := bufio.NewWriterSize(v1, 1<<20), bufio.NewWriterSize(combined, 1<<20)
	agents := userAgents()
	var line []byte
	var failed error
	l.hits(func(h *hit) {
		line = appendV1(line[:0], h, agents, l.pixel)
		l.size += int64(len(line))
		_, err1 := a.Write(line)
		line = appendCombined(line[:0], h, agents)
		_, err2 := c.Write(line)
		failed = errors.Join(failed, err1, err2)
	})
	return errors.Join(failed, a.Flush(), c.Flush(), v1.Close(), combined.Close())
}

// remove gives the disk space back.
func (l *hitLog) remove() error {
	l.removed = true // the next who wants the same hits gets new files
	return errors.Join(os.Remove(l.v1), os.Remove(l.combined))
}

// head reads the first n bytes of the v1 log, cut after a line.
func (l *hitLog) head(n int64) ([]byte, error) {
	f, err := os.Open(l.v1)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, n))
	for len(data) > 0 && data[len(data)-1] != '\n' {
		data = data[:len(data)-1]
	}
	return data, errors.Join(err, f.Close())
}

// appendV1 writes a hit as nginx does in our format: a beacon of the widget, or
// a bare pixel.
func appendV1(b []byte, h *hit, agents []string, pixel bool) []byte {
	b = append(b, "v1\t"...)
	b = strconv.AppendInt(b, h.ms/1000, 10)
	b = append(b, '.', byte('0'+h.ms/100%10), byte('0'+h.ms/10%10), byte('0'+h.ms%10), '\t')
	b = appendHex(appendHex(b, h.id[0]), h.id[1])
	b = append(b, '\t')
	b = appendAddr(b, h.visitor)
	b = append(b, "\tcount.example.net\tGET\t200\t/event.png?site="...)
	b = appendSite(b, h.site)
	b = append(b, "&page=%2Fposts%2F"...)
	b = strconv.AppendInt(b, int64(h.page), 10)
	b = append(b, "%2Fan-article-about-it%2F"...)
	if !pixel {
		b = append(b, "&id="...)
		b = appendHex(b, h.id[0])
		b = append(b, "&_="...)
		b = strconv.AppendInt(b, h.ms, 36)
	}
	b = append(b, "\thttps://"...)
	b = appendSite(b, h.site)
	b = appendPage(b, h.page)
	b = append(b, '\t')
	b = append(b, agents[h.visitor%len(agents)]...)
	return append(b, "\t-\t-\t-\t0.000\t43\tend\n"...)
}

// appendCombined writes the same hit as a line of the site's own access log in
// the format that other counters read: the request is the page itself.
func appendCombined(b []byte, h *hit, agents []string) []byte {
	b = appendAddr(b, h.visitor)
	b = append(b, " - - ["...)
	b = time.UnixMilli(h.ms).UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, "] \"GET "...)
	b = appendPage(b, h.page)
	b = append(b, " HTTP/1.1\" 200 43 \"https://"...)
	b = appendSite(b, h.site)
	b = append(b, "/\" \""...)
	b = append(b, agents[h.visitor%len(agents)]...)
	return append(b, "\"\n"...)
}

func appendPage(b []byte, page int) []byte {
	b = append(b, "/posts/"...)
	b = strconv.AppendInt(b, int64(page), 10)
	return append(b, "/an-article-about-it/"...)
}

// pagePath is the page's name in the API.
func pagePath(page int) string { return string(appendPage(nil, page)) }

// appendSite writes the name of the n-th site; the first is siteName.
func appendSite(b []byte, n int) []byte {
	if n > 0 {
		b = append(b, 's')
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, '.')
	}
	return append(b, siteName...)
}

const siteName = "ddkk.com"

func appendAddr(b []byte, visitor int) []byte {
	for shift := 24; shift > 0; shift -= 8 {
		b = strconv.AppendInt(b, int64((visitor+0x0b000000)>>shift&255), 10)
		b = append(b, '.')
	}
	return strconv.AppendInt(b, int64(visitor&255), 10)
}

func appendHex(b []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

// userAgents are browsers of all kinds.
func userAgents() []string {
	systems := []string{"Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
		"Linux; Android 14; Pixel 8", "Linux; Android 13; SM-S911B"}
	all := make([]string, distinctAgents)
	for i := range all {
		system, v := systems[i%len(systems)], 90+i/len(systems)
		mobile := ""
		if i%len(systems) > 2 {
			mobile = " Mobile"
		}
		all[i] = fmt.Sprintf("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0%s Safari/537.36", system, v, mobile)
	}
	return all
}
