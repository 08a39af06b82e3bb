package daemon

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
)

// Announce tells a person where to look. It is all that goes to standard
// output; the rest is the log.
func (s *server) announce(w io.Writer) {
	base := s.cfg().Listen // a socket
	if addr, ok := s.listener.Addr().(*net.TCPAddr); ok {
		host := base
		if addr.IP.IsUnspecified() {
			host = "localhost"
		}
		base = "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
	}
	store := "Redis at " + s.cfg().Redis.Where()
	if s.embedded != nil {
		store = "the embedded store (set REDIS_ADDR for a real one)"
	}
	logs := s.cfg().BeaconLog()
	if s.cfg().AccessLog != "" {
		logs = s.cfg().AccessLog + " and " + logs
	}
	fmt.Fprintf(w, `ddkk-stats %s
  dashboard   %s/admin/
  demo page   %s/demo
  widget      <script defer src="%s/ddkk-stats.js"></script>
  counts      %s
  into        %s
`, s.version, base, base, base, logs, store)
	s.announcePassed(w)
	if s.first {
		io.WriteString(w, firstSteps(s.cfg()))
	}
}

// firstSteps tells whoever starts the daemon for the first time what comes next.
func firstSteps(cfg *config.Config) string {
	steps := []string{"paste the widget's line into your pages, with the address that their readers reach",
		"open one of them and look at the dashboard: it waits for the first view, and says why one did not count"}
	if cfg.AdminToken == "" {
		steps = append(steps, "set ADMIN_TOKEN to open the dashboard from another machine; without it only this one may")
	}
	if len(cfg.Sites) == 0 {
		steps = append(steps, "set SITES to your sites: without it any site is counted")
	}
	if cfg.AccessLog == "" {
		steps = append(steps, "for production let nginx answer the beacon: ddkk-stats nginx-conf --help")
	}
	steps = append(steps, "ddkk-stats check looks over the whole set-up")
	var b strings.Builder
	b.WriteString("  first start\n")
	for i, step := range steps {
		fmt.Fprintf(&b, "    %d. %s\n", i+1, step)
	}
	return b.String()
}

// announcePassed lists the files beside the logs that are left alone, so that
// nobody takes them for counted, or fears for them.
func (s *server) announcePassed(w io.Writer) {
	passed, err := logs.PassedOver(context.Background(), s.cfg())
	if err != nil {
		s.log.Warn("the files beside the logs are not all known", "err", err)
	}
	for _, path := range slices.Sorted(maps.Keys(passed)) {
		for i, p := range passed[path] {
			if i == logs.MaxPassed {
				fmt.Fprintf(w, "  left alone  and %d more files beside %s\n", len(passed[path])-i, path)
				break
			}
			fmt.Fprintf(w, "  left alone  %s: %s\n", p.Name, p.Why)
		}
	}
}
