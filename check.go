package main

import "github.com/spf13/cobra"

func checkCommand(load func() (*Config, error)) *cobra.Command {
	return &cobra.Command{Use: "check", RunE: func(*cobra.Command, []string) error { _, err := load(); return err }}
}
