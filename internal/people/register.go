package people

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/queryapi"
)

// every is how often the archive is asked who has a token.
const every = 5 * time.Second

// noting bounds how long an entry of the audit log may take.
const noting = 3 * time.Second

// Register tells who shows a token. Any goroutine may ask it.
type Register struct {
	opened func() (*archive.Archive, error)
	now    func() time.Time
	log    *slog.Logger

	mu       sync.RWMutex
	bySecret map[string]*archive.Token
	byID     map[string]*archive.Token
	right    map[string][sha256.Size]byte // marks of passwords that were right, by token

	key  [32]byte      // of the marks
	turn chan struct{} // has one element while a password is tried
}

// NewRegister knows nobody until Run or Learn has asked the archive.
func NewRegister(opened func() (*archive.Archive, error), now func() time.Time, log *slog.Logger) *Register {
	r := &Register{opened: opened, now: now, log: log, right: map[string][sha256.Size]byte{}, turn: make(chan struct{}, 1)}
	rand.Read(r.key[:]) // cannot fail since Go 1.24: the program ends instead
	return r
}

// Run keeps what is known up to date until ctx ends.
func (r *Register) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failed := false
	for {
		if _, err := r.opened(); err == nil {
			err := r.Learn(ctx)
			if err != nil && !failed && ctx.Err() == nil {
				r.log.Warn("cannot read who has a token; those that are known stay in force", "err", err)
			}
			failed = err != nil
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Learn asks the archive now.
func (r *Register) Learn(ctx context.Context) error {
	a, err := r.opened()
	if err != nil {
		return err
	}
	all, err := a.Tokens(ctx)
	if err != nil {
		return err
	}
	bySecret, byID := make(map[string]*archive.Token, len(all)), make(map[string]*archive.Token, len(all))
	for i := range all {
		if t := &all[i]; t.Revoked.IsZero() {
			bySecret[t.Secret], byID[t.ID] = t, t
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bySecret, r.byID = bySecret, byID
	return nil
}

// inForce returns a token unless it has ended.
func (r *Register) inForce(t *archive.Token) *archive.Token {
	if t == nil || !t.Ends.IsZero() && !t.Ends.After(r.now()) {
		return nil
	}
	return t
}

func (r *Register) secret(token []byte) *archive.Token {
	hash := hashOf(token)
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.inForce(r.bySecret[hash])
}

func (r *Register) id(id string) *archive.Token {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.inForce(r.byID[id])
}

func personOf(t *archive.Token) *queryapi.Person {
	if t == nil {
		return nil
	}
	return &queryapi.Person{ID: t.ID, Name: t.Name, Role: queryapi.Role(t.Role), Sites: t.Sites, Share: t.Share, Password: t.Password != ""}
}

// Person implements queryapi.People.
func (r *Register) Person(token []byte) *queryapi.Person { return personOf(r.secret(token)) }

// PersonByID implements queryapi.People.
func (r *Register) PersonByID(id string) *queryapi.Person { return personOf(r.id(id)) }

// PasswordIs implements queryapi.People. Trying one takes a core for a while, so there is one at a
// time: whoever knows a link and guesses has the others who guess wait, and nobody else. One that
// was right before is known without being tried.
func (r *Register) PasswordIs(id string, password []byte) bool {
	t := r.id(id)
	if t == nil {
		return false
	}
	mark := r.mark(t, password)
	r.mu.RLock()
	known, ok := r.right[id]
	r.mu.RUnlock()
	if ok && subtle.ConstantTimeCompare(known[:], mark[:]) == 1 {
		return true
	}
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if !passwordIs(t.Password, string(password)) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.right[id] = mark
	return true
}

// mark tells a password of a token from others, as long as this process lives.
func (r *Register) mark(t *archive.Token, password []byte) (mark [sha256.Size]byte) {
	h := hmac.New(sha256.New, r.key[:])
	for _, part := range [][]byte{[]byte(t.ID), []byte(t.Password), password} {
		sum := sha256.Sum256(part)
		h.Write(sum[:]) // never fails, by its documentation
	}
	copy(mark[:], h.Sum(nil))
	return mark
}

// Note implements queryapi.People.
func (r *Register) Note(ctx context.Context, who *queryapi.Person, what, site, detail string) error {
	a, err := r.opened()
	if err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	ctx, cancel := context.WithTimeout(ctx, noting)
	defer cancel()
	if err := a.Audit(ctx, archive.AuditEntry{Who: Called(who), What: what, Site: site, Detail: detail}); err != nil {
		return fmt.Errorf("%w: %w", queryapi.ErrArchiveAway, err)
	}
	return nil
}

// Called is how the audit log calls somebody; nil is the owner.
func Called(who *queryapi.Person) string {
	if who == nil {
		return "owner"
	}
	return fmt.Sprintf("%s (%s)", who.Name, who.ID)
}
