package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"ddkk-stats/internal/config"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// ViewsPrefix begins the identities of segments that are read for their views.
const ViewsPrefix = "view-"

// identify names a segment by its first line. A request may be written to the
// beacon log and to the site's own, and a site's log may be imported for its
// views as well: so the same line names another segment here.
func (l Input) identify(firstLine []byte) string {
	switch {
	case l.Calls:
		return "api-" + parser.SegmentID(firstLine)
	case l.Views:
		return ViewsPrefix + parser.SegmentID(firstLine)
	}
	return parser.SegmentID(firstLine)
}

// ParserOf is the configuration of the parser of a log.
func ParserOf(c *config.Config, l Input, secret []byte) parser.Config {
	p := c.Parser(l.Format, secret)
	if l.Calls || l.Views {
		p.Calls, p.Views = c.CallRules(), l.Views
	}
	return p
}

// Inputs are the logs that are counted: the built-in beacon's, nginx's and the
// site's own where they are named. A site's own log whose views count is read twice: as
// calls, and as views. So each has segments, checkpoints and an archive of its own, as any
// other log has.
func Inputs(c *config.Config) []Input {
	all := []Input{{Path: c.BeaconLog(), Format: parser.FormatV1}}
	if c.AccessLog != "" {
		all = append(all, Input{Path: c.AccessLog, Format: c.LogFormat})
	}
	if c.SiteLog != "" {
		all = append(all, Input{Path: c.SiteLog, Format: c.SiteLogFormat, Calls: true})
		if len(c.LogViews) > 0 {
			all = append(all, Input{Path: c.SiteLog, Format: c.SiteLogFormat, Views: true})
		}
	}
	return all
}

// Input is a log that is counted.
type Input struct {
	Path   string
	Format parser.Format
	Calls  bool // it is the site's own: its lines are calls of the API
	Views  bool // it is the site's own, read for the views of LOG_VIEWS
	Tail   *tailer.Tailer
}

// Name tells a log from the others: a path may be read twice.
func (l Input) Name() string {
	if l.Views {
		return l.Path + " (views)"
	}
	return l.Path
}

// Denied tells that the log is there, or may be, and cannot be opened by this process;
// nil: it can, or there is none yet.
func (l Input) Denied() error {
	// A FIFO would wait for its writer.
	f, err := os.OpenFile(l.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("open the log: %w", err)
	}
	return f.Close()
}
