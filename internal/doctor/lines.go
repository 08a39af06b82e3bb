package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
	"time"

	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
)

// How much of a log's end is looked at.
const (
	tailBytes = 256 << 10
	tailLines = 1000
)

// logLines asks the parser what the last lines would become.
func (c *Checkup) logLines(context.Context) []Finding {
	var all []Finding
	for _, l := range c.logs() {
		lines, err := lastLines(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // told by logFiles
		}
		if err != nil {
			all = append(all, Bad(l.name, "read its last lines: %v", err))
			continue
		}
		if len(lines) == 0 {
			all = append(all, Poor(l.name, "holds no complete line yet; open a page that has the widget, and run check again"))
			continue
		}
		s, err := c.sample(l, lines)
		if err != nil {
			all = append(all, Bad(l.name, "%v", err))
			continue
		}
		all = append(all, c.judge(l, s), c.clock(l, s))
		all = append(all, c.odd(l, s)...)
	}
	return all
}

// lastLines returns the last complete lines of a file, without newlines.
func lastLines(path string) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		return nil, fs.ErrNotExist
	}
	from := max(0, fi.Size()-tailBytes)
	b, err := io.ReadAll(io.NewSectionReader(f, from, fi.Size()-from))
	if err != nil {
		return nil, err
	}
	if from > 0 {
		_, b, _ = bytes.Cut(b, []byte("\n")) // begins within a line
	}
	lines := bytes.Split(b, []byte("\n"))
	lines = lines[:len(lines)-1] // after the last newline: nothing, or a line that is being written
	return lines[max(0, len(lines)-tailLines):], nil
}

// sample is what a log's last lines become.
type sample struct {
	lines   int
	counted int // of people
	bots    int
	skipped [parser.NumReasons]int
	broken  [parser.NumReasons]int
	looks   parser.Format // what reads most of them, where the log's format reads none
	known   bool          // there is one
	example [parser.NumReasons]string
	newest  int64 // Unix milliseconds, 0: none

	nameless int // lines that tell no client's address
	zoneless int // lines whose time tells no zone
}

func (c *Checkup) sample(l checkedLog, lines [][]byte) (*sample, error) {
	p, err := parser.New(logs.ParserOf(c.Cfg, logs.Input{Format: l.format, Calls: l.calls}, nil))
	if err != nil {
		return nil, fmt.Errorf("make parser: %w", err)
	}
	s := &sample{lines: len(lines)}
	var h parser.Hit
	for _, line := range lines {
		p.Parse(line, &h)
		s.newest = max(s.newest, h.Time)
		if h.Kind != parser.Malformed && h.Reason != parser.SkipComment && !h.Addr.IsValid() {
			s.nameless++
		}
		if p.Zoneless() {
			s.zoneless++
		}
		switch {
		case h.Kind == parser.Malformed:
			s.broken[h.Reason]++
			s.example[h.Reason] = string(line[:min(len(line), 120)])
		case h.Kind == parser.Skipped:
			s.skipped[h.Reason]++
			s.example[h.Reason] = fmt.Sprintf("%s with Referer %s", h.URI[:min(len(h.URI), 120)], h.Referer[:min(len(h.Referer), 120)])
		case h.Bot:
			s.bots++
		default:
			s.counted++
		}
	}
	if sum(s.broken[:]) == s.lines {
		if s.looks, s.known, err = c.looks(lines); !s.known {
			s.looks = parser.Detect(lines[len(lines)-1]) // by how it begins, though it lacks something
			s.known = s.looks != parser.FormatV1 && s.looks != l.format
		}
	}
	return s, err
}

// looks is the format that has a name in which most of the lines can be read.
func (c *Checkup) looks(lines [][]byte) (best parser.Format, known bool, _ error) {
	most := 0
	for _, format := range parser.Formats(lines[0]) {
		p, err := parser.New(c.Cfg.Parser(format, nil))
		if err != nil {
			return "", false, fmt.Errorf("make parser: %w", err)
		}
		n := 0
		var h parser.Hit
		for _, line := range lines {
			if p.Parse(line, &h); h.Kind != parser.Malformed {
				n++
			}
		}
		if n > most {
			best, known, most = format, true, n
		}
	}
	return best, known, nil
}

