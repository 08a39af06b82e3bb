package reports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ddkk-stats/internal/once"
)

// Target is somebody who gets reports: an address, or where Mail is empty the webhook.
type Target struct {
	Site   string // empty: all
	Mail   string
	Period string
}

// name of what is noted of a target: an address is nobody's business there.
func (t Target) name() string {
	sum := sha256.Sum256([]byte("report\x00" + t.Site + "\x00" + t.Mail))
	return "report:" + hex.EncodeToString(sum[:12])
}

// String names a target in the log.
func (t Target) String() string {
	if t.Mail == "" {
		return "REPORT_URL"
	}
	return t.Mail
}

// ID tells a report to a target from all others; it is the same each time it is sent.
func (t Target) ID(s Span) string { return t.name()[len("report:"):] + "." + s.Key }

// Send hands a report to a target.
type Send func(ctx context.Context, t Target, r *Report) error

// Round is one run of the schedule.
type Round struct {
	Source Source
	Ledger once.Ledger
	Teller *once.Teller
	Send   Send
	Log    *slog.Logger
}

// Run delivers to each target the report of its last period, unless that was done. An
// error says that some are not delivered and are to be tried again; others are.
func (d *Round) Run(ctx context.Context, targets []Target, now time.Time) error {
	made := map[[2]string]*Report{}
	var errs []error
	for _, t := range targets {
		if ctx.Err() != nil {
			break
		}
		span := Last(t.Period, now)
		told, err := d.Teller.Do(ctx, d.Ledger, t.name(), span.Key, func(ctx context.Context) error {
			k := [2]string{t.Site, span.Key}
			if made[k] == nil {
				r, err := Gather(ctx, d.Source, t.Site, span, now)
				if err != nil {
					return err
				}
				made[k] = r
			}
			return d.Send(ctx, t, made[k])
		})
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("to %s: %w", t, err))
		case told == once.Told:
			d.Log.Info("report sent", "to", t.String(), "site", t.Site, "period", span.Key)
		case told == once.Elsewhere:
			errs = append(errs, fmt.Errorf("to %s: %w", t, ErrElsewhere))
		}
	}
	return errors.Join(errs...)
}

// ErrElsewhere says that another host is at it: it may fail, so that this is looked at again.
var ErrElsewhere = errors.New("another host is sending it")
