package queryapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"ddkk-stats/queryapi/edge"
)

// someone are People of a test: their tokens are "token-of-ID".
type someone struct {
	all   map[string]*Person
	away  bool
	notes []string
}

func (s *someone) Person(token []byte) *Person {
	id, ok := strings.CutPrefix(string(token), "token-of-")
	if !ok {
		return nil
	}
	return s.all[id]
}
func (s *someone) PersonByID(id string) *Person { return s.all[id] }
func (s *someone) PasswordIs(_ string, password []byte) bool {
	return string(password) == "open sesame"
}
func (s *someone) Note(_ context.Context, who *Person, what, site, detail string) error {
	if s.away {
		return ErrArchiveAway
	}
	name := "owner"
	if who != nil {
		name = who.Name
	}
	s.notes = append(s.notes, strings.TrimSpace(strings.Join([]string{name, what, site, detail}, " ")))
	return nil
}

const (
	idView, idAPI, idAdmin, idAll, idShare = "0000000000000001", "0000000000000002", "0000000000000003", "0000000000000004", "0000000000000005"
)

func newSomeone() *someone {
	return &someone{all: map[string]*Person{
		idView:  {ID: idView, Name: "view", Role: RoleView, Sites: []string{"ddkk.com"}},
		idAPI:   {ID: idAPI, Name: "api", Role: RoleAPI, Sites: []string{"ddkk.com"}},
		idAdmin: {ID: idAdmin, Name: "admin", Role: RoleAdmin, Sites: []string{"ddkk.com"}},
		idAll:   {ID: idAll, Name: "all", Role: RoleAdmin},
		idShare: {ID: idShare, Name: "share", Role: RoleView, Sites: []string{"ddkk.com"}, Share: true, Password: true},
	}}
}

// The admin's routes by who may use them: v all, for their sites; a admins, for theirs;
// o the owner, and admins of all sites. A route that is not here fails the test.
var adminRoutes = map[string]string{
	"GET /api/admin/sites": "v", "GET /api/admin/summary": "v", "GET /api/admin/pages": "v", "GET /api/admin/hours": "v",
	"GET /api/admin/minutes": "v", "GET /api/admin/referrers": "v", "GET /api/admin/facets": "v", "GET /api/admin/explore": "v",
	"GET /api/admin/views": "v", "GET /api/admin/uniques": "v", "GET /api/admin/baselines": "v",
	"GET /api/admin/stats/overview": "v", "GET /api/admin/stats/trend": "v", "GET /api/admin/reports/daily": "v",
	"GET /api/admin/requests": "v", "GET /api/admin/crawlers": "v", "GET /api/admin/feeds": "v", "GET /api/admin/notfound": "v", "GET /api/admin/downloads": "v", "GET /api/admin/blocked": "v", "GET /api/admin/blockedpages": "v",
	"GET /api/admin/void": "a", "POST /api/admin/void": "a", "DELETE /api/admin/void": "a",
	"PUT /api/admin/baselines": "a", "DELETE /api/admin/baselines": "a",
	"GET /api/admin/skipped": "o", "GET /api/admin/health": "o", "GET /api/admin/verify": "o", "POST /api/admin/verify": "o",
	"POST /api/restore": "o", "GET /api/restore": "o", "GET /metrics": "o",
}

// peopled is a server with all routes.
func peopled(t *testing.T, people People) *testServer {
	f := &figures{sites: []SiteFacts{{Site: "ddkk.com"}, {Site: "other.com"}}}
	s, _ := loginServer(t, func(c *Config) {
		c.Series, c.Ranking, c.Restorer, c.Calls, c.Requests = &past{}, &fakeRanking{}, &rebuilder{}, &callFigures{}, &requestFigures{}
		c.Explorer, c.Facts, c.Views, c.Verifier, c.Baselines = &explorer{}, f, f, f, f
		c.Voider = &voider{num: 1}
		c.Report = func(context.Context) Report { return Report{} }
		c.EventKey = func(levels ...string) string { return strings.Join(levels, ".") }
		c.NormalizeSite = func(raw string) (string, bool) { return raw, raw == "ddkk.com" || raw == "other.com" }
		c.People = people
	})
	return s
}