// judge says whether the log is one that can be counted.
func (c *Checkup) judge(l checkedLog, s *sample) Finding {
	broken := sum(s.broken[:]) - s.broken[parser.BadRequest] // what a scanner sent says nothing about the format
	switch {
	case broken == s.lines && s.known:
		return Bad(l.name, "not one of the last %d lines is of format %s; they look like %s: set %s=%s, or write the log with the format that `ddkk-stats nginx-conf` prints", s.lines, l.format, s.looks, l.formatSetting(), s.looks)
	case broken == s.lines:
		return Bad(l.name, "not one of the last %d lines can be read (%s), such as %q; write the log with the format that `ddkk-stats nginx-conf` prints", s.lines, s.outcomes(), s.worst(s.broken[:]))
	case s.counted+s.bots > 0 && broken*20 > s.lines:
		return Poor(l.name, "of the last %d lines: %s; such as %q", s.lines, s.outcomes(), s.worst(s.broken[:]))
	case s.counted+s.bots > 0 && s.skipped[parser.SkipReferer]*20 > s.lines:
		return Poor(l.name, "of the last %d lines: %s; such as %q, whose Referer is of another host than the site: name it in SITE_ALIASES if it is yours (a page with data-site)", s.lines, s.outcomes(), s.example[parser.SkipReferer])
	case s.counted+s.bots > 0:
		return Fine(l.name, "of the last %d lines: %s", s.lines, s.outcomes())
	}
	if s.broken[parser.BadRequest] == s.lines {
		return Poor(l.name, "not one of the last %d lines is a request, such as %q: scanners send these; open a page, and run check again", s.lines, s.example[parser.BadRequest])
	}
	why, hint := mostly(s.skipped[:])
	if l.calls && why == parser.SkipPath {
		hint = "these are beacons; name the site's own access log (`ddkk-stats nginx-conf --site-log`)"
	}
	return Bad(l.name, "none of the last %d lines counts (%s), mostly by %s, such as %q: %s", s.lines, s.outcomes(), why, s.example[why], hint)
}

// odd tells what lines lack that they count without.
func (c *Checkup) odd(l checkedLog, s *sample) (all []Finding) {
	if s.nameless > 0 {
		all = append(all, Poor(l.name, "%d of the last %d lines tell no client's address (a socket, a host name, a masked address, or nothing): their views count, but have no visitor; have $remote_addr logged, behind a proxy by set_real_ip_from", s.nameless, s.lines))
	}
	if s.zoneless > 0 {
		all = append(all, Fine(l.name, "the times of %d lines tell no zone and are taken to be of %s (LOG_TIMEZONE)", s.zoneless, c.Cfg.LogZone()))
	}
	return all
}

// mostly is the reason for which most lines were skipped, and what mends it.
func mostly(n []int) (parser.Reason, string) {
	var most parser.Reason
	for r := range n {
		if n[r] > n[most] {
			most = parser.Reason(r)
		}
	}
	switch most {
	case parser.SkipSite:
		return most, "their site is not in SITES; add it, or an alias to SITE_ALIASES"
	case parser.SkipReferer:
		return most, "the Referer is of another host than the site; name it in SITE_ALIASES, or set REFERER_CHECK=off"
	case parser.SkipPath:
		return most, "this is not the log of /event.png; write that location to a log of its own (`ddkk-stats nginx-conf`)"
	case parser.SkipUnsigned:
		return most, "BEACON_KEY is set and they are not signed with it: sign them where pages are rendered (docs/API.md), or leave it empty"
	case parser.SkipStatus:
		return most, "nginx did not answer 200; look into its error log"
	case parser.SkipComment:
		return most, "there is no request yet; open a page, and run check again"
	case parser.SkipBlocked, parser.SkipSelf:
		return most, "look at BLOCK_IPS, BLOCK_PATHS, SELF_IPS and PRIVACY_GPC"
	}
	return most, "open a page that has the widget in a browser"
}

// outcomes lists what the lines became, the most frequent first.
func (s *sample) outcomes() string {
	type part struct {
		name string
		n    int
	}
	parts := []part{{"counted", s.counted}, {"of bots", s.bots}}
	for r := range s.skipped {
		parts = append(parts, part{"skipped by " + parser.Reason(r).String(), s.skipped[r]},
			part{"malformed by " + parser.Reason(r).String(), s.broken[r]})
	}
	sort.SliceStable(parts, func(i, j int) bool { return parts[i].n > parts[j].n })
	var texts []string
	for _, p := range parts {
		if p.n > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", p.n, p.name))
		}
	}
	return strings.Join(texts, ", ")
}

// worst is an example of the most frequent reason.
func (s *sample) worst(n []int) string {
	most, _ := mostly(n)
	return s.example[most]
}

func sum(n []int) int {
	total := 0
	for _, x := range n {
		total += x
	}
	return total
}

// skew is how far in the future a line may be that was just written.
const skew = 5 * time.Second

// clock compares the newest line with the time.
func (c *Checkup) clock(l checkedLog, s *sample) Finding {
	if s.newest == 0 {
		return Poor("clock", "no line of %s tells a time", l.path)
	}
	age := c.Now().Sub(time.UnixMilli(s.newest))
	if age < -skew {
		return Bad("clock", "the newest line of %s is %s in the future: views land on the wrong day; set the clock (NTP), also on the machine that writes the log, and look at the zone of its times", l.path, (-age).Round(time.Second))
	}
	return Fine("clock", "the newest line of %s is %s old", l.path, max(0, age).Round(time.Second))
}
