//go:build !linux

package main

// monotonicMicros is for systemd, which is on Linux only.
func monotonicMicros() int64 { return 0 }
