package answers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
	"ddkk-stats/parser"
	"ddkk-stats/queryapi"
	"ddkk-stats/tailer"
)

// LastViews reads the newest lines of the logs when somebody asks: counting
// does nothing for it.
type LastViews struct {
	inputs []logs.Input
	cfg    func() *config.Config

	mu      sync.Mutex
	made    *config.Config            // what parsers were made for
	parsers map[string]*parser.Parser // by the log's path
}

// NewLastViews reads logs by the configuration in force.
func NewLastViews(inputs []logs.Input, cfg func() *config.Config) *LastViews {
	return &LastViews{inputs: inputs, cfg: cfg}
}

// lastBytes is how much of each log is read at most: some thousands of lines.
const lastBytes = 1 << 20

// Recent implements queryapi.Views.
func (l *LastViews) Recent(ctx context.Context, site string, limit int) ([]queryapi.View, error) {
	var all []queryapi.View
	err := l.each(ctx, func(p *parser.Parser, data []byte) { all = appendViews(all, p, data, site) })
	slices.SortStableFunc(all, func(a, b queryapi.View) int { return b.Time.Compare(a.Time) })
	return all[:min(len(all), limit)], err
}

// Skipped implements queryapi.Views.
func (l *LastViews) Skipped(ctx context.Context, limit int) ([]queryapi.SkippedLine, error) {
	var all []queryapi.SkippedLine
	// Of a site's own log most lines are no views: only beacons are missed by somebody.
	err := l.eachOf(ctx, func(in logs.Input) bool { return !in.Calls && !in.Views }, func(p *parser.Parser, data []byte) { all = appendSkipped(all, p, data) })
	slices.SortStableFunc(all, func(a, b queryapi.SkippedLine) int { return b.Time.Compare(a.Time) })
	return all[:min(len(all), limit)], err
}

// each gives use the newest complete lines of the logs that hold views, with
// the parser for them.
func (l *LastViews) each(ctx context.Context, use func(*parser.Parser, []byte)) error {
	return l.eachOf(ctx, func(in logs.Input) bool { return !in.Calls }, use)
}

func (l *LastViews) eachOf(ctx context.Context, wants func(logs.Input) bool, use func(*parser.Parser, []byte)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.inputs {
		if !wants(in) {
			continue
		}
		p, err := l.parserOf(in)
		if err != nil {
			return err
		}
		left := int64(lastBytes)
		for _, seg := range newestFirst(in.Tail.Segments()) {
			if left <= 0 || ctx.Err() != nil {
				break
			}
			data, err := endOf(seg.Name, left)
			if err != nil {
				return fmt.Errorf("read the last views: %w", err)
			}
			left -= int64(len(data))
			use(p, data)
		}
	}
	return ctx.Err()
}

func (l *LastViews) parserOf(in logs.Input) (*parser.Parser, error) {
	if cfg := l.cfg(); cfg != l.made { // reloaded
		l.made, l.parsers = cfg, map[string]*parser.Parser{}
	}
	if p := l.parsers[in.Name()]; p != nil {
		return p, nil
	}
	// The secret does not matter: who made a view is not shown.
	p, err := parser.New(logs.ParserOf(l.made, in, nil))
	if err != nil {
		return nil, fmt.Errorf("make parser: %w", err)
	}
	l.parsers[in.Name()] = p
	return p, nil
}

// newestFirst are the segments that can be read from their end.
func newestFirst(all []tailer.Segment) []tailer.Segment {
	all = slices.DeleteFunc(slices.Clone(all), func(s tailer.Segment) bool { return s.Compressed || s.Deleted || s.Refused || s.Size == 0 })
	slices.SortFunc(all, func(a, b tailer.Segment) int {
		if a.Live != b.Live { // the live one first
			if a.Live {
				return -1
			}
			return 1
		}
		return b.LastWrite.Compare(a.LastWrite)
	})
	return all
}

// endOf reads the complete lines at the end of a file. One that was renamed
// a moment ago is passed over: its lines are the other name's.
func endOf(name string, most int64) (data []byte, err error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, fi.Size()-most)
	data = make([]byte, fi.Size()-from)
	n, err := f.ReadAt(data, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	data = data[:n]
	if from > 0 {
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return data[:bytes.LastIndexByte(data, '\n')+1], nil
}

func appendViews(all []queryapi.View, p *parser.Parser, data []byte, site string) []queryapi.View {
	var h parser.Hit
	var key []byte
	for line := range bytes.Lines(data) {
		p.Parse(line[:len(line)-1], &h)
		if h.Site != site || h.Kind != parser.Pageview && h.Kind != parser.Event {
			continue
		}
		key = key[:0]
		if h.Kind == parser.Event {
			key, _, _ = parser.AppendEventKeys(key, &h)
		}
		all = append(all, queryapi.View{
			Time: time.UnixMilli(h.Time), Page: string(h.Page), Referrer: cameFrom(h.Referrer, site),
			Mobile: h.Device == parser.Mobile, Bot: h.Bot, Event: string(key),
		})
	}
	return all
}

// shownBytes is how much of a skipped line is shown.
const shownBytes = 300

func appendSkipped(all []queryapi.SkippedLine, p *parser.Parser, data []byte) []queryapi.SkippedLine {
	var h parser.Hit
	cut := func(b []byte) string { return string(b[:min(len(b), shownBytes)]) }
	for line := range bytes.Lines(data) {
		line = line[:len(line)-1]
		p.Parse(line, &h)
		one := queryapi.SkippedLine{Time: time.UnixMilli(h.Time), Request: cut(h.URI), Referer: cut(h.Referer), Reason: h.Reason.String()}
		switch {
		case h.Kind == parser.Malformed:
			one = queryapi.SkippedLine{Request: cut(line), Reason: h.Reason.String()}
		case h.Kind == parser.Skipped:
		case h.Bot:
			one.Reason = "bot"
		default:
			continue
		}
		all = append(all, one)
	}
	return all
}

// cameFrom is the referrer of a view, empty for a way within the site.
func cameFrom(referrer, site string) string {
	if referrer == site {
		return ""
	}
	return referrer
}
