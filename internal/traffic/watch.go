package traffic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"ddkk-stats/internal/once"
)

// Source is asked for what a site had. What is stale is an error.
type Source interface {
	// Sites are those that counted, the busiest today first.
	Sites(ctx context.Context) ([]string, error)
	Hours(ctx context.Context, site string, from, to time.Time) ([]Hour, error)
	// Minutes are the views of the last n minutes, the running one at the end.
	Minutes(ctx context.Context, site string, n int) ([]int64, error)
}

// Alarm is what is told of a site.
type Alarm struct {
	Site  string
	Kind  Kind // Silence or Spike
	Since time.Time
	Over  bool
	Hour  int64 // views of the last 60 minutes
	Usual int64 // what they usually have
}

// Summary is a sentence for people.
func (a *Alarm) Summary() string {
	what := "no views, or next to none"
	if a.Kind == Spike {
		what = "far more views than usual"
	}
	if a.Over {
		what = "views are as usual again"
	}
	return fmt.Sprintf("%s: %d in the last hour, usually about %d at this hour and weekday", what, a.Hour, a.Usual)
}

// Channel is a way by which alarms are told; each is told once by each.
type Channel struct {
	Name string // a letter
	Tell func(ctx context.Context, a Alarm) error
}

const (
	// maxSites bounds how many are watched: the busiest.
	maxSites = 2000
	// learnt bounds how many are learnt in one look: each is a question to SQL.
	learnt = 300
)

// Watcher looks at all sites again and again. It is not safe for concurrent use.
type Watcher struct {
	source Source
	teller *once.Teller
	zone   *time.Location
	log    *slog.Logger
	sites  map[string]*site
}

// site is what is known of one.
type site struct {
	usual   *Usual
	day     int64 // on which that was learnt
	kind    Kind  // what was told last
	pending bool  // a channel lacks it
}

// NewWatcher watches by the days of a zone.
func NewWatcher(source Source, teller *once.Teller, zone *time.Location, log *slog.Logger) *Watcher {
	return &Watcher{source: source, teller: teller, zone: zone, log: log, sites: map[string]*site{}}
}

// Look looks once. wants tells which alarms a site has. An error is of the sites at
// which nothing could be seen, or of which nobody could be told; the next look tries again.
func (w *Watcher) Look(ctx context.Context, now time.Time, l once.Ledger, wants func(site string) (silence, spike bool), channels []Channel) error {
	now = now.In(w.zone)
	names, err := w.source.Sites(ctx)
	if err != nil {
		return fmt.Errorf("look at traffic: %w", err)
	}
	var errs []error
	budget := learnt
	for _, name := range names[:min(len(names), maxSites)] {
		silence, spike := wants(name)
		if !silence && !spike || ctx.Err() != nil {
			continue
		}
		if err := w.look(ctx, now, l, name, silence, spike, channels, &budget); err != nil {
			errs = append(errs, fmt.Errorf("look at traffic of %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (w *Watcher) look(ctx context.Context, now time.Time, l once.Ledger, name string, silence, spike bool, channels []Channel, budget *int) error {
	x, err := w.known(ctx, now, l, name, channels, budget)
	if err != nil || x == nil || !x.usual.known {
		return err
	}
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	r := &Recent{Now: now}
	if r.Minutes, err = w.source.Minutes(ctx, name, 60); err != nil {
		return err
	}
	if r.Hours, err = w.source.Hours(ctx, name, today.AddDate(0, 0, -2), today); err != nil {
		return err
	}
	kind := x.usual.Judge(r, x.kind)
	if x.kind != Quiet && kind != x.kind {
		kind = Quiet // first that one is over
	}
	if kind == Silence && !silence || kind == Spike && !spike {
		kind = Quiet
	}
	if kind == x.kind && !x.pending {
		return nil
	}
	a := Alarm{Site: name, Kind: kind, Since: now}
	view := &recent{Recent: r, now: clockOf(now)}
	a.Hour, a.Usual = int64(view.last(60)), int64(view.usual(&x.usual.median, 60)+.5)
	return w.tell(ctx, l, x, a, channels)
}

// known is what is known of a site; nil: it is learnt at a later look.
func (w *Watcher) known(ctx context.Context, now time.Time, l once.Ledger, name string, channels []Channel, budget *int) (*site, error) {
	x, day := w.sites[name], clockOf(now)/24
	if x != nil && x.day == day {
		return x, nil
	}
	if *budget == 0 {
		return x, nil
	}
	*budget--
	y, m, d := now.Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	hours, err := w.source.Hours(ctx, name, today.AddDate(0, 0, -7*weeks), today.AddDate(0, 0, -1))
	if err != nil {
		return nil, err
	}
	if x == nil {
		x = &site{kind: Quiet}
		for _, c := range channels { // what was told before the start
			kind, _, err := last(ctx, l, c, name)
			if err != nil {
				return nil, err
			}
			if kind != Quiet {
				x.kind = kind
			}
		}
		x.pending = x.kind != Quiet // a claim of before may not have been told
		w.sites[name] = x
	}
	x.usual, x.day = Learn(hours, today), day
	return x, nil
}

// note names what is noted of a site and a channel.
func note(c Channel, name string) string {
	sum := sha256.Sum256([]byte(name))
	return "alarm:" + c.Name + hex.EncodeToString(sum[:12])
}

// last is what was told of a site, or is being told, and its text.
func last(ctx context.Context, l once.Ledger, c Channel, name string) (Kind, string, error) {
	text, err := once.Last(ctx, l, note(c, name))
	if err != nil || text == "" {
		return Quiet, "", err
	}
	word, _, _ := strings.Cut(text, " ")
	return Kind(word), text, nil
}

// tell tells an edge by each channel, unless that was done by whomever.
func (w *Watcher) tell(ctx context.Context, l once.Ledger, x *site, a Alarm, channels []Channel) error {
	kind, pending := a.Kind, false
	var errs []error
	for _, c := range channels {
		was, text, err := last(ctx, l, c, a.Site)
		if err != nil {
			return err
		}
		if was == kind && text == "" {
			continue // quiet, and never anything else
		}
		told := a
		switch {
		case was == kind: // it was told, or somebody is at it
		case kind == Quiet:
			text = string(Quiet) + " " + strings.TrimPrefix(text, string(was)+" ") + " " + string(was)
		default:
			text = fmt.Sprintf("%s %d", kind, a.Since.Unix())
		}
		told.read(text)
		did, err := w.teller.Do(ctx, l, note(c, a.Site), text, func(ctx context.Context) error { return c.Tell(ctx, told) })
		if err != nil {
			errs = append(errs, err)
		} else if did == once.Told {
			w.log.Info("traffic alarm told", "site", a.Site, "kind", told.Kind, "over", told.Over, "views", a.Hour, "usual", a.Usual)
		}
		pending = pending || err != nil || did == once.Elsewhere
	}
	x.kind, x.pending = kind, pending
	return errors.Join(errs...)
}

// read takes kind and time from what is noted: "silence 1796000000", "quiet 1796000000 silence"
// with when the silence began.
func (a *Alarm) read(text string) {
	part := strings.Fields(text)
	if len(part) > 1 {
		if at, err := strconv.ParseInt(part[1], 10, 64); err == nil {
			a.Since = time.Unix(at, 0)
		}
	}
	if len(part) > 2 {
		a.Kind, a.Over = Kind(part[2]), true
	}
}
