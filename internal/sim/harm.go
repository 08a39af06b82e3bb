package sim

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"ddkk-stats/counter"
)

// harm loses a key or gives it another type.
func (w *world) harm(s *step) {
	var keys []string
	for _, k := range w.store.keys() {
		if k != prefix+"secret" && strings.HasPrefix(k, prefix+s.Kind) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return
	}
	key := keys[int(s.Seed)%len(keys)]
	of := ""
	if strings.HasPrefix(key, prefix+"mirror:") {
		of = " of the mirror"
	}
	was := w.store.entry(key)
	kind := was.kind
	w.store.do("DEL", key)
	if s.Do == doLoseKey && of != "" {
		w.strike("key of the mirror lost")
		return
	}
	if s.Do == doLoseKey {
		w.strike("one key lost")
		return
	}
	w.strike("key" + of + " of another type")
	w.harmed = &harmed{key: key, was: was, site: w.checkpointOf(key)}
	if kind == "string" {
		w.store.do("HSET", key, "x", "y")
	} else {
		w.store.do("SET", key, "x")
	}
}

// harmed is the key that got another type last.
type harmed struct {
	key  string
	was  entry
	site entry // checkpoint of its site, at that moment
}

// checkpointOf is that of the site that a key is of.
func (w *world) checkpointOf(key string) entry {
	k := counter.NewKeys(counter.DefaultPrefix, false)
	n, ok := k.Parse(key)
	if !ok || n.Site == "" {
		return entry{}
	}
	return w.store.entry(k.Checkpoint(n.Site))
}

// repair is an operator who undoes what made a key one of another type, as long as nothing
// was counted into its site since: then all is as if nothing had been.
func (w *world) repair() {
	h := w.harmed
	if h == nil || h.site.kind == "" {
		return
	}
	is := w.store.entry(h.key)
	if is.kind == "" || is.kind == h.was.kind || !maps.Equal(w.checkpointOf(h.key).hash, h.site.hash) {
		return
	}
	w.harmed = nil
	w.store.do("DEL", h.key)
	w.store.put(h.key, h.was)
	if !h.was.dies.IsZero() {
		w.store.mini.SetTTL(h.key, time.Until(h.was.dies))
	}
	w.strike("key repaired by an operator")
}

// keepOlder keeps the progress file, if it is another one than the last that was kept.
func (d *daemon) keepOlder() {
	if d.runs == 0 || !d.w.sch.goesBack() {
		return
	}
	fi, err := os.Stat(d.progress())
	if err != nil || d.kept != nil && os.SameFile(fi, d.kept) && fi.ModTime().Equal(d.kept.ModTime()) {
		return
	}
	b, err := os.ReadFile(d.progress())
	if n := len(d.older); err == nil && (n == 0 || !bytes.Equal(d.older[n-1], b)) {
		d.older = append(d.older, b)
	}
	d.kept = fi
}

// spoil does to the progress file what a crash or a restored backup does.
func (w *world) spoil(d *daemon, s *step) error {
	b, err := os.ReadFile(d.progress())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch s.Kind {
	case progressOld:
		w.strike("progress file old")
		return os.WriteFile(d.progress(), d.older[int(s.Seed)%len(d.older)], 0o600)
	case progressTorn:
		w.strike("progress file torn")
		d.torn = true
		return os.WriteFile(d.progress(), b[:int(s.Seed)%len(b)], 0o600)
	case progressGone:
		w.strike("progress file missing")
		return os.Remove(d.progress())
	}
	return nil
}
