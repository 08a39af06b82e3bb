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
// The parts. Each has what it needs and no more.
//
//	Ingester    the loop: order, pace, back-pressure, rules, stop
//	aggregate   a hit -> what it changes; memory of sites and days. Pure
//	places      where reading is in the segments of the log
//	filler      has in memory what lines lack; loader reads it
//	committer   takes batches and folds to Redis; encoder writes them as arguments,
//	            spreader folds
//	settler     what Redis answered -> what is remembered, or done again
//	healer      makes sites known and well; wards are those that are not,
//	            migrator renames the keys of former versions, Rebuilder makes keys anew
//	folds       when lists of changes are spread
//	audits      when checkpoints are looked at; scrubber compares all numbers
//	registry    the list of all sites, marks in checkpoints
//	Reader      answers from Redis; Mirror, Dump: for other stores
//
// go-redis stays in this package.
package counter
