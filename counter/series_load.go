package counter

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"ddkk-stats/counter/keys"
	"ddkk-stats/parser"
)

// fillCalls reads which names have their own fields.
func (ld *loader) fillCalls(ctx context.Context, name string, d *callDay) error {
	key := ld.keys.Calls(name, keys.Day(d.day))
	before, err := ld.callTotal(ctx, key)
	if err != nil {
		return err
	}
	for cursor := uint64(0); ; {
		pairs, next, err := ld.rdb.HScan(ctx, key, cursor, "", 1000).Result()
		if err != nil {
			return err
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			for prefix, all := range map[string]map[string]string{CallEndpoint: d.endpoints, CallUser: d.users} {
				if n, ok := strings.CutPrefix(pairs[i], prefix); ok && n != parser.OtherPage {
					all[n] = n
				}
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	if before > 0 {
		d.seen[key] = true
	}
	if err := ld.fillRequests(ctx, name, d); err != nil {
		return err
	}
	return ld.checkCalls(ctx, name, d.day, before)
}

func (ld *loader) callTotal(ctx context.Context, key string) (int64, error) {
	n, err := ld.rdb.HGet(ctx, key, CallTotal).Int64()
	if isNil(err) {
		err = nil
	}
	return n, err
}

// checkCalls makes sure that what is left of the current day's calls agrees
// with itself: keys that were deleted while no daemon ran are found so. Other
// days are left alone, and so is one that another daemon counts into meanwhile.
func (ld *loader) checkCalls(ctx context.Context, name string, d parser.Day, before int64) error {
	if d != parser.DayOf(ld.now().In(ld.loc)) {
		return nil
	}
	byHour, there, err := ld.callsBy(ctx, name, parts([]string{keys.Day(d)}, 24))
	if err != nil {
		return err
	}
	// An hour that is lost shows by its day: its minutes need not be asked.
	byMinute, _, err := ld.callsBy(ctx, name, parts(there, 60))
	if err != nil {
		return err
	}
	after, err := ld.callTotal(ctx, ld.keys.Calls(name, keys.Day(d)))
	if err != nil || after != before || after == byHour && after == byMinute {
		return err
	}
	return &damagedError{name, fmt.Sprintf("its calls of %d do not agree: %d, %d by hour, %d by minute", d, after, byHour, byMinute)}
}

// parts are the n hours of days, or minutes of hours.
func parts(periods []string, n int) []string {
	all := make([]string, 0, n*len(periods))
	for _, p := range periods {
		for i := range n {
			all = append(all, fmt.Sprintf("%s%02d", p, i))
		}
	}
	return all
}

// callsBy adds up the calls of periods, and tells which of them have any.
func (ld *loader) callsBy(ctx context.Context, name string, periods []string) (sum int64, there []string, err error) {
	if len(periods) == 0 {
		return 0, nil, nil
	}
	pipe := ld.rdb.Pipeline()
	var totals []*redis.StringCmd
	for _, p := range periods {
		totals = append(totals, pipe.HGet(ctx, ld.keys.Calls(name, p), CallTotal))
	}
	if _, err := pipe.Exec(ctx); err != nil && !isNil(err) {
		return 0, nil, err
	}
	for i, t := range totals {
		if !isNil(t.Err()) {
			there = append(there, periods[i])
		}
	}
	sum, err = sumOf(totals)
	return sum, there, err
}

func sumOf(replies []*redis.StringCmd) (sum int64, err error) {
	for _, r := range replies {
		n, err := r.Int64()
		if err != nil && !isNil(err) {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
