//go:build cluster

package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// galeraProvider is where Debian's galera-4 puts the library.
const galeraProvider = "/usr/lib/galera/libgalera_smm.so"

// newClusterFlag starts a cluster instead of joining one.
const newClusterFlag = "--wsrep-new-cluster"

// StartGalera starts a Galera cluster of three nodes on loopback.
func StartGalera(t testing.TB) []*MariaDB {
	t.Helper()
	if _, err := os.Stat(galeraProvider); err != nil {
		t.Fatalf("Galera is not installed: run `make deps-full` (%v)", err)
	}
	const size = 3
	ports, all := make([]int, size), make([]string, size)
	for i := range ports {
		ports[i] = FreePort(t)
		all[i] = fmt.Sprintf("127.0.0.1:%d", ports[i])
	}
	nodes := make([]*MariaDB, size)
	for i := range nodes {
		args := []string{
			"--wsrep-on=1", "--wsrep-provider=" + galeraProvider, "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2",
			"--wsrep-cluster-address=gcomm://" + strings.Join(all, ","), "--wsrep-node-address=127.0.0.1",
			fmt.Sprintf("--wsrep-node-name=node%d", i+1), "--wsrep-sst-method=rsync",
			fmt.Sprintf("--wsrep-sst-receive-address=127.0.0.1:%d", FreePort(t)),
			fmt.Sprintf("--wsrep-provider-options=base_host=127.0.0.1;base_port=%[1]d;gmcast.listen_addr=tcp://127.0.0.1:%[1]d;"+
				"ist.recv_addr=127.0.0.1:%[2]d;gcache.size=64M", ports[i], FreePort(t)),
		}
		if i == 0 {
			args = append(args, newClusterFlag)
		}
		nodes[i] = newMariaDB(t, args...)
		nodes[i].unprivileged()
		nodes[i].Start()
		nodes[i].args = slices.DeleteFunc(nodes[i].args, func(a string) bool { return a == newClusterFlag })
		nodes[i].WaitSynced()
	}
	return nodes
}

// unprivileged makes a server that root would start run as mysql, the user of
// Debian's package: rsync, which brings a node the data of another one, gives
// up root's rights and could not write root's files.
func (m *MariaDB) unprivileged() {
	m.t.Helper()
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("mysql")
	must(m.t, err)
	uid, err := strconv.Atoi(account.Uid)
	must(m.t, err)
	gid, err := strconv.Atoi(account.Gid)
	must(m.t, err)
	must(m.t, filepath.WalkDir(m.Dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, uid, gid))
	}))
	m.args = slices.DeleteFunc(m.args, func(a string) bool { return slices.Contains(asUser(), a) })
	m.user = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// WaitSynced waits until a node of a Galera cluster takes part in it.
func (m *MariaDB) WaitSynced() {
	m.t.Helper()
	m.waitReady(90*time.Second, func() error {
		state, err := m.wsrep("wsrep_local_state_comment")
		if err == nil && state != "Synced" {
			err = fmt.Errorf("its state is %q", state)
		}
		return err
	})
}

// wsrep asks a node what it thinks of its cluster.
func (m *MariaDB) wsrep(name string) (value string, err error) {
	db, err := sql.Open("mysql", m.DSN(""))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx, cancel := context.WithTimeout(m.t.Context(), 10*time.Second)
	defer cancel()
	err = db.QueryRowContext(ctx, "SHOW STATUS LIKE '"+name+"'").Scan(&name, &value)
	return value, err
}
