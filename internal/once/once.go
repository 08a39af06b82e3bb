// Package once has something told once, though several hosts would tell it and each may be
// killed at any moment.
//
// Who tells writes a claim first, tells, and notes that it is done; each step replaces the
// note only if it still is what was read. A host that was killed in between tells after
// its restart, another one when the claim has not moved for Lease. So what is told is told
// at least once, and twice only if the host was killed after the receiver had taken it and
// before that was noted.
package once

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Ledger keeps notes that all hosts share.
type Ledger interface {
	// SharedNote is the note of a name; "": there is none.
	SharedNote(ctx context.Context, name string) (string, error)
	// SwapSharedNote replaces a note if it still is was, and tells whether it did.
	SwapSharedNote(ctx context.Context, name, was, is string) (bool, error)
}

const (
	// Lease is how long a claim stands that does not move: the clocks of hosts are not
	// compared, each looks for itself.
	Lease = 10 * time.Minute
	// limit bounds the telling, well within Lease.
	limit = 2 * time.Minute
)

// Outcome is what became of telling.
type Outcome uint8

// Outcomes.
const (
	Told      Outcome = iota + 1
	Already           // it was told before
	Elsewhere         // another host is at it
)

// note is what the ledger keeps of a name.
type note struct {
	Done string `json:"done,omitempty"` // what was told last
	What string `json:"what,omitempty"` // what is being told
	By   string `json:"by,omitempty"`   // the host that does
	Try  string `json:"try,omitempty"`  // tells one try from the next
}

// Teller tells in the name of a host. Its methods may be called by any goroutine, Do for
// one name by one at a time.
type Teller struct {
	host string
	now  func() time.Time

	mu   sync.Mutex
	seen map[string]claim  // claims of others, by name
	told map[string]string // what was told and could not be noted
}

// claim is one of another host, and since when it has not moved.
type claim struct {
	text  string
	since time.Time
}

// NewTeller tells in the name of a host that no other has.
func NewTeller(host string, now func() time.Time) *Teller {
	return &Teller{host: host, now: now, seen: map[string]claim{}, told: map[string]string{}}
}

// Last is what was told under a name, or is being told; "": nothing.
func Last(ctx context.Context, l Ledger, name string) (string, error) {
	_, n, err := read(ctx, l, name)
	if n.What != "" {
		return n.What, err
	}
	return n.Done, err
}

func read(ctx context.Context, l Ledger, name string) (text string, n note, err error) {
	if text, err = l.SharedNote(ctx, name); err != nil || text == "" {
		return text, n, err
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return text, n, fmt.Errorf("read what was told as %s: %w", name, err)
	}
	return text, n, nil
}

// Do tells what is due under a name, unless it was told, or another host is at it.
func (t *Teller) Do(ctx context.Context, l Ledger, name, what string, tell func(context.Context) error) (Outcome, error) {
	text, n, err := read(ctx, l, name)
	switch {
	case err != nil:
		return 0, err
	case n.What == "" && n.Done == what:
		return Already, nil
	case n.What != "" && n.By != t.host && t.stands(name, text):
		return Elsewhere, nil
	}
	claimed := encode(note{Done: n.Done, What: what, By: t.host, Try: rand.Text()})
	ok, err := l.SwapSharedNote(ctx, name, text, claimed)
	if err != nil {
		return 0, err
	}
	if !ok {
		return Elsewhere, nil
	}
	if !t.remembers(name, what) {
		telling, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if err := tell(telling); err != nil {
			return 0, err // the claim stays: this host tries again, or another one later
		}
		t.remember(name, what)
	}
	// Not ctx: it was told, and a stop must not have it told again.
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	if _, err := l.SwapSharedNote(noting, name, claimed, encode(note{Done: what})); err != nil {
		return Told, fmt.Errorf("it was told, which cannot be noted; after a restart it would be told again: %w", err)
	}
	return Told, nil
}

func (t *Teller) remembers(name, what string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told[name] == what
}

func (t *Teller) remember(name, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told[name] = what
}

// encode writes a note; its fields are texts, which JSON always takes.
func encode(n note) string {
	b, err := json.Marshal(n)
	if err != nil {
		panic("BUG: a note cannot be written: " + err.Error())
	}
	return string(b)
}

// stands tells whether a claim of another host has moved within Lease.
func (t *Teller) stands(name, text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, now := t.seen[name], t.now()
	if c.text != text || now.Before(c.since) {
		t.seen[name] = claim{text, now}
		return true
	}
	return now.Sub(c.since) < Lease
}
