// Package counter turns parsed lines into numbers in Redis, exactly once.
//
// The model. Lines of a segment are aggregated into a batch. A batch holds,
// for each site, everything that the lines between two offsets change. One
// script per (site, segment) applies it and moves the site's checkpoint in
// the same atomic step, by compare-and-set: it applies only where the stored
// offset is the one that this daemon last knew. So a batch that is sent twice
// is a duplicate, a Redis that went back in time is a gap, and two daemons on
// one log cannot both win. Whatever is not applied is read again from the log.
//
// What Redis must be told only once (visitors, (visitor, page) pairs, view
// ids) is remembered here and kept in Redis as well, in the same atomic step.
// The memory is a cache: it is dropped and loaded again whenever an answer
// says that Redis is not what we thought it was.
//
// go-redis stays in this package.
package counter