// TestRoles asks every route of the admin as everybody, about a site that is theirs and
// one that is not.
func TestRoles(t *testing.T) {
	people := newSomeone()
	s := peopled(t, people)
	seen := map[string]bool{}
	for path, at := range s.table {
		for _, r := range at.routes {
			if !r.admin {
				continue
			}
			name := r.method + " " + path
			kind, ok := adminRoutes[name]
			if !ok {
				t.Errorf("%s is not in the table: who may use it?", name)
				continue
			}
			seen[name] = true
			for _, who := range slices.Sorted(maps.Keys(people.all)) {
				for _, site := range []string{"ddkk.com", "other.com"} {
					p := people.all[who]
					t.Run(fmt.Sprintf("%s as %s of %s", name, p.Name, site), func(t *testing.T) {
						want := map[string]bool{"v": true, "a": p.Role == RoleAdmin, "o": p.Name == "all"}[kind] && !p.Password
						if len(p.Sites) > 0 && site == "other.com" && name != "GET /api/admin/sites" {
							want = false
						}
						target, body := path+"?site="+site, ""
						switch {
						case r.method != "GET":
							target, body = path, fmt.Sprintf(`{"site":%q,"page":"/a"}`, site)
							if r.method == "PUT" {
								body = fmt.Sprintf(`{"site":%q,"page":"/a","pv":1}`, site)
							}
							if path == "/api/admin/void" {
								body = map[string]string{"POST": fmt.Sprintf(`{"site":%q,"from":"2026-11-20","to":"2026-11-21","where":"page:/a"}`, site), "DELETE": fmt.Sprintf(`{"site":%q,"num":1}`, site)}[r.method]
							}
							if path == "/api/admin/verify" || path == "/api/restore" {
								body = fmt.Sprintf(`{"site":%q}`, site)
							}
						case path == "/api/admin/sites" || path == "/metrics" || path == "/api/admin/health" || path == "/api/admin/verify" || path == "/api/restore":
							target = path
						}
						ctx := ask(s, testPeer, r.method, target, body, "Authorization: Bearer token-of-"+who)
						got := ctx.Response.StatusCode()
						let := got != 401 && got != 403
						if let != want {
							t.Errorf("%d %s", got, ctx.Response.Body())
						}
						if !want && !p.Password && !strings.Contains(string(ctx.Response.Body()), CodeNotAllowed) {
							t.Errorf("refused as %s", ctx.Response.Body())
						}
					})
				}
			}
		}
	}
	for name := range adminRoutes {
		if !seen[name] {
			t.Errorf("%s is in the table and was not tried", name)
		}
	}
}

// A person sees its sites alone.
func TestSitesOfAPerson(t *testing.T) {
	s := peopled(t, newSomeone())
	all := body(ask(s, testPeer, "GET", "/api/admin/sites", "", "Authorization: Bearer secret"))
	mine := body(ask(s, testPeer, "GET", "/api/admin/sites", "", "Authorization: Bearer token-of-"+idView))
	if n := strings.Count(all, `"site":`); n < 2 {
		t.Fatalf("the owner sees %s", all)
	}
	if n := strings.Count(mine, `"site":`); n != 1 || !strings.Contains(mine, `"site":"ddkk.com"`) {
		t.Errorf("a viewer of ddkk.com sees %s", mine)
	}
}

func body(ctx *fasthttp.RequestCtx) string { return string(ctx.Response.Body()) }

