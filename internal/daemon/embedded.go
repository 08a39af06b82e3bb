package daemon

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"

	"ddkk-stats/counter"
)

// embeddedRedis is the in-process server that stands in for Redis when
// REDIS_ADDR is empty. It keeps nothing over a restart: the sites are rebuilt
// from the log then, by the same path as after a disaster.
type embeddedRedis struct {
	server   *miniredis.Miniredis
	password string
}

// startEmbeddedRedis listens on a free loopback port, behind a password: other
// users of the machine must not write our counters.
func startEmbeddedRedis() (*embeddedRedis, error) {
	e := &embeddedRedis{server: miniredis.NewMiniRedis(), password: rand.Text()}
	e.server.RequireAuth(e.password)
	if err := e.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start embedded Redis: %w", err)
	}
	return e, nil
}

func (e *embeddedRedis) options() counter.ConnectOptions {
	return counter.ConnectOptions{Addrs: []string{e.server.Addr()}, Password: e.password}
}

// tick advances the server's clock, which stands still by itself, so that keys
// expire.
func (e *embeddedRedis) tick(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			e.server.FastForward(time.Second)
		}
	}
}
