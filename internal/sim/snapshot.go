package sim

import (
	"maps"
	"slices"
	"time"
)

// snapshot is all that the store held at a moment.
type snapshot map[string]entry

// entry is one key.
type entry struct {
	kind   string
	text   string
	hash   map[string]string
	list   []string
	ranked map[string]float64
	dies   time.Time // zero: never
}

func (s *store) entry(key string) entry {
	m := s.mini
	e := entry{kind: m.Type(key)}
	switch e.kind {
	case "string":
		e.text, _ = m.Get(key)
	case "hash":
		e.hash = map[string]string{}
		fields, _ := m.HKeys(key)
		for _, f := range fields {
			e.hash[f] = m.HGet(key, f)
		}
	case "list":
		all, _ := m.List(key)
		e.list = slices.Clone(all)
	case "set":
		e.list, _ = m.SMembers(key)
	case "zset":
		all, _ := m.SortedSet(key)
		e.ranked = maps.Clone(all)
	}
	if ttl := m.TTL(key); ttl > 0 {
		e.dies = time.Now().Add(ttl)
	}
	return e
}

// snap takes a snapshot.
func (s *store) snap() snapshot {
	all := snapshot{}
	for _, key := range s.mini.Keys() {
		all[key] = s.entry(key)
	}
	return all
}

// goBack makes the store what it was at a moment, as when it is started from an
// older file, or when a replica is promoted that lagged.
func (s *store) goBack(to snapshot) {
	m := s.mini
	m.FlushAll()
	for key, e := range to {
		if !e.dies.IsZero() && !e.dies.After(time.Now()) {
			continue
		}
		s.put(key, e)
		if !e.dies.IsZero() {
			m.SetTTL(key, time.Until(e.dies))
		}
	}
	s.restart()
}

func (s *store) put(key string, e entry) {
	switch e.kind {
	case "string":
		s.do("SET", key, e.text)
	case "hash":
		for f, v := range e.hash {
			s.do("HSET", key, f, v)
		}
	case "list":
		s.do(append([]string{"RPUSH", key}, e.list...)...)
	case "set":
		s.do(append([]string{"SADD", key}, e.list...)...)
	case "zset":
		for member, score := range e.ranked {
			_, _ = s.mini.ZAdd(key, score, member)
		}
	}
}
