//go:build cluster || attack

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisCluster is a real Redis Cluster on loopback: three masters with one
// replica each, all with the shipped configuration.
type RedisCluster struct {
	t      testing.TB
	Nodes  []*Redis
	client *redis.ClusterClient
}

// busOffset is how far a node's port for its cluster lies above its own.
const busOffset = 10_000

// StartRedisCluster starts six servers and makes a cluster of them.
func StartRedisCluster(t testing.TB) *RedisCluster {
	t.Helper()
	c := &RedisCluster{t: t}
	addrs := make([]string, 0, 6)
	for range 6 {
		// A failover after two seconds; also of a replica that lost its master
		// long before, which is the one whose data is the oldest.
		node := startRedisOn(t, clusterPort(t), "--cluster-enabled", "yes",
			"--cluster-node-timeout", "2000", "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0")
		c.Nodes = append(c.Nodes, node)
		addrs = append(addrs, node.Addr)
	}
	args := append([]string{"--cluster", "create"}, addrs...)
	out, err := exec.Command(program(t, "redis-cli"), append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("create the cluster: %v\n%s", err, out)
	}
	c.client = redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, ReadTimeout: 10 * time.Second})
	t.Cleanup(func() { must(t, c.client.Close()) })
	c.WaitWhole()
	return c
}

// clusterPort is a free port whose bus port is free as well.
func clusterPort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := FreePort(t)
		if port+busOffset > 65535 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+busOffset)))
		if err != nil {
			continue
		}
		must(t, l.Close())
		return port
	}
	t.Fatal("no two free ports for a node of a cluster")
	return 0
}

// Client is a client of the whole cluster, past every proxy.
func (c *RedisCluster) Client() *redis.ClusterClient { return c.client }

// Slot is the slot that all keys of a site lie in.
func (c *RedisCluster) Slot(site string) int {
	c.t.Helper()
	n, err := c.Nodes[0].Client(c.t).ClusterKeySlot(c.t.Context(), "{"+site+"}").Result()
	must(c.t, err)
	return int(n)
}

// at finds a server by its address.
func (c *RedisCluster) at(addr string) *Redis {
	c.t.Helper()
	for _, n := range c.Nodes {
		if n.Addr == addr {
			return n
		}
	}
	c.t.Fatalf("the cluster names %s, which is none of its nodes", addr)
	return nil
}

// owners are the servers of a slot, its master first, as one node sees it.
func (c *RedisCluster) owners(ctx context.Context, seer *redis.Client, slot int) ([]string, error) {
	ranges, err := seer.ClusterSlots(ctx).Result()
	if err != nil {
		return nil, err
	}
	for _, r := range ranges {
		if slot < r.Start || r.End < slot {
			continue
		}
		addrs := make([]string, len(r.Nodes))
		for i, n := range r.Nodes {
			addrs[i] = n.Addr
		}
		return addrs, nil
	}
	return nil, fmt.Errorf("nobody has slot %d", slot)
}

// Owner is the master of a slot and one of its replicas, nil when it has none.
func (c *RedisCluster) Owner(slot int) (master, replica *Redis) {
	c.t.Helper()
	for _, n := range c.Nodes {
		if n.PID() == 0 {
			continue
		}
		addrs, err := c.owners(c.t.Context(), n.Client(c.t), slot)
		must(c.t, err)
		if len(addrs) > 1 {
			replica = c.at(addrs[1])
		}
		return c.at(addrs[0]), replica
	}
	c.t.Fatal("no node of the cluster runs")
	return nil, nil
}

// WaitWhole waits until every running node finds the cluster whole, agrees on
// who has which slots, and every replica follows its master.
func (c *RedisCluster) WaitWhole() {
	c.t.Helper()
	Eventually(c.t, 60*time.Second, "the cluster is whole", func() error {
		var all []string // who has which slots, as each node says
		for _, n := range c.Nodes {
			if n.PID() == 0 {
				continue
			}
			if err := whole(c.t.Context(), n); err != nil {
				return fmt.Errorf("%s: %w", n.Addr, err)
			}
			slots, replicas, err := c.slots(n)
			if err != nil {
				return fmt.Errorf("%s: %w", n.Addr, err)
			}
			all = append(all, slots)
			// One that was just started still thinks that it is a master.
			if slots != all[0] {
				return fmt.Errorf("%s says that slots are at %s, another one at %s", n.Addr, slots, all[0])
			}
			if replicas == 0 && !slices.ContainsFunc(c.Nodes, func(n *Redis) bool { return n.PID() == 0 }) {
				return fmt.Errorf("%s knows a master without a replica: %s", n.Addr, slots)
			}
		}
		return nil
	})
}

