package e2e

import (
	"testing"
	"time"
)

// TestPipeline is the whole promise in one story: real nginx and Redis, views
// from many clients, the log rotated and the daemon killed on the way. At the
// end every counter is what the clients know they were told.
func TestPipeline(t *testing.T) {
	const total = 20_000
	redis := StartRedis(t)
	env := map[string]string{"REDIS_ADDR": redis.Addr, "TIMEZONE": "UTC"}
	daemon := NewDaemon(t, env)
	nginx := StartNginx(t, Binary(t), daemon.Addr)
	daemon.Env["ACCESS_LOG"], daemon.Env["NGINX_PID"] = nginx.Log, nginx.PIDFile
	daemon.Start()

	ledger, client := NewLedger(time.UTC), redis.Client(t)
	load := StartLoad(t, LoadOptions{Addr: nginx.Addr, Ledger: ledger, Total: total})
	load.WaitAcked(total*3/10, time.Minute)
	nginx.Rotate(".20260101T000000Z-1")
	load.WaitAcked(total*6/10, time.Minute)
	daemon.Kill()
	load.WaitAcked(total*8/10, time.Minute) // views that nobody reads yet
	daemon.Start()
	load.Wait()
	if load.Acked() != total || load.Refused() != 0 {
		t.Errorf("%d beacons were answered 200 and %d otherwise, want %d and 0", load.Acked(), load.Refused(), total)
	}
	ledger.WaitEqual(t, client, time.Minute)

	// A restart reads nothing twice.
	if took := daemon.Terminate(); took > exitLimit {
		t.Errorf("the daemon took %v to end", took)
	}
	daemon.Start()
	load = StartLoad(t, LoadOptions{Addr: nginx.Addr, Ledger: ledger, Total: 500, Seed: 1000})
	load.Wait()
	ledger.WaitEqual(t, client, time.Minute)
}
