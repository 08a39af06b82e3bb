// Package geoip tells the country of an address from the table that is shipped, or from a
// database in MaxMind's format, as MaxMind, DB-IP, IPinfo and others publish them. The file is read whole: one that is
// overwritten in place while it was mapped would end the process.
package geoip

//go:generate go run ./internal/shipped /usr/share/tor/geoip /usr/share/tor/geoip6 countries.zst
