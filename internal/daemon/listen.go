package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// Names under which a listening socket comes to a new process.
const (
	// handedOver is the variable with the descriptor and the address of a socket
	// that the daemon before passed on in its own process.
	handedOver = "DDKK_LISTEN_FD"
	// keptPrefix begins the names of sockets that the service manager keeps for
	// us; what follows tells the address.
	keptPrefix = "ddkk-http-"
)

// keptName is the name under which a socket of this address is kept.
func keptName(address string) string {
	sum := sha256.Sum256([]byte(address))
	return keptPrefix + hex.EncodeToString(sum[:6])
}

// listen returns the socket for an address: the one that the daemon before had
// and passed on, so that no client was refused in between, one that systemd
// opened (socket activation), or a new one.
func listen(address string, log *slog.Logger) (net.Listener, error) {
	files, err := inherited(address, log)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		if path, ok := strings.CutPrefix(address, "unix:"); ok {
			return listenSocket(path)
		}
		ln, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("listen: %w; choose another PORT or LISTEN, or stop what uses it", err)
		}
		return ln, nil
	}
	var errs []error
	ln, err := net.FileListener(files[0]) // has a descriptor of its own
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, fmt.Errorf("listen on the socket that was passed on: %w", err)
	}
	if len(files) > 1 {
		log.Warn("more than one socket was passed on; only the first is used", "addr", ln.Addr().String())
	}
	return ln, nil
}

// listenSocket makes a unix socket, in place of one that nobody listens on any more. It
// stays when it is closed: whoever takes it over goes on at the same path.
func listenSocket(path string) (net.Listener, error) {
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("listen: %s is there and is no socket; choose another LISTEN", path)
		}
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(fmt.Errorf("listen: somebody listens on %s; choose another LISTEN, or stop what uses it", path), c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen: remove the socket that nobody uses: %w", err)
		}
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen: %w; is the folder of LISTEN there and writable?", err)
	}
	ln.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o666); err != nil { // its folder says who may connect
		return nil, errors.Join(fmt.Errorf("listen: %w", err), ln.Close())
	}
	return ln, nil
}

// inherited are the sockets for the address that came with the process. Those
// of another address, which PORT and LISTEN said before, are closed.
func inherited(address string, log *slog.Logger) (files []*os.File, err error) {
	var errs []error
	if text, ok := os.LookupEnv(handedOver); ok {
		f, was, err := parseHandedOver(text)
		if err != nil {
			return nil, err
		}
		errs = append(errs, os.Unsetenv(handedOver))
		if was == address {
			files = append(files, f)
		} else {
			errs = append(errs, f.Close())
		}
	}
	for _, f := range activation.Files(true) {
		kept := strings.HasPrefix(f.Name(), keptPrefix)
		if !kept || f.Name() == keptName(address) && len(files) == 0 {
			files = append(files, f)
			continue
		}
		errs = append(errs, f.Close())
		if f.Name() != keptName(address) {
			newNotifier(log).tell("FDSTOREREMOVE=1\nFDNAME=" + f.Name())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return files, fmt.Errorf("take the sockets that were passed on: %w", err)
	}
	return files, nil
}

func parseHandedOver(text string) (f *os.File, address string, err error) {
	number, address, ok := strings.Cut(text, " ")
	fd, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		return nil, "", fmt.Errorf("%s=%q is not a descriptor and an address; unset it", handedOver, text)
	}
	return os.NewFile(uintptr(fd), handedOver), address, nil
}
