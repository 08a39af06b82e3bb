package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"ddkk-stats/internal/config"
)

// level is how bad a finding is.
type level uint8

const (
	LevelOK   level = iota
	LevelWarn       // works, but not as well as it should
	LevelFail       // does not work, or loses views
)

var LevelNames = [...]string{LevelOK: "ok", LevelWarn: "warn", LevelFail: "fail"}

func (l level) String() string { return LevelNames[l] }

// Finding is one line of the report.
type Finding struct {
	Level level
	What  string // a setting, or what the setting leads to
	Text  string // why, and what to do
}

func found(l level, what, format string, args ...any) Finding {
	return Finding{l, what, fmt.Sprintf(format, args...)}
}

func Fine(what, format string, args ...any) Finding { return found(LevelOK, what, format, args...) }

func Poor(what, format string, args ...any) Finding { return found(LevelWarn, what, format, args...) }

func Bad(what, format string, args ...any) Finding { return found(LevelFail, what, format, args...) }

// Checkup is what the checks look at.
type Checkup struct {
	Cfg       *config.Config
	Hosts     []string // under which pages load the widget, from the command line
	Now       func() time.Time
	Logrotate []string      // patterns of logrotate's files
	limit     time.Duration // of one look; 0: lookLimit
}

// checks are all of them in the order of the report. A check returns at least
// one finding for what it looked at, none for what is not in use.
var checks = append(slices.Clip(cheap), (*Checkup).segments, (*Checkup).redis, (*Checkup).names, (*Checkup).archive, (*Checkup).port)

// cheap are those that read a few files of this host. A daemon that starts makes them, too;
// the others it finds out by itself.
var cheap = []func(*Checkup, context.Context) []Finding{
	(*Checkup).config, (*Checkup).hostNames, (*Checkup).admin, (*Checkup).secretFiles,
	(*Checkup).timezone, (*Checkup).dataDir, (*Checkup).owners, (*Checkup).logFiles, (*Checkup).privateLogs, (*Checkup).logLines,
	(*Checkup).logBudget, (*Checkup).rotation, (*Checkup).nginxPID,
}

// Run makes all checks.
func (c *Checkup) Run(ctx context.Context) []Finding { return c.run(ctx, checks) }

// RunCheap makes those that cost next to nothing.
func (c *Checkup) RunCheap(ctx context.Context) []Finding { return c.run(ctx, cheap) }

func (c *Checkup) run(ctx context.Context, checks []func(*Checkup, context.Context) []Finding) []Finding {
	var all []Finding
	for _, check := range checks {
		all = append(all, c.within(ctx, check)...)
	}
	return all
}

// LogrotateFiles are where logrotate's rules are.
var LogrotateFiles = []string{"/etc/logrotate.conf", "/etc/logrotate.d/*"}

// lookLimit is how long one look may take: a file system or a server that is not
// there any more may answer never.
const lookLimit = 30 * time.Second

// within makes one look, and gives up on it in time.
func (c *Checkup) within(ctx context.Context, check func(*Checkup, context.Context) []Finding) []Finding {
	limit := cmp.Or(c.limit, lookLimit)
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := make(chan []Finding, 1)
	go func() { found <- check(c, ctx) }() // ends with the program at the latest
	late := time.NewTimer(limit + limit/10)
	defer late.Stop()
	select {
	case all := <-found:
		return all
	case <-asked.Done():
		return nil // nobody wants to know any more
	case <-late.C:
		name := runtime.FuncForPC(reflect.ValueOf(check).Pointer()).Name()
		return []Finding{Bad("check", "the look at %s did not end in %v: a disk, a network file system or a server does not answer", name[strings.LastIndexByte(name, '.')+1:], limit)}
	}
}

// BadConfig is the report on a configuration that the daemon would refuse.
func BadConfig(err error) []Finding {
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) {
		return []Finding{Bad("configuration", "%v", err)}
	}
	var all []Finding
	for _, e := range list.Unwrap() {
		what := "configuration"
		var s *config.SettingError
		if errors.As(e, &s) {
			what = s.Name
		}
		all = append(all, Bad(what, "%v", e))
	}
	return all
}
