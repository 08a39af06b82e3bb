package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Faults of Redis that do not pass: keys that are gone or are something else.

func TestFaultFlushAll(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	for range 3 {
		r.some(1500)
		r.more(200)
		must(t, r.client.FlushAll(t.Context()).Err())
		r.more(200)
	}
	r.more(500)
	stop()
	r.exact().atLeast(t, 1, "ddkk_rebuilds_total")

	// And while the daemon is down.
	r.daemon.Terminate()
	must(t, r.client.FlushAll(t.Context()).Err())
	r.daemon.Start()
	r.write(100)
	r.exact().atLeast(t, 1, "ddkk_rebuilds_total")
}

// damagedSite is a site that gets views in every test, and a page of it that many
// read.
const damagedSite, damagedPage = "ddkk.com", "/"

// counterKeys are keys of that site, by what they are.
func counterKeys() map[string]string {
	today, site := time.Now().UTC().Format("20060102"), damagedSite
	return map[string]string{
		"checkpoint":   prefix + "ckpt:" + site,
		"site pv":      prefix + "site:pv:" + site,
		"site uv":      prefix + "site:uv:" + site,
		"visitor set":  prefix + "site:uv:set:" + site + ":" + today,
		"pairs":        prefix + "page:pairs:" + site + ":" + today,
		"page pv":      prefix + "page:pv:" + site + ":" + damagedPage,
		"page uv":      prefix + "page:uv:" + site + ":" + damagedPage,
		"hot all":      prefix + "hot:" + site + ":all",
		"hot day":      prefix + "hot:" + site + ":day:" + today,
		"site pv day":  prefix + "site:pv:" + site + ":" + today,
		"site uv day":  prefix + "site:uv:" + site + ":" + today,
		"events":       prefix + "event:" + site + ":" + today,
		"books of day": prefix + "site:books:" + site + ":" + today,
	}
}

// damage spoils keys of a site one after the other under load: each must be
// noticed by itself, and the site rebuilt.
func damage(t *testing.T, keys []string, spoil func(ctx context.Context, client *redis.Client, key string) error) {
	r := startRig(t, rigOptions{})
	ctx := t.Context()
	for _, what := range keys {
		key := counterKeys()[what]
		t.Logf("%s: %s", what, key)
		stop := r.feed()
		r.more(300)
		Eventually(t, time.Minute, "the key is there", func() error {
			n, err := r.client.Exists(ctx, key).Result()
			if err == nil && n != 1 {
				err = fmt.Errorf("%s is not", key)
			}
			return err
		})
		rebuilds := checkBooks(t, r.daemon).sum("ddkk_rebuilds_total")
		must(t, spoil(ctx, r.client, key))
		r.more(400)
		stop()
		r.exact().atLeast(t, rebuilds+1, "ddkk_rebuilds_total")
	}
}

func deleteKey(ctx context.Context, client *redis.Client, key string) error {
	return client.Del(ctx, key).Err()
}

// plantList puts a list at the key: the type that no counter is.
func plantList(ctx context.Context, client *redis.Client, key string) error {
	_, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, key)
		p.LPush(ctx, key, "planted")
		return nil
	})
	return err
}

// plantText puts a text where a number is.
func plantText(ctx context.Context, client *redis.Client, key string) error {
	return client.Set(ctx, key, "many", 0).Err()
}

func TestFaultKeyDeleted(t *testing.T) {
	damage(t, []string{"checkpoint", "site pv", "visitor set", "pairs", "page pv", "page uv"}, deleteKey)
}

func TestFaultWrongType(t *testing.T) {
	damage(t, []string{
		"checkpoint", "site pv", "site uv", "visitor set", "pairs", "page pv", "page uv", "hot all", "hot day",
		"site pv day", "site uv day", "events", "books of day",
	}, plantList)
}

func TestFaultNotANumber(t *testing.T) {
	damage(t, []string{"site pv", "site uv", "page pv", "page uv", "site pv day", "site uv day"}, plantText)
}

// TestFaultKeyWentBack sets counters to less than they were, as a careless
// repair does.
func TestFaultKeyWentBack(t *testing.T) {
	r := startRig(t, rigOptions{})
	stop := r.feed()
	r.more(1000)
	must(t, r.client.Set(t.Context(), counterKeys()["site pv"], 3, 0).Err())
	r.more(600)
	must(t, r.client.Append(t.Context(), counterKeys()["pairs"], "12345678").Err())
	r.more(600)
	stop()
	r.exact()
}
