//go:build cluster

package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// clusterSettle is how long all daemons may take to be exact after the last
// fault.
const clusterSettle = 2 * time.Minute

// clusterRig is several hosts, each an nginx and a daemon with a log of its
// own, on one Redis Cluster and one archive.
type clusterRig struct {
	t      *testing.T
	redis  *RedisCluster
	hosts  []*clusterHost
	ledger *Ledger
	loads  []*Load
	db     *MariaDB // where SQL is looked at
	round  int
}

// clusterHost reaches every server through proxies of its own: its network.
type clusterHost struct {
	nginx  *Nginx
	daemon *Daemon
	links  []*Proxy
}

// newClusterRig starts everything; databases has one server per host, or one
// for all.
func newClusterRig(t *testing.T, databases []*MariaDB) *clusterRig {
	t.Helper()
	c := &clusterRig{t: t, redis: StartRedisCluster(t), ledger: NewLedger(time.UTC), db: databases[0]}
	createDatabase(t, databases[0])
	for i := range 3 {
		h := &clusterHost{}
		addrs := h.redisLinks(t, c.redis)
		db := databases[i%len(databases)]
		link := StartProxy(t, db.Addr)
		h.links = append(h.links, link)
		h.daemon = NewDaemon(t, map[string]string{
			"REDIS_ADDR": strings.Join(addrs, ","), "REDIS_CLUSTER": "1", "TIMEZONE": "UTC",
			"MYSQL_DSN": strings.Replace(db.DSN("stats"), db.Addr, link.Addr, 1),
		})
		h.nginx = StartNginx(t, Binary(t), h.daemon.Addr)
		h.daemon.Env["ACCESS_LOG"], h.daemon.Env["NGINX_PID"] = h.nginx.Log, h.nginx.PIDFile
		c.hosts = append(c.hosts, h)
	}
	var starts sync.WaitGroup
	for _, h := range c.hosts {
		h.daemon.Launch()
	}
	for _, h := range c.hosts {
		starts.Go(func() { h.daemon.WaitReady(2 * time.Minute) })
	}
	starts.Wait()
	return c
}

// redisLinks puts a proxy before each node and has the nodes' answers name the
// proxies: a client of a cluster goes to where its nodes say.
func (h *clusterHost) redisLinks(t *testing.T, c *RedisCluster) []string {
	t.Helper()
	names := map[string]string{}
	var addrs []string
	for _, n := range c.Nodes {
		link := StartProxy(t, n.Addr)
		h.links, addrs = append(h.links, link), append(addrs, link.Addr)
		names[portOf(n.Addr)] = portOf(link.Addr)
	}
	pairs := slices.Collect(maps.Keys(names))
	for _, link := range h.links {
		link.Edit(func(b []byte) {
			// Both ":7001\r\n" of CLUSTER SLOTS and "MOVED 1 127.0.0.1:7001\r\n".
			for _, from := range pairs {
				editInPlace(b, ":"+from+"\r\n", ":"+names[from]+"\r\n")
			}
		})
	}
	return addrs
}

// editInPlace replaces what has the same length; others are left alone: the
// client then goes past the proxy.
func editInPlace(b []byte, from, to string) {
	for len(from) == len(to) {
		i := bytes.Index(b, []byte(from))
		if i < 0 {
			return
		}
		b = b[i+copy(b[i:], to):]
	}
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return port
}

// cut pulls the host's cables, and plugs them in again.
func (h *clusterHost) cut(off bool) {
	for _, l := range h.links {
		l.BlackHole(off)
	}
}

// load lets the same visitors come to all hosts until calm.
func (c *clusterRig) load() {
	c.t.Helper()
	c.round++
	for i, h := range c.hosts {
		c.loads = append(c.loads, StartLoad(c.t, LoadOptions{
			Addr: h.nginx.Addr, Ledger: c.ledger, Total: 1 << 30, Clients: 4, Visitors: 60,
			Seed: uint64(1000*c.round + 100*i), Pace: 10 * time.Millisecond,
		}))
	}
}

// more waits until n more views were answered, by all hosts together.
func (c *clusterRig) more(n int) {
	c.t.Helper()
	want := c.ledger.Count() + n
	Eventually(c.t, time.Minute, "views are answered", func() error {
		if have := c.ledger.Count(); have < want {
			return fmt.Errorf("%d of %d", have, want)
		}
		return nil
	})
}

// calm ends the load.
func (c *clusterRig) calm() {
	c.t.Helper()
	for _, l := range c.loads {
		l.Finish()
	}
	for _, l := range c.loads {
		l.Wait()
		if l.Refused() != 0 {
			c.t.Errorf("%d views were refused", l.Refused())
		}
	}
	c.loads = nil
}

