package parser

import "bytes"

// splitRequest takes "GET /a b HTTP/1.1" apart. What is no request line (TLS
// on a plain port) has neither method nor URI.
func splitRequest(line []byte) (method, uri []byte) {
	method, uri, ok := bytes.Cut(line, []byte(" "))
	if !ok {
		return nil, nil
	}
	if i := bytes.LastIndex(uri, []byte(" HTTP/")); i >= 0 {
		uri = uri[:i]
	}
	return method, bytes.TrimLeft(uri, " ")
}

// isRequest says whether method and target can be those of a request to a site
// (RFC 9112, section 3): a path, a whole URL, or the "*" of OPTIONS. Bytes of
// another protocol on an HTTP port ("\x16\x03\x01", "SSH-2.0-Go", "MGLNDD_..."),
// HTTP/2's opening "PRI *", a CONNECT that takes us for a proxy and the "-" of a
// proxy that got nothing are none.
func isRequest(method, target []byte) bool {
	if len(method) == 0 || string(method) == "-" || len(target) == 0 {
		return false
	}
	for _, c := range method {
		if !tokenBytes[c] {
			return false
		}
	}
	switch {
	case target[0] == '/':
		return true
	case len(target) == 1 && target[0] == '*':
		return string(method) == "OPTIONS"
	}
	return isWholeURL(target)
}

// isWholeURL says whether a target is "scheme://host...".
func isWholeURL(target []byte) bool {
	i := bytes.Index(target, []byte("://"))
	return i > 0 && isScheme(string(target[:i]))
}

// targetHost is the host that a whole URL as a target names, and empty for any
// other target. It counts more than the Host header (RFC 9112, section 3.2.2):
// who asks for "http://other.example/" takes us for a proxy.
func targetHost(target []byte) []byte {
	if len(target) == 0 || target[0] == '/' || !isWholeURL(target) {
		return nil
	}
	host := target[bytes.Index(target, []byte("://"))+3:]
	if i := bytes.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	return host[bytes.LastIndexByte(host, '@')+1:]
}

// tokenBytes are those of a token (RFC 9110, section 5.6.2), which a method is.
var tokenBytes = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()
