package daemon

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// trips measures each exchange with Redis on its way.
type trips struct {
	took  prometheus.Observer
	fails prometheus.Counter
}

// newTrips makes the two measures of exchanges, by who asks.
func newTrips() (took *prometheus.HistogramVec, fails *prometheus.CounterVec) {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ddkk_redis_round_trip_seconds", Help: "Time from a question to Redis, or a pipeline of them, to its answer, by who asks.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}, []string{"by"}), prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ddkk_redis_round_trip_errors_total", Help: "Exchanges with Redis that had no answer.",
		}, []string{"by"})
}

// DialHook implements redis.Hook.
func (t trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (t trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmd)
		t.ended(began, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (t trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmds)
		t.ended(began, err)
		return err
	}
}

func (t trips) ended(began time.Time, err error) {
	t.took.Observe(time.Since(began).Seconds())
	var said redis.Error
	if err != nil && !errors.As(err, &said) && !errors.Is(err, context.Canceled) {
		t.fails.Inc()
	}
}
