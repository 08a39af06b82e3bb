// Package parser turns the bytes of one log line into a Hit.
//
// It is pure: no I/O, no clock, no goroutine, and once its caches are warm no
// allocation for a v1 line. The same line gives the same Hit on every replay,
// which is what the promise of exactly-once counting rests on; so everything
// that decides about a line (lists, secret, zone, rules) is in Config.
//
// A line passes three steps. Reading splits it as its Format says, and finds
// out whether it is a record at all (if not: Malformed, with one Reason).
// Classifying decides whether it is a beacon that counts (if not: Skipped, with
// one Reason). Completing gives it a site, a page, a visitor, a bot mark and a
// device. Lines of a site's own access log end as Skipped with SkipPath but
// carry the request's fields; PageOf completes them into pageviews.
package parser