// exact waits until every number is the ledger's and the books of all hosts
// close.
func (c *clusterRig) exact() {
	c.t.Helper()
	began := time.Now()
	c.ledger.WaitEqual(c.t, c.redis.Client(), clusterSettle)
	c.t.Logf("exact after %d views, %v after the load ended", c.ledger.Count(), time.Since(began).Round(time.Millisecond))
	for i, h := range c.hosts {
		b := checkBooks(c.t, h.daemon)
		c.t.Logf("host %d: %v lines read, %v read again; %s", i+1, b.sum("ddkk_log_lines_read_total"),
			b.sum("ddkk_log_lines_reread_total"), b.commits())
		b.want(c.t, 0, "ddkk_sites_parked")
	}
	c.listed()
}

// listed waits until the list of all sites, which lies in a slot of its own, has
// every site: what a failover took from it the next audit puts back.
func (c *clusterRig) listed() {
	c.t.Helper()
	Eventually(c.t, time.Minute, "all sites are listed", func() error {
		have, err := c.redis.Client().SMembers(c.t.Context(), prefix+"sites").Result()
		slices.Sort(have)
		if want := slices.Sorted(slices.Values(c.ledger.Sites())); err == nil && !slices.Equal(have, want) {
			err = fmt.Errorf("%q, want %q", have, want)
		}
		return err
	})
}

// commits shows how commits went.
func (b books) commits() string {
	var all []string
	for series, n := range b {
		if n != 0 && (strings.HasPrefix(series, "ddkk_commits") || strings.HasPrefix(series, "ddkk_rebuild") || strings.HasPrefix(series, "ddkk_rewinds")) {
			all = append(all, fmt.Sprintf("%s %v", strings.TrimPrefix(series, "ddkk_"), n))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// sum adds up a metric over all hosts.
func (c *clusterRig) sum(name string, labels ...string) (sum float64) {
	c.t.Helper()
	for _, h := range c.hosts {
		b, err := readBooks(h.daemon)
		must(c.t, err)
		sum += b.sum(name, labels...)
	}
	return sum
}

// archive rotates all logs and archives on all hosts at the same time.
func (c *clusterRig) archive() { c.duringArchive(func() {}) }

// duringArchive does something else meanwhile.
func (c *clusterRig) duringArchive(also func()) {
	c.t.Helper()
	for _, h := range c.hosts {
		name := h.nginx.Rotate(fmt.Sprintf(".20260101T000000Z-%03d", c.round))
		old := time.Now().Add(-time.Hour) // only what is quiet is archived
		Eventually(c.t, 10*time.Second, "nginx has left the old log", func() error { return os.Chtimes(name, old, old) })
	}
	var work sync.WaitGroup
	errs := make([]error, len(c.hosts))
	for i, h := range c.hosts {
		work.Go(func() {
			errs[i] = poll(2*time.Minute, func() error { // another host may hold the lock
				out, err := Run(c.t, h.daemon.Env, "archive")
				if err != nil {
					return fmt.Errorf("archive on host %d: %w\n%s", i+1, err, out)
				}
				c.t.Logf("host %d archived: %s", i+1, out)
				return nil
			})
		})
	}
	also()
	work.Wait()
	must(c.t, errors.Join(errs...))
}

// verified compares Redis with the archive, from every host, and the archive's
// sums with the ledger.
func (c *clusterRig) verified() {
	c.t.Helper()
	for i, h := range c.hosts {
		out, err := Run(c.t, h.daemon.Env, "verify")
		if err != nil || !strings.Contains(out, " 0 differences, 0 problems") {
			c.t.Errorf("verify on host %d: %v\n%s", i+1, err, out)
		}
	}
	db := c.db.Open(c.t, "stats")
	for _, site := range c.ledger.Sites() {
		var pv, uv sql.NullInt64
		must(c.t, db.QueryRow("SELECT SUM(pv), SUM(uv) FROM daily_stats WHERE site = ?", site).Scan(&pv, &uv))
		if pv.Int64 != c.ledger.PV(site) || uv.Int64 != c.ledger.UV(site) {
			c.t.Errorf("the archive has %d views and %d visitors of %s, want %d and %d",
				pv.Int64, uv.Int64, site, c.ledger.PV(site), c.ledger.UV(site))
		}
	}
	var dirty, segments int
	must(c.t, db.QueryRow("SELECT COUNT(*) FROM days WHERE dirty <> 0").Scan(&dirty))
	must(c.t, db.QueryRow("SELECT COUNT(*) FROM segments").Scan(&segments))
	if dirty != 0 || segments != c.round*len(c.hosts) {
		c.t.Errorf("%d days are not summed up, %d segments are archived; want 0 and %d", dirty, segments, c.round*len(c.hosts))
	}
}

// counted waits until Redis has seen at least what was answered so far.
func (c *clusterRig) counted() {
	c.t.Helper()
	want := c.ledger.PV("ddkk.com")
	Eventually(c.t, time.Minute, "what was answered is counted", func() error {
		have, err := c.redis.Client().Get(c.t.Context(), prefix+"site:pv:{ddkk.com}").Int64()
		if err == nil && have < want {
			err = fmt.Errorf("%d of %d", have, want)
		}
		return err
	})
}

func wantError(err error) error {
	if err == nil {
		return errors.New("it does not")
	}
	return nil
}
