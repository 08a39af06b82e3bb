package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// writeResults writes the table.
func (b *bench) writeResults() error {
	if len(b.results) == 0 {
		return errors.New("nothing was measured")
	}
	var s strings.Builder
	b.writeHead(&s)
	for _, p := range parts() {
		b.writePart(&s, p)
	}
	fmt.Fprintf(&s, "## Commands\n\nFolders and ports are replaced by DIR and PORT.\n\n```\n%s\n```\n", strings.Join(b.commands, "\n"))
	if err := os.WriteFile(b.out, []byte(s.String()), 0o644); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	b.say("wrote %s", b.out)
	return nil
}

func (b *bench) writeHead(s *strings.Builder) {
	after := readCPUTimes()
	others := b.before.others(after, runtime.NumCPU())
	command := "go run ./bench"
	if b.quick {
		command += " -quick"
	}
	if len(b.only) > 0 {
		command += " -only " + strings.Join(b.only, ",")
	}
	fmt.Fprintf(s, "# Results\n\nWritten by `%s` on %s; it took %s.\n\n", command, b.began.UTC().Format("2006-01-02"), after.at.Sub(b.began).Round(time.Second))
	if b.quick {
		s.WriteString("**A quick run**: fewer lines and shorter measurements, to see that everything works. Start-up of the daemon\n" +
			"weighs more in it than in a full run, and its percentiles rest on few samples.\n\n")
	}
	if b.note != "" {
		fmt.Fprintf(s, "**Note:** %s\n\n", b.note)
	}
	m := b.machine
	fmt.Fprintf(s, "- Machine: %d cores of %s, %s of memory, Linux %s; clients, servers and the daemon share it, over loopback.\n", m.cores, m.cpu, m.memory, m.kernel)
	fmt.Fprintf(s, "- Versions: %s.\n", strings.Join(m.versions, ", "))
	fmt.Fprintf(s, "- Noise: other programs took %.0f%% of the machine's processor time during the run.\n", others*100)
	if others > 0.1 {
		s.WriteString("  That is much: wall times (lines/s, latencies) are too pessimistic and differ from run to run by half and more.\n" +
			"  Processor times move less, by a fifth to a third; the ratios by processor time are the ones to judge by.\n")
	}
	fmt.Fprintf(s, "- Hits: %d beacons of one day, %d pages by Zipf's law, %d visitors, %d user agents; the same hits for all.\n", b.lines, distinctPages, distinctVisitors, distinctAgents)
	s.WriteString("- Ratios are to the row that is called the unit. \"s/M\" is processor time (user and system, all processes that do\n" +
		"  the counting) in seconds per million lines, \"us/req\" that of the answering server per request; the kernel counts it\n" +
		"  in steps of 10 ms. Ingest figures are medians of three where one takes seconds, reads are single measurements.\n\n")
}

func (b *bench) writePart(s *strings.Builder, p part) {
	rows := 0
	for _, r := range b.results {
		if r.part != p.name {
			continue
		}
		if rows++; rows == 1 {
			fmt.Fprintf(s, "## %s\n\n| what | figure | processor time | ratio | target | reached |\n| --- | --- | --- | --- | --- | --- |\n", p.title)
		}
		reached := map[string]string{"reached": "yes", "missed": "**no**", "": ""}[r.verdict()]
		fmt.Fprintf(s, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.figure, r.cpu, r.ratio, r.target, reached)
	}
	if rows > 0 {
		s.WriteString("\n")
	}
}

var (
	benchFolder = regexp.MustCompile(`/\S*ddkk-bench-\d+`)
	subfolder   = regexp.MustCompile(`DIR/([a-z]+)-\d+`)
	loopback    = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	portOption  = regexp.MustCompile(`(PORT=|--port |-p )\d+`)
)

// anonymous takes out of a command line what differs from run to run.
func (b *bench) anonymous(line string) string {
	if root, err := os.Getwd(); err == nil {
		line = strings.ReplaceAll(line, root+"/", "")
	}
	line = benchFolder.ReplaceAllString(line, "DIR")
	line = subfolder.ReplaceAllString(line, "DIR/$1")
	line = loopback.ReplaceAllString(line, "127.0.0.1:PORT")
	return portOption.ReplaceAllString(line, "${1}PORT")
}
