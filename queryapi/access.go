package queryapi

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
	// TrustedProxies may name the client in X-Real-IP and X-Forwarded-For.
	TrustedProxies []netip.Prefix

	// API and Beacon limit the requests of one client, IPv6 clients by their
	// /64. Trusted proxies and this machine itself are not limited: all
	// visitors may come from there. The zero Limit is none.
	APILimit, BeaconLimit Limit
	// ConnsPerClient limits the open connections of one client, in the same
	// way; 0: no limit.
	ConnsPerClient int
}

// admission is Access as requests need it.
type admission struct {
	Access
	cors  corsRule
	token [sha256.Size]byte
}

func newAdmission(a Access) (*admission, error) {
	cors, err := newCORSRule(a.CORSOrigins)
	if err != nil {
		return nil, err
	}
	a.TrustedProxies = slices.Clone(a.TrustedProxies)
	return &admission{Access: a, cors: cors, token: sha256.Sum256([]byte(a.AdminToken))}, nil
}

// tokenMatches takes as long for any token, whatever its length.
func (a *admission) tokenMatches(token []byte) bool {
	got := sha256.Sum256(token)
	return subtle.ConstantTimeCompare(got[:], a.token[:]) == 1
}

func (a *admission) trusted(addr netip.Addr) bool {
	for _, p := range a.TrustedProxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// limited tells whether a client's requests are limited at all.
func (a *admission) limited(addr netip.Addr) bool {
	return addr.IsValid() && !addr.IsLoopback() && !addr.IsUnspecified() && !a.trusted(addr)
}

// SetAccess changes who may ask. Requests that are under way end by the rules
// that they began with. After an error the old ones stay.
func (s *Server) SetAccess(a Access) error {
	now, err := newAdmission(a)
	if err != nil {
		return err
	}
	s.access.Store(now)
	s.apiLimit.set(a.APILimit)
	s.beaconLimit.set(a.BeaconLimit)
	return nil
}
