package daemon

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"

	"ddkk-stats/internal/logs"
)

// Announce tells a person where to look. It is all that goes to standard
// output; the rest is the log.
func (s *server) announce(w io.Writer) {
	addr := s.listener.Addr().(*net.TCPAddr)
	host := s.cfg().Listen
	if addr.IP.IsUnspecified() {
		host = "localhost"
	}
	base := "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
	store := "Redis at " + s.cfg().Redis.Where()
	if s.embedded != nil {
		store = "the embedded store (set REDIS_ADDR for a real one)"
	}
	logs := s.cfg().BeaconLog()
	if s.cfg().AccessLog != "" {
		logs = s.cfg().AccessLog + " and " + logs
	}
	fmt.Fprintf(w, `ddkk-stats %s
  demo page   %s/demo
  widget      <script defer src="%s/ddkk-stats.js"></script>
  counts      %s
  into        %s
`, s.version, base, base, logs, store)
	s.announcePassed(w)
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
