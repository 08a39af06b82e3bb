package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifier tells the service manager how the daemon is (sd_notify(3)). Without
// one, and without NOTIFY_SOCKET, it does nothing.
type notifier struct {
	send func(state string) error
	log  *slog.Logger

	mu     sync.Mutex
	failed bool   // and the log has it
	status string // as told last
}

func newNotifier(log *slog.Logger) *notifier {
	return &notifier{log: log, send: func(state string) error {
		_, err := daemon.SdNotify(false, state)
		return err
	}}
}

// tell sends a state. That it cannot be told stops nothing.
func (n *notifier) tell(state string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.send(state)
	if err != nil && !n.failed {
		n.log.Warn("the service manager cannot be told how the daemon is", "err", err)
	}
	n.failed = err != nil
}

func (n *notifier) ready() { n.tell(daemon.SdNotifyReady) }

// reloading is followed by ready. The time is what systemd tells apart two
// reloads by (Type=notify-reload).
func (n *notifier) reloading() {
	n.tell(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonicMicros()))
}

func (n *notifier) stopping() { n.tell(daemon.SdNotifyStopping) }

func (n *notifier) alive() { n.tell(daemon.SdNotifyWatchdog) }

// state shows one line in `systemctl status`.
func (n *notifier) state(text string) {
	n.mu.Lock()
	same := text == n.status
	n.status = text
	n.mu.Unlock()
	if !same {
		n.tell("STATUS=" + text)
	}
}

// keepSocket has the service manager hold a listening socket while the daemon
// is restarted (FileDescriptorStoreMax=): clients wait and are not refused.
func keepSocket(name string, f *os.File) (err error) {
	addr := &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"}
	if addr.Name == "" {
		return nil
	}
	// Not dialed: net sends no descriptors by a connected datagram socket.
	conn, err := net.ListenUnixgram(addr.Net, &net.UnixAddr{Net: addr.Net})
	if err != nil {
		return fmt.Errorf("keep socket: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	raw, err := f.SyscallConn()
	if err != nil {
		return fmt.Errorf("keep socket: %w", err)
	}
	var sent error
	err = raw.Control(func(fd uintptr) {
		_, _, sent = conn.WriteMsgUnix([]byte("FDSTORE=1\nFDNAME="+name), syscall.UnixRights(int(fd)), addr)
	})
	if err = errors.Join(err, sent); err != nil {
		return fmt.Errorf("keep socket: %w", err)
	}
	return nil
}
