package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// What a terminal is told. The other screen keeps what was there before.
const (
	termOpen  = "\x1b[?1049h\x1b[?25l"
	termClose = "\x1b[?25h\x1b[?1049l"
	termHome  = "\x1b[H"
	termRest  = "\x1b[K" // clears the rest of a line
	termBelow = "\x1b[J"
)

// stopAgain is how soon an end is noticed while no key is pressed.
const stopAgain = 200 * time.Millisecond

func isTerminal() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}

// watch draws and reads keys in turn until ctx ends or a key says so. The daemon is asked
// in between: while it does not answer the screen says so.
func watch(ctx context.Context, t *top, every time.Duration) (err error) {
	in := int(os.Stdin.Fd())
	was, err := term.MakeRaw(in)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	defer func() { err = errors.Join(err, term.Restore(in, was)) }()
	if _, err := os.Stdout.WriteString(termOpen); err != nil {
		return err
	}
	defer func() {
		_, werr := os.Stdout.WriteString(termClose)
		err = errors.Join(err, werr)
	}()
	for ctx.Err() == nil {
		began, trouble := time.Now(), ""
		asking, cancel := context.WithTimeout(ctx, 10*time.Second)
		if err := t.look(asking); err != nil && ctx.Err() == nil {
			trouble = err.Error()
		}
		cancel()
		if err := draw(t, trouble); err != nil {
			return err
		}
		for left := every; left > 0 && ctx.Err() == nil; left = every - time.Since(began) {
			key, err := readKey(in, min(left, stopAgain))
			if err != nil {
				return err
			}
			if key == "" {
				continue
			}
			if t.key(key) {
				return nil
			}
			break // what was chosen is asked for at once
		}
	}
	return nil
}

// draw draws over what was there.
func draw(t *top, trouble string) error {
	wide, high, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return fmt.Errorf("look at the terminal: %w", err)
	}
	if wide <= 0 || high <= 0 { // one that does not tell
		wide, high = 80, 24
	}
	all := t.lines(wide, high)
	if trouble != "" {
		all = append([]string{fit("! "+strings.Map(printable, trouble), wide)}, all[:min(len(all), high-1)]...)
	}
	var b strings.Builder
	b.WriteString(termHome)
	for i, line := range all {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + termRest)
	}
	b.WriteString(termBelow)
	_, err = os.Stdout.WriteString(b.String())
	return err
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// readKey waits for a key for a while; "": there was none.
func readKey(in int, wait time.Duration) (string, error) {
	fds := []unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, int(wait.Milliseconds())+1)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return "", fmt.Errorf("read keys: %w", err)
	}
	if n <= 0 {
		return "", nil
	}
	var buf [16]byte
	n, err = unix.Read(in, buf[:])
	if err != nil {
		return "", fmt.Errorf("read keys: %w", err)
	}
	if n == 0 {
		return "q", nil // the terminal is gone
	}
	return string(buf[:n]), nil
}
