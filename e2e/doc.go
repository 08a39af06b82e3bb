// Package e2e tests the built daemon against real servers: nginx, Redis and
// MariaDB, each started on a free loopback port in a folder of its own and
// stopped by its process group.
//
// The oracle is the Ledger. Whoever makes views, the load generator (Load)
// through nginx or the log writer (Writer) in nginx's place, records what was
// acknowledged; the Ledger computes from it what every counter must be and
// compares that with Redis, reading it with plain commands and key names that
// are written out here. It shares no code with the daemon on purpose.
//
// A test of a fault reads like a story:
//
//	redis := e2e.StartRedis(t)
//	ledger := e2e.NewLedger(time.UTC)
//	...make views...
//	redis.Kill()
//	...make more...
//	redis.Start()
//	ledger.WaitEqual(t, redis.Client(t), 30*time.Second)
//
// Files without _test.go belong to the tests as well; nothing of the program
// imports this package. What the environment can change:
//
//	DDKK_E2E_BINARY  test this binary instead of building one
//	DDKK_E2E_RACE=0  build without the race detector
//	ATTACK_MINUTES   how long strangers do their best in TestAttackLoad
//	CHAOS_SEED       what all chance of the fault tests comes from
//	CHAOS_ROUNDS     rounds of TestChaosEverything, in place of ten minutes
//
// Tests of faults begin with TestFault; the long and the random ones begin with
// TestChaos and need the build tag chaos (make chaos). Tests of what strangers can
// do begin with TestAttack; those that measure, or need a database server, need the build
// tag attack (make attack).
package e2e
