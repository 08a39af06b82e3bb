package main

import (
	"context"
	"strings"
)

// runArchive has a place in the order of parts; it measures what the daemon
// built here can do.
func runArchive(ctx context.Context, b *bench) error {
	out, _, err := b.output(ctx, b.dir, b.daemon, "--help")
	if err != nil {
		return err
	}
	if !strings.Contains(string(out), "\n  archive ") {
		b.say("this daemon has no command archive: the part is left out")
	}
	return nil
}
