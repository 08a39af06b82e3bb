package parser

import (
	"math"
	"strconv"
	"strings"
)

// Latencies are counted in buckets of $request_time, in milliseconds. Below
// latencyExact each millisecond has a bucket of its own; above, buckets grow by
// a tenth, so that the value that stands for one is off by 5% at most. The last
// one takes everything over ten minutes.
const (
	latencyExact = 19
	latencyMost  = 600_000
	// latencyError is the relative error of a percentile.
	latencyError = 0.05
)

// latencyBounds are the highest millisecond of each bucket but the last.
var latencyBounds = func() []int64 {
	growth := (1 + latencyError) / (1 - latencyError)
	var bounds []int64
	for at := int64(0); at < latencyMost; {
		bounds = append(bounds, at)
		at = max(at+1, int64(math.Floor(float64(at)*growth)))
	}
	return bounds
}()

// LatencyBuckets is how many buckets there are.
func LatencyBuckets() int { return len(latencyBounds) + 1 }

// LatencyBucket is the bucket of a latency.
func LatencyBucket(ms int64) int {
	if ms <= latencyExact {
		return int(max(ms, 0))
	}
	low, high := latencyExact, len(latencyBounds)
	for low < high {
		mid := (low + high) / 2
		if latencyBounds[mid] < ms {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// LatencyOf is the number of milliseconds that stands for a bucket: less than
// 5% off any that is in it, but for the last one.
func LatencyOf(bucket int) float64 {
	switch {
	case bucket <= 0:
		return 0
	case bucket >= len(latencyBounds):
		return latencyMost
	}
	low, high := float64(latencyBounds[bucket-1]+1), float64(latencyBounds[bucket])
	return 2 * low * high / (low + high)
}

// Milliseconds is the request's time; false when the format has none.
func (h *Hit) Milliseconds() (int64, bool) {
	if h.RequestTime < 0 {
		return 0, false
	}
	return int64(math.Round(h.RequestTime * 1000)), true
}

// LatencyName names a bucket of all calls, or of one endpoint's.
func LatencyName(bucket int, endpoint string) string {
	if endpoint == "" {
		return strconv.Itoa(bucket)
	}
	return strconv.Itoa(bucket) + ":" + endpoint
}

// ParseLatencyName is the inverse of LatencyName.
func ParseLatencyName(name string) (bucket int, endpoint string, err error) {
	number, endpoint, _ := strings.Cut(name, ":")
	bucket, err = strconv.Atoi(number)
	return bucket, endpoint, err
}
