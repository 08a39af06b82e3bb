package parser

// cache remembers what was computed for a key, with bounded memory: at most two
// generations of max keys of at most maxKey bytes. When the younger one is full
// the older is forgotten, so what is in use survives and a flood of random keys
// costs its own misses and nothing else.
type cache[V any] struct {
	young, old  map[string]V
	max, maxKey int
}

func newCache[V any](maxKeys, maxKey int) cache[V] {
	return cache[V]{young: map[string]V{}, old: map[string]V{}, max: maxKeys, maxKey: maxKey}
}

// get allocates only when it moves a key into the younger generation.
func (c *cache[V]) get(key []byte) (v V, ok bool) {
	if v, ok = c.young[string(key)]; ok {
		return v, true
	}
	if v, ok = c.old[string(key)]; ok {
		c.put(key, v)
	}
	return v, ok
}

func (c *cache[V]) put(key []byte, v V) {
	if len(key) > c.maxKey {
		return
	}
	if len(c.young) >= c.max {
		c.young, c.old = c.old, c.young
		clear(c.young)
	}
	c.young[string(key)] = v
}
