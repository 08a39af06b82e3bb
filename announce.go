package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
)

// announce tells a person where to look. It is all that goes to standard
// output; the rest is the log.
func (s *server) announce(w io.Writer) {
	addr := s.listener.Addr().(*net.TCPAddr)
	host := s.cfg().Listen
	if addr.IP.IsUnspecified() {
		host = "localhost"
	}
	base := "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
	store := "Redis at " + fmt.Sprint(s.cfg().RedisAddrs)
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
`, buildVersion(), base, base, logs, store)
}
