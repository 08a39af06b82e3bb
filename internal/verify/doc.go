// Package verify counts everything again and compares: the raw log and the
// archive with what Redis shows, and the archive's sums with its raw rows.
//
// What a site must show is the archive's sums plus what the lines that are not
// archived come to, up to the site's checkpoint. Those lines are read here with
// the parser and counted by this package's own plain maps: it shares no
// counting with the packages that it checks.
//
// A site goes on counting while it is looked at. So its checkpoint is read
// before and after its counters, and each of them must lie between what it must
// be at the first and at the second: they only grow. At rest both are the same.
//
// The package reads, and changes nothing.
package verify
