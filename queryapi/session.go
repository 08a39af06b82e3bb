package queryapi

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
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

// A session's cookie is its end and its id, signed with the admin token: it
// survives a restart, says nothing of the token, and ends with it.
const sessionBytes = 8 + len(sessionID{}) + sha256.Size

func (d *door) sign(signed []byte) []byte {
	mac := hmac.New(sha256.New, []byte(d.access.Load().AdminToken))
	mac.Write([]byte(sessionPurpose)) // a hash's Write cannot fail
	mac.Write(signed)
	return mac.Sum(nil)
}

// newSession is the value of a cookie.
func (d *door) newSession(until time.Time) string {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, sessionBytes), uint64(until.Unix()))
	var id sessionID
	rand.Read(id[:]) // cannot fail since Go 1.24: the program ends instead
	value = append(value, id[:]...)
	return base64.RawURLEncoding.EncodeToString(append(value, d.sign(value)...))
}

// session is the first valid session among the request's cookies: a page of another
// host of the same domain may have set one of the same name, which comes along.
func (d *door) session(ctx *fasthttp.RequestCtx) (id sessionID, until int64, ok bool) {
	if d.access.Load().AdminToken == "" {
		return id, 0, false
	}
	for name, cookie := range ctx.Request.Header.Cookies() {
		if string(name) != sessionCookie {
			continue
		}
		if id, until, ok = d.sessionOf(cookie); ok {
			return id, until, true
		}
	}
	return sessionID{}, 0, false
}

// sessionOf is the session of a cookie, if it is valid.
func (d *door) sessionOf(cookie []byte) (id sessionID, until int64, ok bool) {
	if base64.RawURLEncoding.DecodedLen(len(cookie)) != sessionBytes {
		return id, 0, false
	}
	var value [sessionBytes]byte
	if _, err := base64.RawURLEncoding.Decode(value[:], cookie); err != nil {
		return id, 0, false
	}
	signed, mac := value[:8+len(id)], value[8+len(id):]
	if !hmac.Equal(mac, d.sign(signed)) {
		return id, 0, false
	}
	copy(id[:], signed[8:])
	until = int64(binary.BigEndian.Uint64(signed))
	return id, until, d.cfg.Now().Unix() < until && !d.ended.has(id, until)
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
	var token []byte
	body.reset(ctx.Request.Body())
	err := body.object([]string{"token"}, func(int) (err error) {
		token, err = body.string()
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
	ok, err := d.tryToken(ctx, token)
	if err != nil {
		return err
	}
	if !ok {
		d.cfg.Logger.Warn("a login with a wrong token", "client", d.clientAddr(ctx))
		return fail(fasthttp.StatusUnauthorized, CodeAdminRequired, "token: it is not the ADMIN_TOKEN")
	}
	until := d.cfg.Now().Add(sessionLife)
	d.setCookie(ctx, d.newSession(until), int(sessionLife/time.Second))
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// logout answers POST /api/admin/logout: the session is over.
func (d *door) logout(ctx *fasthttp.RequestCtx) error {
	for id, until, ok := d.session(ctx); ok; id, until, ok = d.session(ctx) { // all of them
		if !ownPage(ctx) {
			return foreignPage()
		}
		if err := d.ended.add(id, until, d.cfg.Now().Unix()); err != nil {
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

// sessionState answers GET /api/admin/session: whether the asker is the admin,
// whether there is a token to log in with, and for the admin today's date in
// the zone in which days begin.
func (d *door) sessionState(ctx *fasthttp.RequestCtx) error {
	err := d.admit(ctx)
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
		for i, site := range d.cfg.PublicSites {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendString(out, site)
		}
		out = append(out, ']')
	}
	writeJSON(ctx, append(out, '}'))
	return nil
}
