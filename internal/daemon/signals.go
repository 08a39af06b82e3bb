package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// signals are what the daemon is told by signals other than those that end it.
type signals struct {
	hup  chan os.Signal // read the settings again
	usr2 chan os.Signal // become the new binary
}

// listenToSignals begins to listen. It comes before anything else of a start,
// since one of these that nobody listens to ends the process.
func listenToSignals() *signals {
	s := &signals{hup: make(chan os.Signal, 1), usr2: make(chan os.Signal, 1)}
	signal.Notify(s.hup, syscall.SIGHUP)
	signal.Notify(s.usr2, syscall.SIGUSR2)
	return s
}

func (s *signals) stop() {
	signal.Stop(s.hup)
	signal.Stop(s.usr2)
}
