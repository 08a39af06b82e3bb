//go:build cluster

package e2e

import (
	"testing"
	"time"
)

// TestClusterCounts: three hosts, nothing fails, but that the list of all sites
// loses a name.
func TestClusterCounts(t *testing.T) {
	c := newClusterRig(t, []*MariaDB{StartMariaDB(t)})
	c.load()
	c.more(1500)
	must(t, c.redis.Client().SRem(t.Context(), prefix+"sites", "ddkk.com").Err())
	c.more(1500)
	c.calm()
	c.exact()
	c.archive()
	c.verified()
}

// TestClusterFailover kills Redis masters under load: one whose replica had all
// of it, and one whose replica had lost it before, so that what the master
// acknowledged meanwhile is gone. It is counted again from the three logs.
func TestClusterFailover(t *testing.T) {
	c := newClusterRig(t, []*MariaDB{StartMariaDB(t)})
	slot := c.redis.Slot("ddkk.com")
	c.load()
	c.more(1500)
	killed := c.redis.Failover(slot)
	c.more(1500)
	killed.Start()
	c.redis.WaitWhole()

	_, replica := c.redis.Owner(slot)
	c.redis.Sever(replica)
	c.more(2000) // acknowledged by a master that nobody follows
	c.counted()
	killed = c.redis.Failover(slot)
	c.more(1500)
	killed.Start()
	c.redis.WaitWhole()
	c.calm()
	c.exact()
	if n := c.sum("ddkk_log_lines_reread_total"); n < 500 {
		t.Errorf("%v lines were read again: the failover lost nothing", n)
	}
	c.archive()
	c.verified()
}

// TestClusterSlotsMove moves the slots of all sites to other nodes while they
// are counted.
func TestClusterSlotsMove(t *testing.T) {
	c := newClusterRig(t, []*MariaDB{StartMariaDB(t)})
	c.load()
	c.more(1500)
	for _, site := range c.ledger.Sites() {
		c.redis.MoveSlot(c.redis.Slot(site))
		c.more(500)
	}
	c.calm()
	c.exact()
	c.archive()
	c.verified()
}

// TestClusterHostCutOff pulls the cables of one host for longer than any of its
// timeouts. Its nginx goes on answering.
func TestClusterHostCutOff(t *testing.T) {
	c := newClusterRig(t, []*MariaDB{StartMariaDB(t)})
	c.load()
	c.more(1500)
	c.hosts[2].cut(true)
	Eventually(t, time.Minute, "the host that is cut off says so", func() error {
		_, err := c.hosts[2].daemon.Get("/readyz")
		return wantError(err)
	})
	c.more(3000)
	c.hosts[2].cut(false)
	c.more(1000)
	c.calm()
	c.exact()
	c.archive()
	c.verified()
}

// TestClusterGalera is all of it at once: each host archives into its own node of
// a Galera cluster, and under load a Redis master dies with what it had not
// replicated, slots move, a Galera node dies, and a host is cut off.
func TestClusterGalera(t *testing.T) {
	nodes := StartGalera(t)
	c := newClusterRig(t, nodes)
	slot := c.redis.Slot("ddkk.com")
	// Loads and rollups of three nodes collide otherwise each time.
	for range 3 {
		c.load()
		c.more(1000)
		c.calm()
		c.exact()
		c.archive()
		c.verified()
	}

	c.load()
	c.more(1000)
	nodes[2].Kill()
	c.hosts[1].cut(true)
	_, replica := c.redis.Owner(slot)
	c.redis.Sever(replica)
	c.more(1500)
	c.hosts[1].cut(false)
	killed := c.redis.Failover(slot)
	c.more(500)
	killed.Start()
	c.redis.WaitWhole()
	c.redis.MoveSlot(slot)
	c.more(500)
	c.calm()
	c.exact()
	c.duringArchive(func() {
		nodes[2].Start()
		nodes[2].WaitSynced()
	})
	c.verified()
	for i, n := range nodes {
		size, err := n.wsrep("wsrep_cluster_size")
		must(t, err)
		if size != "3" {
			t.Errorf("node %d sees %s nodes, want 3", i+1, size)
		}
	}
}
