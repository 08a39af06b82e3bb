// Package config is the table of settings (settings.go) and all that follows from it:
// reading the environment and the YAML file, checking all of it together, comparing two of
// them for a reload, printing it, and the manual.
//
// A Config does not change. Live holds the one in force; whoever needs a setting that can
// be reloaded asks it each time. The package opens nothing but the settings file.
package config
