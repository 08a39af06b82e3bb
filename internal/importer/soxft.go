package importer

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
)

// SoxftStore is what is read of the Redis of a soxft/busuanzi.
type SoxftStore interface {
	// Number is a String's value; ok is false when there is none.
	Number(ctx context.Context, key string) (n int64, ok bool, err error)
	// Scores are members' scores in a sorted set, in their order; -1: none.
	Scores(ctx context.Context, key string, members []string) ([]int64, error)
	// Card is the number of members of a sorted set.
	Card(ctx context.Context, key string) (int64, error)
	// Visitors are the sizes of sets, or of what estimates them (HyperLogLog).
	Visitors(ctx context.Context, keys []string) ([]int64, error)
}

// SoxftCounts is what was found.
type SoxftCounts struct {
	Counts  []Count
	Found   int   // addresses that have views
	Unknown int64 // pages of the old counter that are not in the list
}

var errNoSoxft = errors.New("the Redis has no counts of these hosts; are --prefix and the hosts in the list right?")

// Soxft reads the counts of a soxft/busuanzi. Its keys are hashes of host and
// path, so only pages that are listed can be found. The key names of its
// versions, with h = md5(host) and p = md5(host + "&" + path), or md5(path)
// with its option pathStyle, or the middle 16 digits of either with MD516:
//
//	PREFIX:site_pv:h        String
//	PREFIX:site_uv:h        HyperLogLog, earlier a Set
//	PREFIX:page_pv:h        sorted set of p
//	PREFIX:page_uv:h:p      HyperLogLog; earlier PREFIX:page_uv:p, a Set
func Soxft(ctx context.Context, s SoxftStore, prefix string, n Naming, site string, pages []*url.URL) (*SoxftCounts, error) {
	byHost, seen := map[string][]*url.URL{}, map[[2]string]bool{}
	for _, p := range pages {
		if k := [2]string{p.Host, p.Path}; !seen[k] { // it knows no query
			seen[k] = true
			byHost[p.Host] = append(byHost[p.Host], p)
		}
	}
	out, all, known := &SoxftCounts{}, sums{}, false
	for host, list := range byHost {
		for _, short := range []bool{false, true} {
			h := &soxftHost{store: s, prefix: prefix, host: host, short: short}
			ok, err := h.read(ctx, n, site, list, all, out)
			if err != nil {
				return nil, fmt.Errorf("read the counts of %s: %w", host, err)
			}
			known = known || ok
		}
	}
	if !known {
		return nil, errNoSoxft
	}
	out.Counts = all.list()
	return out, nil
}

type soxftHost struct {
	store        SoxftStore
	prefix, host string
	short        bool // MD516
}

func (h *soxftHost) hash(text string) string {
	sum := md5.Sum([]byte(text))
	digits := hex.EncodeToString(sum[:])
	if h.short {
		return digits[8:24]
	}
	return digits
}

func (h *soxftHost) key(family string, parts ...string) string {
	k := h.prefix + ":" + family
	for _, p := range parts {
		k += ":" + p
	}
	return k
}

func (h *soxftHost) read(ctx context.Context, n Naming, site string, pages []*url.URL, all sums, out *SoxftCounts) (bool, error) {
	host := h.hash(h.host)
	pv, ok, err := h.store.Number(ctx, h.key("site_pv", host))
	if err != nil || !ok {
		return false, err
	}
	uv, err := h.store.Visitors(ctx, []string{h.key("site_uv", host)})
	if err != nil {
		return false, err
	}
	all.add(n, site, "", pv, uv[0])
	var found int64
	const at = 500
	for len(pages) > 0 {
		part := pages[:min(at, len(pages))]
		pages = pages[len(part):]
		got, err := h.pages(ctx, n, site, host, part, all)
		if err != nil {
			return false, err
		}
		found += got
	}
	card, err := h.store.Card(ctx, h.key("page_pv", host))
	out.Found += int(found)
	out.Unknown += max(card-found, 0)
	return true, err
}

// pages reads the counts of a few pages and tells how many have any.
func (h *soxftHost) pages(ctx context.Context, n Naming, site, host string, pages []*url.URL, all sums) (found int64, err error) {
	var members, uvKeys []string
	for _, p := range pages {
		for _, text := range []string{h.host + "&" + p.Path, p.Path} {
			m := h.hash(text)
			members = append(members, m)
			uvKeys = append(uvKeys, h.key("page_uv", host, m), h.key("page_uv", m))
		}
	}
	pv, err := h.store.Scores(ctx, h.key("page_pv", host), members)
	if err != nil {
		return 0, err
	}
	uv, err := h.store.Visitors(ctx, uvKeys)
	if err != nil {
		return 0, err
	}
	for i, p := range pages {
		for j := 2 * i; j < 2*i+2; j++ {
			if pv[j] < 0 {
				continue
			}
			found++
			all.add(n, site, p.EscapedPath(), pv[j], uv[2*j]+uv[2*j+1])
		}
	}
	return found, nil
}
