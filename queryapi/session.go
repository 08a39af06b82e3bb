package queryapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"ddkk-stats/queryapi/edge"
)

const (
	sessionCookie = "ddkk_admin"
	sessionLife   = 7 * 24 * time.Hour
	// sessionPurpose keeps what is signed for sessions apart from all else.
	sessionPurpose = "ddkk-stats admin session 1"
	// adminHeader may stand for Origin and Sec-Fetch-Site, which programs do not
	// send: a page of another origin cannot send it, since no preflight allows it.
	adminHeader = "X-Ddkk-Admin"
)

// sessionID tells one login from another.
type sessionID [16]byte

// A session's cookie is its end, its id, and of a person the person's id, signed with
// the admin token: it survives a restart, says nothing of the token, and ends with it
// and with the person's.
const (
	personBytes  = 8
	sessionBytes = 8 + len(sessionID{}) + sha256.Size
)

// session is a login that is in force.
type session struct {
	id    sessionID
	until int64   // Unix seconds
	who   *Person // nil: the owner
}

func (d *door) sign(signed []byte) []byte {
	mac := hmac.New(sha256.New, []byte(d.access.Load().AdminToken))
	mac.Write([]byte(sessionPurpose)) // a hash's Write cannot fail
	mac.Write(signed)
	return mac.Sum(nil)
}

// newSession is the value of a cookie.
func (d *door) newSession(until time.Time, who *Person) (string, error) {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, sessionBytes+personBytes), uint64(until.Unix()))
	var id sessionID
	rand.Read(id[:]) // cannot fail since Go 1.24: the program ends instead
	value = append(value, id[:]...)
	if who != nil {
		person, err := hex.DecodeString(who.ID)
		if err != nil || len(person) != personBytes {
			return "", fmt.Errorf("the id %q of a token is not %d bytes in hex", who.ID, personBytes)
		}
		value = append(value, person...)
	}
	return base64.RawURLEncoding.EncodeToString(append(value, d.sign(value)...)), nil
}

// session is the first valid session among the request's cookies: a page of another
// host of the same domain may have set one of the same name, which comes along.
func (d *door) session(ctx *fasthttp.RequestCtx) (s session, ok bool) {
	if d.access.Load().AdminToken == "" {
		return s, false
	}
	for name, cookie := range ctx.Request.Header.Cookies() {
		if string(name) != sessionCookie {
			continue
		}
		if s, ok = d.sessionOf(cookie); ok {
			return s, true
		}
	}
	return session{}, false
}

// sessionOf is the session of a cookie, if it is valid.
func (d *door) sessionOf(cookie []byte) (s session, ok bool) {
	n := base64.RawURLEncoding.DecodedLen(len(cookie))
	if n != sessionBytes && n != sessionBytes+personBytes {
		return s, false
	}
	var value [sessionBytes + personBytes]byte
	if _, err := base64.RawURLEncoding.Decode(value[:n], cookie); err != nil {
		return s, false
	}
	signed, mac := value[:n-sha256.Size], value[n-sha256.Size:n]
	if !hmac.Equal(mac, d.sign(signed)) {
		return s, false
	}
	s.until = int64(binary.BigEndian.Uint64(signed))
	copy(s.id[:], signed[8:])
	if n > sessionBytes {
		if s.who = d.cfg.People.PersonByID(hex.EncodeToString(signed[8+len(s.id):])); s.who == nil {
			return s, false // revoked, or over
		}
	}
	return s, d.cfg.Now().Unix() < s.until && !d.ended.has(s.id, s.until)
}

// ownPage says whether a request that carries the cookie was made by a page of
// this server. SameSite=Strict is not enough: a page of another host of the
// same domain is of the same site.
func ownPage(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	if site := h.Peek("Sec-Fetch-Site"); len(site) > 0 {
		return string(site) == "same-origin"
	}
	if origin := h.Peek("Origin"); len(origin) > 0 {
		return edge.SameOrigin(origin, ctx.Host())
	}
	return len(h.Peek(adminHeader)) > 0
}

func foreignPage() error {
	return fail(fasthttp.StatusForbidden, CodeForeignPage, "only the dashboard itself may do this: send Origin, or "+adminHeader+": 1")
}

// readOnly are the methods that change nothing.
func readOnly(ctx *fasthttp.RequestCtx) bool { return ctx.IsGet() || ctx.IsHead() }