// A login with a person's token is a session of that person: it ends with the token, and
// may not what the person may not.
func TestLoginOfAPerson(t *testing.T) {
	people := newSomeone()
	s := peopled(t, people)
	login := func(id, password string) (int, string, string) {
		t.Helper()
		ctx := ask(s, testPeer, "POST", "/api/admin/login", fmt.Sprintf(`{"token":"token-of-%s","password":%q}`, id, password))
		value, _, _ := strings.Cut(header(ctx, "Set-Cookie"), ";")
		return ctx.Response.StatusCode(), "Cookie: " + value, body(ctx)
	}
	status, cookie, text := login(idView, "")
	if status != 204 {
		t.Fatalf("login: %d %s", status, text)
	}
	get := func(target string) int { return ask(s, testPeer, "GET", target, "", cookie).Response.StatusCode() }
	if got := get("/api/admin/summary?site=ddkk.com"); got != 200 {
		t.Errorf("its own site: %d", got)
	}
	if got := get("/api/admin/summary?site=other.com"); got != 403 {
		t.Errorf("another's site: %d", got)
	}
	if got := get("/metrics"); got != 403 {
		t.Errorf("metrics: %d", got)
	}
	state := body(ask(s, testPeer, "GET", "/api/admin/session", "", cookie))
	if !strings.Contains(state, `"role":"view","name":"view","sites":["ddkk.com"],"share":false`) {
		t.Errorf("session: %s", state)
	}
	// A cookie whose person was put in the place of another's is not signed.
	delete(people.all, idView)
	if got := get("/api/admin/summary?site=ddkk.com"); got != 401 {
		t.Errorf("after its token was revoked: %d", got)
	}
	if status, _, text := login(idAPI, ""); status != 403 || !strings.Contains(text, CodeNotAllowed) {
		t.Errorf("a program logs in: %d %s", status, text)
	}
	if status, _, text := login(idShare, ""); status != 401 || !strings.Contains(text, CodePasswordRequired) {
		t.Errorf("without the password: %d %s", status, text)
	}
	if status, _, text := login(idShare, "wrong"); status != 401 || !strings.Contains(text, CodePasswordRequired) {
		t.Errorf("with a wrong password: %d %s", status, text)
	}
	if status, _, text := login(idShare, "open sesame"); status != 204 {
		t.Errorf("with the password: %d %s", status, text)
	}
	want := []string{"view login  from 192.0.2.7", "share login  from 192.0.2.7"}
	if len(people.notes) != len(want) {
		t.Errorf("audit: %q", people.notes)
	}
}

// Whoever has a link, or any token that was given, guesses no faster for it: neither the link's
// password nor the owner's token.
func TestGuessesAreCounted(t *testing.T) {
	guess := map[string]func(s *testServer, i int) int{
		"password": func(s *testServer, i int) int {
			return ask(s, testPeer, "POST", "/api/admin/login", fmt.Sprintf(`{"token":"token-of-%s","password":"w%d"}`, idShare, i)).Response.StatusCode()
		},
		"token": func(s *testServer, i int) int {
			if got := ask(s, testPeer, "POST", "/api/admin/login", fmt.Sprintf(`{"token":"token-of-%s"}`, idView)).Response.StatusCode(); got != 204 {
				t.Errorf("a login between: %d", got)
			}
			return ask(s, testPeer, "GET", "/api/admin/sites", "", fmt.Sprintf("Authorization: Bearer w%d", i)).Response.StatusCode()
		},
	}
	for what, try := range guess {
		s := peopled(t, newSomeone())
		for i := range edge.MaxClientAttempts {
			if got := try(s, i); got != 401 {
				t.Errorf("%s %d: %d", what, i, got)
			}
		}
		if got := try(s, edge.MaxClientAttempts); got != 429 {
			t.Errorf("one %s more: %d", what, got)
		}
	}
}

// What the audit log cannot note is not done.
func TestChangesAreNoted(t *testing.T) {
	people := newSomeone()
	s := peopled(t, people)
	set := func() int {
		return ask(s, testPeer, "PUT", "/api/admin/baselines", `{"site":"ddkk.com","page":"/a","pv":7}`, "Authorization: Bearer token-of-"+idAdmin).Response.StatusCode()
	}
	if got := set(); got >= 300 {
		t.Fatalf("set: %d", got)
	}
	if want := []string{`admin set base ddkk.com page "/a": 7 views, 0 visitors`}; !slices.Equal(people.notes, want) {
		t.Errorf("audit %q, want %q", people.notes, want)
	}
	people.away = true
	if got := set(); got != 503 {
		t.Errorf("without the audit log: %d", got)
	}
	if err := people.Note(t.Context(), nil, "", "", ""); !errors.Is(err, ErrArchiveAway) {
		t.Error(err)
	}
}
