package queryapi

import (
	"bytes"
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"ddkk-stats/queryapi/edge"
)

// admit applies the admin rule: the token or the cookie that a login with it
// gave, or without a configured one a loopback peer that no proxy stands in
// front of; or the token of somebody to whom the owner gave one. who is nil for the
// owner.
func (d *door) admit(ctx *fasthttp.RequestCtx) (who *Person, err error) {
	token := bearer(ctx)
	if d.access.Load().AdminToken == "" {
		if len(token) > 0 {
			if who = d.cfg.People.Person(token); who != nil && !who.Password {
				return who, nil
			}
		}
		if name := d.access.Load().ClientHeader; localRequest(ctx) && (name == "" || ctx.Request.Header.Peek(name) == nil) {
			return nil, nil
		}
		return nil, fail(fasthttp.StatusUnauthorized, CodeAdminRequired,
			"set ADMIN_TOKEN: without it only direct requests from this machine to a loopback address are allowed")
	}
	if len(token) > 0 {
		who, ok, err := d.tryToken(ctx, token)
		if err != nil {
			return nil, err
		}
		if ok && (who == nil || !who.Password) {
			return who, nil
		}
	} else if s, ok := d.session(ctx); ok {
		if !readOnly(ctx) && !ownPage(ctx) {
			return nil, foreignPage()
		}
		return s.who, nil
	}
	ctx.Response.Header.Set("WWW-Authenticate", `Bearer realm="ddkk-stats"`)
	return nil, fail(fasthttp.StatusUnauthorized, CodeAdminRequired, "send Authorization: Bearer with the ADMIN_TOKEN, or log in at /admin/")
}

func bearer(ctx *fasthttp.RequestCtx) []byte {
	scheme, token, _ := bytes.Cut(ctx.Request.Header.Peek("Authorization"), []byte(" "))
	if !bytes.EqualFold(scheme, []byte("Bearer")) {
		return nil
	}
	return bytes.TrimSpace(token)
}

// localRequest tells a request of this machine's user from one that a proxy
// passed on (behind a proxy every peer is local) and from one that a foreign
// page made in the user's browser: by a name that it had resolved to the
// loopback address, or by a form. A proxy that is told nothing about headers
// adds none; nginx's default is HTTP/1.0 then, which nobody else speaks any more.
func localRequest(ctx *fasthttp.RequestCtx) bool {
	if !peerAddr(ctx).IsLoopback() || !ctx.Request.Header.IsHTTP11() {
		return false
	}
	for name := range ctx.Request.Header.All() {
		if forwarding(name) {
			return false
		}
	}
	origin := ctx.Request.Header.Peek("Origin")
	return loopbackHost(string(ctx.Host())) && (len(origin) == 0 || edge.SameOrigin(origin, ctx.Host()))
}

// forwarding tells headers that proxies add.
func forwarding(name []byte) bool {
	const family = "X-Forwarded"
	if len(name) >= len(family) && bytes.EqualFold(name[:len(family)], []byte(family)) {
		return true
	}
	for _, other := range []string{"X-Real-IP", "Forwarded", "Via", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP"} {
		if bytes.EqualFold(name, []byte(other)) {
			return true
		}
	}
	return false
}

func loopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// peerAddr is the address at the other end of the connection; a unix socket
// is this machine.
func peerAddr(ctx *fasthttp.RequestCtx) netip.Addr {
	switch a := ctx.RemoteAddr().(type) {
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap().WithZone("")
	case *net.UnixAddr:
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv4Unspecified()
}

// toldAddr reads an address as proxies write it: alone, with a port, an IPv6 one in
// brackets with a port or without, and any of these in quotes.
func toldAddr(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
		text = strings.TrimSpace(text[1 : n-1])
	}
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		text = text[1 : len(text)-1]
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap().WithZone(""), err == nil
}

// clientAddr is the address of who made the request: the peer, or what a
// trusted proxy says in the header of CLIENT_IP_HEADER, or without that in X-Real-IP,
// else in X-Forwarded-For. Of a list it is the last address that is not a trusted proxy
// itself (those before it can be made up).
func (d *door) clientAddr(ctx *fasthttp.RequestCtx) netip.Addr {
	peer, access := peerAddr(ctx), d.access.Load()
	if !access.Trusted(peer) {
		return peer
	}
	h := &ctx.Request.Header
	if name := access.ClientHeader; name != "" {
		if h.Peek(name) == nil {
			return peer
		}
		read := toldAddr
		if strings.EqualFold(name, "Forwarded") {
			read = forwardedFor
		}
		return lastHop(access, peer, h.PeekAll(name), read)
	}
	if text := h.Peek("X-Real-IP"); len(text) > 0 { // an error would cost more than all of this
		if a, ok := toldAddr(string(text)); ok {
			return a
		}
	}
	if h.Peek("X-Forwarded-For") == nil {
		return peer
	}
	return lastHop(access, peer, h.PeekAll("X-Forwarded-For"), toldAddr)
}

// lastHop goes back through lists of hops, the newest last, to the first that is no
// trusted proxy, or to the last one that can be read.
func lastHop(access *edge.Admission, peer netip.Addr, lists [][]byte, read func(string) (netip.Addr, bool)) netip.Addr {
	client := peer
	for i := len(lists) - 1; i >= 0; i-- {
		hops := splitHops(string(lists[i]))
		for j := len(hops) - 1; j >= 0; j-- {
			a, ok := read(hops[j])
			if !ok {
				return client
			}
			client = a
			if !access.Trusted(client) {
				return client
			}
		}
	}
	return client
}

// splitHops splits a list at its commas, but for those in quotes.
func splitHops(list string) []string {
	quoted := false
	return strings.FieldsFunc(list, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

// forwardedFor reads a hop of Forwarded (RFC 7239): pairs of which for= is the client.
func forwardedFor(hop string) (netip.Addr, bool) {
	for pair := range strings.SplitSeq(hop, ";") {
		if name, value, ok := strings.Cut(pair, "="); ok && strings.EqualFold(strings.TrimSpace(name), "for") {
			return toldAddr(value)
		}
	}
	return netip.Addr{}, false
}
