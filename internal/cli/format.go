package cli

import (
	"fmt"
	"os"
	"strings"

	"ddkk-stats/internal/importer"
	"ddkk-stats/parser"
)

// formatFrom reads "FILE:NAME": the format of that name in a server's configuration.
// Without a name the file must have one alone.
func formatFrom(text string) (string, error) {
	file, name, _ := strings.Cut(text, ":")
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the server's configuration: %w", err)
	}
	f, err := parser.FormatFrom(string(b), name)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return f.String(), nil
}

// wantedFormat is the format of a file that was asked for, nil for auto.
func wantedFormat(text string, file *importer.File) (*parser.Format, error) {
	switch {
	case text == "auto":
		return nil, nil
	case strings.EqualFold(text, parser.FormatW3C):
		f, ok := parser.W3C(file.Begin())
		if !ok {
			return nil, fmt.Errorf("%s begins with no #Fields: line that names a time, a request and a status; write that line as --format", file.Name())
		}
		return &f, nil
	}
	f, err := parser.ParseFormat(text)
	return &f, err
}