// slots is who has which slots as a node says, and how many replicas the master
// has that has the fewest.
func (c *RedisCluster) slots(n *Redis) (text string, replicas int, err error) {
	client := n.connect()
	defer func() { err = errors.Join(err, client.Close()) }()
	ranges, err := client.ClusterSlots(c.t.Context()).Result()
	if err != nil {
		return "", 0, err
	}
	replicas = len(c.Nodes)
	var all []string
	for _, r := range ranges {
		all = append(all, fmt.Sprintf("%d-%d %s", r.Start, r.End, r.Nodes[0].Addr))
		replicas = min(replicas, len(r.Nodes)-1)
	}
	slices.Sort(all)
	return strings.Join(all, ", "), replicas, nil
}

func whole(ctx context.Context, n *Redis) (err error) {
	client := n.connect()
	defer func() { err = errors.Join(err, client.Close()) }()
	info, err := client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_size:3") {
		return errors.New("the cluster is not ok")
	}
	text, err := client.Info(ctx, "replication").Result()
	if err != nil {
		return err
	}
	if strings.Contains(text, "role:slave") && !strings.Contains(text, "master_link_status:up") {
		return errors.New("it does not follow its master")
	}
	return nil
}

// Sever makes a replica lose its master and not find it again: what the master
// acknowledges from now on is lost with it.
func (c *RedisCluster) Sever(replica *Redis) {
	c.t.Helper()
	client, ctx := replica.Client(c.t), c.t.Context()
	must(c.t, client.ConfigSet(ctx, "masterauth", "nobody-knows").Err())
	must(c.t, client.Do(ctx, "CLIENT", "KILL", "TYPE", "master").Err())
	Eventually(c.t, 20*time.Second, "the replica has lost its master", func() error {
		text, err := client.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(text, "master_link_status:down") {
			err = errors.New("it follows")
		}
		return err
	})
}

// Failover kills a slot's master with SIGKILL and waits until its replica has
// taken over. It returns the server that was killed.
func (c *RedisCluster) Failover(slot int) (killed *Redis) {
	c.t.Helper()
	killed, next := c.Owner(slot)
	if next == nil {
		c.t.Fatalf("slot %d has no replica", slot)
	}
	killed.Kill()
	client := next.Client(c.t)
	Eventually(c.t, 40*time.Second, "the replica takes over", func() error {
		addrs, err := c.owners(c.t.Context(), client, slot)
		if err == nil && addrs[0] != next.Addr {
			err = fmt.Errorf("the master is still %s", addrs[0])
		}
		return err
	})
	must(c.t, client.ConfigSet(c.t.Context(), "masterauth", "").Err())
	return killed
}

// MoveSlot gives a slot with all its keys to another master, key by key while
// it is used, as redis-cli --cluster reshard does.
func (c *RedisCluster) MoveSlot(slot int) {
	c.t.Helper()
	from, _ := c.Owner(slot)
	to := c.another(from)
	ctx := c.t.Context()
	source, target := from.Client(c.t), to.Client(c.t)
	sourceID, targetID := c.id(source), c.id(target)
	must(c.t, target.Do(ctx, "CLUSTER", "SETSLOT", slot, "IMPORTING", sourceID).Err())
	must(c.t, source.Do(ctx, "CLUSTER", "SETSLOT", slot, "MIGRATING", targetID).Err())
	host, port, err := net.SplitHostPort(to.Addr)
	must(c.t, err)
	for moved := 0; ; {
		keys, err := source.ClusterGetKeysInSlot(ctx, slot, 50).Result()
		must(c.t, err)
		if len(keys) == 0 {
			c.t.Logf("slot %d: %d keys moved from %s to %s", slot, moved, from.Addr, to.Addr)
			break
		}
		args := []any{"MIGRATE", host, port, "", 0, 10_000, "KEYS"}
		for _, k := range keys {
			args = append(args, k)
		}
		must(c.t, source.Do(ctx, args...).Err())
		moved += len(keys)
	}
	must(c.t, target.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", targetID).Err())
	must(c.t, source.Do(ctx, "CLUSTER", "SETSLOT", slot, "NODE", targetID).Err())
	Eventually(c.t, 20*time.Second, "all nodes know who has the slot", func() error {
		for _, n := range c.Nodes {
			addrs, err := c.owners(ctx, n.Client(c.t), slot)
			if err != nil {
				return err
			}
			if addrs[0] != to.Addr {
				return fmt.Errorf("%s says that %s has it", n.Addr, addrs[0])
			}
		}
		return nil
	})
}

// another is a master other than this one.
func (c *RedisCluster) another(than *Redis) *Redis {
	c.t.Helper()
	for slot := 0; slot < 16384; slot += 1024 {
		if master, _ := c.Owner(slot); master != than {
			return master
		}
	}
	c.t.Fatal("the cluster has one master")
	return nil
}

func (c *RedisCluster) id(client *redis.Client) string {
	c.t.Helper()
	id, err := client.Do(c.t.Context(), "CLUSTER", "MYID").Text()
	must(c.t, err)
	return id
}
