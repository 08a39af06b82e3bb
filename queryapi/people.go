package queryapi

import (
	"context"
	"slices"

	"github.com/valyala/fasthttp"
)

// Role is what a token lets its bearer do.
type Role string

const (
	RoleAdmin Role = "admin" // sees its sites and changes them
	RoleView  Role = "view"  // sees its sites
	RoleAPI   Role = "api"   // sees its sites, as a program: it cannot log in
)

// Person is somebody to whom the owner gave a token.
type Person struct {
	ID, Name string
	Role     Role
	Sites    []string // those that the token is for; none: all
	Share    bool     // it is a link
	Password bool     // a login asks for one, too
}

// Sees tells whether a site is one of the person's.
func (p *Person) Sees(site string) bool {
	return len(p.Sites) == 0 || slices.Contains(p.Sites, site)
}

// People are those to whom the owner gave tokens. Its methods wait for nothing, but for
// Note; nil persons are the owner.
type People interface {
	// Person tells whose token it is that is in force; nil: nobody's.
	Person(token []byte) *Person
	// PersonByID is the same for what a session has kept.
	PersonByID(id string) *Person
	// PasswordIs compares what was typed with a person's password.
	PasswordIs(id string, password []byte) bool
	// Note adds to the audit log. Its error wraps ErrArchiveAway.
	Note(ctx context.Context, who *Person, what, site, detail string) error
}

// nobody is People where there are none.
type nobody struct{}

func (nobody) Person([]byte) *Person          { return nil }
func (nobody) PersonByID(string) *Person      { return nil }
func (nobody) PasswordIs(string, []byte) bool { return false }
func (nobody) Note(context.Context, *Person, string, string, string) error {
	return nil
}

// openTo says which persons, beside the owner, an admin route is open to.
type openTo uint8

const (
	toOwner   openTo = iota // and to admins of all sites
	toViewers               // to all, for their sites
	toAdmins                // to admins, for their sites
)

// may tells whether a route is open to a person at all; the site is looked at where it
// is read.
func (p *Person) may(open openTo) bool {
	switch {
	case p == nil, p.Role == RoleAdmin && len(p.Sites) == 0:
		return true
	case open == toAdmins:
		return p.Role == RoleAdmin
	}
	return open == toViewers
}

// personKey is where a request keeps whose it is, unless it is the owner's.
type personKey struct{}

// asker is who asks; nil: the owner, or anybody where the route is open to all.
func asker(ctx *fasthttp.RequestCtx) *Person {
	p, _ := ctx.UserValue(personKey{}).(*Person)
	return p
}

// permit refuses what is about a site that the asker's token is not for.
func permit(ctx *fasthttp.RequestCtx, site string) error {
	if p := asker(ctx); p != nil && !p.Sees(site) {
		return fail(fasthttp.StatusForbidden, CodeNotAllowed, "site: your token is for other sites")
	}
	return nil
}

// notes keeps in the audit log what a request is about to change. What cannot be noted
// is not done.
func (a *answering) notes(ctx *fasthttp.RequestCtx, what, site, detail string) error {
	if err := a.cfg.People.Note(a.base, asker(ctx), what, site, detail); err != nil {
		a.cfg.Logger.Warn("a change is refused, since the audit log cannot note it", "what", what, "site", site, "err", err)
		return archiveAway()
	}
	return nil
}
