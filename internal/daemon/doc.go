// Package daemon is the server: it opens everything in order (newServer), runs it until it
// is told to end (server.run), and closes what it opened. Each part gets what it needs
// here; parts do not find each other.
//
// It owns the lock of DATA_DIR, the listener, the connections to Redis, the schedule,
// settings' reload, the upgrade in place, metrics and alerts. It translates between rooms
// that do not know each other: a tailer's blocks into the counter's (source.go).
package daemon
