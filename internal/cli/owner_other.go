//go:build !linux

package cli

import (
	"os"
	"syscall"
)

func selfPath() (string, error) { return os.Executable() }

// keepReading does nothing: the right to read alone is Linux'.
func keepReading(*syscall.SysProcAttr) {}