// login answers POST /api/admin/login: a cookie for the token.
func (d *door) login(ctx *fasthttp.RequestCtx) error {
	h := &ctx.Request.Header
	if (len(h.Peek("Origin")) > 0 || len(h.Peek("Sec-Fetch-Site")) > 0) && !ownPage(ctx) {
		return foreignPage()
	}
	var body decoder
	var token, password []byte
	body.reset(ctx.Request.Body())
	err := body.object([]string{"token", "password"}, func(i int) (err error) {
		to := &token
		if i == 1 {
			to = &password
		}
		*to, err = body.string()
		return err
	})
	if err != nil {
		return err
	}
	if len(token) == 0 {
		return missing("token")
	}
	if d.access.Load().AdminToken == "" {
		return fail(fasthttp.StatusConflict, CodeNoToken, "no ADMIN_TOKEN is set: there is nothing to log in with")
	}
	who, ok, err := d.tryToken(ctx, token)
	if err != nil {
		return err
	}
	if !ok {
		d.cfg.Logger.Warn("a login with a wrong token", "client", d.clientAddr(ctx))
		return fail(fasthttp.StatusUnauthorized, CodeAdminRequired, "token: it is not the ADMIN_TOKEN, and none of `ddkk-stats token` that is in force")
	}
	if err := d.mayLogin(ctx, who, password); err != nil {
		return err
	}
	cookie, err := d.newSession(d.cfg.Now().Add(sessionLife), who)
	if err != nil {
		return err
	}
	d.setCookie(ctx, cookie, int(sessionLife/time.Second))
	if err := d.cfg.People.Note(d.base, who, "login", "", "from "+d.clientAddr(ctx).String()); err != nil {
		d.cfg.Logger.Warn("a login is not in the audit log", "err", err)
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// mayLogin asks a person for what else a login takes.
func (d *door) mayLogin(ctx *fasthttp.RequestCtx, who *Person, password []byte) error {
	switch {
	case who == nil:
		return nil
	case who.Role == RoleAPI:
		return fail(fasthttp.StatusForbidden, CodeNotAllowed, "token: it is for programs, which send it as Authorization: Bearer")
	case !who.Password:
		return nil
	case len(password) == 0:
		return fail(fasthttp.StatusUnauthorized, CodePasswordRequired, "password: this link asks for one")
	case !d.cfg.People.PasswordIs(who.ID, password):
		if err := d.wrong(ctx); err != nil {
			return err
		}
		return fail(fasthttp.StatusUnauthorized, CodePasswordRequired, "password: it is another one")
	}
	return nil
}

// logout answers POST /api/admin/logout: the session is over.
func (d *door) logout(ctx *fasthttp.RequestCtx) error {
	for s, ok := d.session(ctx); ok; s, ok = d.session(ctx) { // all of them
		if !ownPage(ctx) {
			return foreignPage()
		}
		if err := d.ended.add(s.id, s.until, d.cfg.Now().Unix()); err != nil {
			d.cfg.Logger.Error("a logout is not kept: the session's cookie would be good again after a restart. Change ADMIN_TOKEN if somebody may have it", "err", err)
		}
	}
	d.setCookie(ctx, "", -1)
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// setCookie sets the cookie for maxAge seconds; negative: removes it.
func (d *door) setCookie(ctx *fasthttp.RequestCtx, value string, maxAge int) {
	c := sessionCookie + "=" + value + "; Path=/; Max-Age=" + strconv.Itoa(max(maxAge, 0)) + "; HttpOnly; SameSite=Strict"
	if d.overTLS(ctx) {
		c += "; Secure"
	}
	ctx.Response.Header.Add("Set-Cookie", c)
	ctx.Response.Header.Set("Cache-Control", "no-store")
}

// overTLS says whether the browser came by https: to us, to the proxy in front
// of us as that says, or as the browser itself says of its page.
func (d *door) overTLS(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	if ctx.IsTLS() || d.access.Load().Trusted(peerAddr(ctx)) && bytes.EqualFold(h.Peek("X-Forwarded-Proto"), []byte("https")) {
		return true
	}
	origin := h.Peek("Origin")
	return bytes.HasPrefix(origin, []byte("https://")) && edge.SameOrigin(origin, ctx.Host())
}

// appendStrings appends texts as JSON, with commas between them.
func appendStrings(dst []byte, all []string) []byte {
	for i, s := range all {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return dst
}

// sessionState answers GET /api/admin/session: whether the asker is the admin,
// whether there is a token to log in with, and for the admin today's date in
// the zone in which days begin.
func (d *door) sessionState(ctx *fasthttp.RequestCtx) error {
	who, err := d.admit(ctx)
	if ctx.Response.Header.Peek("Retry-After") != nil {
		return err
	}
	ctx.Response.Header.Del("WWW-Authenticate")
	out := strconv.AppendBool([]byte(`{"admin":`), err == nil)
	out = strconv.AppendBool(append(out, `,"login":`...), d.access.Load().AdminToken != "")
	if err == nil {
		now := d.cfg.Now().In(d.cfg.Location)
		_, offset := now.Zone()
		out = appendDate(append(out, `,"today":`...), now)
		out = appendString(append(out, `,"timezone":`...), d.cfg.Location.String())
		out = strconv.AppendInt(append(out, `,"utc_offset":`...), int64(offset), 10)
		out = appendString(append(out, `,"now":`...), now.UTC().Format(time.RFC3339))
		out = append(out, `,"public_sites":[`...)
		out = append(appendStrings(out, d.cfg.PublicSites), ']')
		if d.cfg.Facts != nil {
			out = append(appendStrings(append(out, `,"facets":[`...), d.cfg.Facts.FacetNames()), ']')
			out = append(appendStrings(append(out, `,"uniques":[`...), d.cfg.Facts.UniquePeriods()), ']')
		}
		if who != nil {
			out = appendString(append(out, `,"role":`...), string(who.Role))
			out = appendString(append(out, `,"name":`...), who.Name)
			out = append(appendStrings(append(out, `,"sites":[`...), who.Sites), ']')
			out = strconv.AppendBool(append(out, `,"share":`...), who.Share)
		}
	}
	writeJSON(ctx, append(out, '}'))
	return nil
}
