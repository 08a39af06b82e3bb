package config

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the table of all settings that docs/CONFIGURATION.md
// shows, so that the manual cannot disagree with the program.
func WriteMarkdown(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "| Setting | Default | Allowed | What it does | Reload |")
	fmt.Fprintln(b, "| --- | --- | --- | --- | --- |")
	for i := range Settings {
		s := &Settings[i]
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n",
			s.Name, codeCell(s.Default), cell(s.Allowed), cell(s.Doc), reloadCell(s.Reload))
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write table of settings: %w", err)
	}
	return nil
}

// cell keeps a text inside its table cell. A * would begin emphasis.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;").Replace(s)
}

func codeCell(s string) string {
	if s == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

func reloadCell(reload bool) string {
	if reload {
		return "yes"
	}
	return "restart"
}
