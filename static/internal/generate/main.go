// Command generate minifies the widget. It runs in the folder static, by
// go generate.
package main

import (
	"fmt"
	"os"

	"ddkk-stats/static/internal/widget"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	source, err := os.ReadFile(widget.Source)
	if err != nil {
		return fmt.Errorf("read the widget (run this in the folder static): %w", err)
	}
	code, err := widget.Minify(source)
	if err != nil {
		return err
	}
	if err := os.WriteFile(widget.Target, code, 0o644); err != nil {
		return fmt.Errorf("write the widget: %w", err)
	}
	return nil
}
