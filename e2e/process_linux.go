package e2e

import "syscall"

// ownGroup puts a program into a process group of its own and has the kernel
// kill it should the test itself be killed, by a timeout for example.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
