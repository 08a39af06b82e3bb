package daemon

import (
	"context"
	"io"
	"log/slog"

	"ddkk-stats/internal/config"
)

// Options are what the command line gives the daemon.
type Options struct {
	Version string
	Load    func() (*config.Config, error) // reads the settings again
	Log     *slog.Logger
	Level   *slog.LevelVar // of Log
	Out     io.Writer      // is told once where what is served
}

// Run counts and serves until ctx ends, or becomes the next binary after SIGUSR2. It
// returns what ended it; nothing is lost by any end, since what was not committed is
// read again.
func Run(ctx context.Context, cfg *config.Config, opt Options) error {
	collectOften()
	opt.Level.Set(cfg.LogLevel)
	told := listenToSignals()
	defer told.stop()
	s, err := newServer(cfg, opt.Version, opt.Log)
	if err != nil {
		return err
	}
	s.reloader = newReloader(s, opt.Load, opt.Level)
	for _, w := range cfg.Warnings() {
		opt.Log.Warn(w)
	}
	s.announce(opt.Out)
	err = s.run(ctx, told)
	if s.next == nil || ctx.Err() != nil {
		return err
	}
	if err != nil {
		opt.Log.Error("the stop before the upgrade did not go well; what is not committed is read again", "err", err)
	}
	return s.next.exec()
}
