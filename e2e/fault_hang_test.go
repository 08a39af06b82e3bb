package e2e

import "testing"

func TestFaultTerminateWhileRedisHangs(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	r.more(500)
	r.proxy.BlackHole(true)
	r.more(500)
	t.Logf("while Redis hangs: ended after %v", r.daemon.Terminate())
	r.daemon.Launch()
	r.more(500)
	t.Logf("while Redis never answered: ended after %v", r.daemon.Terminate())
	r.proxy.BlackHole(false)
	r.daemon.Start()
	stop()
	r.exact()
}
