// Command generate builds the widget and the dashboard, and copies the widget's guide
// beside the demo. It runs in the folder static, by go generate.
//
// With -freeze N it also writes the widget's build as ddkk-stats.vN.js, which is served
// under that name for good: pages pin its hash. A version that is there is
// never written again.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"ddkk-stats/static/internal/dashboard"
	"ddkk-stats/static/internal/widget"
)

func main() {
	version := flag.Int("freeze", 0, "number of the version to make of the build; 0: none")
	flag.Parse()
	if err := run(*version); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(version int) error {
	for _, b := range widget.Builds {
		code, err := b.Make(".")
		if err != nil {
			return fmt.Errorf("%w (run this in the folder static)", err)
		}
		if err := os.WriteFile(b.Target, code, 0o644); err != nil {
			return fmt.Errorf("write the widget: %w", err)
		}
	}
	for _, b := range dashboard.Builds {
		code, err := b.Make(".")
		if err != nil {
			return fmt.Errorf("%w (run this in the folder static)", err)
		}
		if err := os.WriteFile(b.Target, code, 0o644); err != nil {
			return fmt.Errorf("write the dashboard: %w", err)
		}
	}
	if err := guide(); err != nil {
		return err
	}
	if version > 0 {
		return freeze(version)
	}
	return nil
}

// guide copies the widget's guide to where it is served from.
func guide() error {
	text, err := os.ReadFile("../docs/WIDGET.md")
	if err != nil {
		return fmt.Errorf("read the widget's guide: %w", err)
	}
	if err := os.WriteFile("demo/widget.md", text, 0o644); err != nil {
		return fmt.Errorf("write the widget's guide: %w", err)
	}
	return nil
}

func freeze(version int) error {
	code, err := os.ReadFile(widget.Builds[0].Target)
	if err != nil {
		return fmt.Errorf("read the widget: %w", err)
	}
	f, err := os.OpenFile(fmt.Sprintf("ddkk-stats.v%d.js", version), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("freeze the widget: %w; a version is not changed, take the next number", err)
	}
	_, err = f.Write(code)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("freeze the widget: %w", err)
	}
	return nil
}
