package edge

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/netip"
	"slices"
)

// Access says who may ask, for what and how often. It may change while the
// server runs: see Server.SetAccess.
type Access struct {
	// CORSOrigins are exact origins such as "https://ddkk.com", or "*". Empty
	// is "*": the numbers are public unless somebody says otherwise.
	CORSOrigins []string
	// AdminToken opens the admin routes; empty: only direct loopback requests.
	AdminToken string
	// TrustedProxies may name the client in X-Real-IP and X-Forwarded-For, or in the
	// one header that ClientHeader names.
	TrustedProxies []netip.Prefix
	ClientHeader   string

	// API and Beacon limit the requests of one client, IPv6 clients by their
	// /64. Trusted proxies and this machine itself are not limited: all
	// visitors may come from there. The zero Limit is none.
	APILimit, BeaconLimit Limit
	// ConnsPerClient limits the open connections of one client, in the same
	// way; 0: no limit.
	ConnsPerClient int
}

// Admission is Access as requests need it.
type Admission struct {
	Access
	Cors  corsRule
	token [sha256.Size]byte
}

func NewAdmission(a Access) (*Admission, error) {
	cors, err := newCORSRule(a.CORSOrigins)
	if err != nil {
		return nil, err
	}
	a.TrustedProxies = slices.Clone(a.TrustedProxies)
	return &Admission{Access: a, Cors: cors, token: sha256.Sum256([]byte(a.AdminToken))}, nil
}

// TokenMatches takes as long for any token, whatever its length.
func (a *Admission) TokenMatches(token []byte) bool {
	got := sha256.Sum256(token)
	return subtle.ConstantTimeCompare(got[:], a.token[:]) == 1
}

func (a *Admission) Trusted(addr netip.Addr) bool {
	for _, p := range a.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Limited tells whether a client's requests are limited at all.
func (a *Admission) Limited(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsLoopback() && !addr.IsUnspecified() && !a.Trusted(addr)
}
