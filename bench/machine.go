package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// userHz is the unit of processor times in /proc; Linux fixes it at 100.
const userHz = 100

// machine is where a run took place.
type machine struct {
	cpu, kernel, memory string
	cores               int
	versions            []string
}

func describeMachine(ctx context.Context, daemon string) machine {
	m := machine{cpu: "unknown", kernel: "unknown", memory: "unknown", cores: runtime.NumCPU()}
	if s := procLine("/proc/cpuinfo", "model name"); s != "" {
		m.cpu = s
	}
	if kb, err := strconv.Atoi(strings.TrimSuffix(procLine("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		m.memory = fmt.Sprintf("%.0f GiB", float64(kb)/(1<<20))
	}
	if s, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.kernel = strings.TrimSpace(string(s))
	}
	m.versions = []string{"Go " + strings.TrimPrefix(runtime.Version(), "go")}
	for _, c := range [][]string{{"redis-server", "--version"}, {"nginx", "-v"}, {"goaccess", "--version"}, {"wrk", "-v"}, {"mariadbd", "--version"}} {
		path, err := program(c[0])
		if err != nil {
			m.versions = append(m.versions, c[0]+": not installed")
			continue
		}
		m.versions = append(m.versions, c[0]+" "+version(ctx, path, c[1:]...))
	}
	if newer := os.Getenv(envGoAccess); newer != "" {
		m.versions = append(m.versions, "goaccess "+version(ctx, newer, "--version")+" ("+envGoAccess+")")
	}
	return m
}

var versionNumber = regexp.MustCompile(`\d+\.\d+(\.\d+)*`)

// version is the first number that a program prints about itself; some of them
// leave with a status when asked.
func version(ctx context.Context, path string, args ...string) string {
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	if v := versionNumber.Find(out); v != nil {
		return string(v)
	}
	return fmt.Sprintf("unknown (%v)", err)
}

// procLine is the value of the first line "key : value" of a file in /proc.
func procLine(path, key string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(data) {
		k, v, ok := bytes.Cut(line, []byte(":"))
		if ok && string(bytes.TrimSpace(k)) == key {
			return string(bytes.TrimSpace(v))
		}
	}
	return ""
}

// cpu is the processor time of the server and of the children it has waited
// for, such as those that rewrite Redis' AOF.
func (p *process) cpu() time.Duration {
	return processCPU(p.cmd.Process.Pid)
}

func processCPU(pid int) time.Duration {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0
	}
	// The name is in brackets and may hold anything; fields 14 to 17 are
	// utime, stime, cutime, cstime (proc(5)).
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 15 {
		return 0
	}
	var ticks int64
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / userHz
}

// groupCPU is cpu of the server and its living children, for nginx and its workers.
func (p *process) groupCPU() time.Duration {
	pid := p.cmd.Process.Pid
	sum := processCPU(pid)
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return sum
	}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			if child, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
				sum += processCPU(child)
			}
		}
	}
	return sum
}

// peakMemory is the most memory that the server has had, in bytes.
func (p *process) peakMemory() int64 {
	kb, err := strconv.ParseInt(strings.TrimSuffix(
		procLine(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"), "VmHWM"), " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// cpuTimes are the machine's and this run's processor times, to tell how busy
// others kept the machine.
type cpuTimes struct {
	busy, own time.Duration
	at        time.Time
}

func readCPUTimes() cpuTimes {
	t := cpuTimes{at: time.Now()}
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t
	}
	first, _, _ := strings.Cut(string(data), "\n")
	// cpu user nice system idle iowait irq softirq steal
	for i, f := range strings.Fields(first) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err == nil && i >= 1 && i <= 8 && i != 4 && i != 5 {
			t.busy += time.Duration(n) * time.Second / userHz
		}
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			t.own += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return t
}

// others is the share of the machine that other programs took since before.
func (before cpuTimes) others(after cpuTimes, cores int) float64 {
	total := after.at.Sub(before.at) * time.Duration(cores)
	return max(0, float64((after.busy-before.busy)-(after.own-before.own))/float64(total))
}
