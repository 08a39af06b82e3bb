// Package sim looks for wrong numbers by playing schedules of faults, many a second:
// the real tailer, parser and counter run in one process in a bubble of
// testing/synctest, where time goes by only while everybody waits. It is run by its
// tests (make sim) and linked into nothing.
//
// # A schedule
//
// One seed makes a list of steps (schedule.go): lines come into logs, logs are
// rotated, Redis answers late, not at all or with a refusal, loses what it had,
// daemons are killed and started. A step is plain data, so that a schedule is still
// one when steps are left out; that is how a failing one is made short (shrink.go).
// What happened to fail once lies in testdata/corpus and is played first.
//
// # The world
//
//	logs.go    the writers of logs: real files, in a folder in memory
//	daemon.go  a daemon, wired as the server wires it; a second host's, and a second one on one log
//	store.go   Redis: miniredis, asked without a socket
//	conn.go    a connection to it, and what befalls an exchange
//	script.go  its scripts
//	keeper.go  the archive, on SQLite; mirror.go: page_counts in it
//	index.go   a search index, and what befalls a request to it
//	ledger.go  the oracle: told each whole line, it works out what every key must hold
//	world.go   does the steps, ends all faults, and compares
//
// After the last step all faults end, the daemons of all hosts run, and within a
// minute and a half every key must be what the oracle says, stay so, and the books
// of each daemon must close.
//
// # What is not simulated
//
// The loss of base:* (what an earlier counter had): nobody counts into it, so no number
// that is counted tells of it; the archive has it, and every restore writes it back. The loss of a
// DEDUPE_WINDOW's memory below ten minutes (seen:window:*): its buckets are too many to be
// noted, so nobody can know after a start (counter/keys/made.go). An SQL that goes back to a backup: its
// segments may be deleted. A load whose transaction fails at its commit: the daemon is
// killed there instead. A search index that executes a request after its client has
// given up on it: it has no order to hold against that. Reads and HTTP, nginx,
// MySQL, Redis Cluster, the disk.
//
// # Chance
//
// All choices are the seed's but one: which of several goroutines that are ready at
// the same moment runs first. Each process plays schedules with one processor, where
// that hardly varies, and a schedule is tried three times before it counts as good.
package sim
