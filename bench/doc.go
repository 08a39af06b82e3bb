// Command bench measures ddkk-stats against other ways to count, on the same
// work, on this machine, in one run:
//
//	go run ./bench                       # everything, below 12 minutes on two cores
//	go run ./bench -quick                # smaller, below 3 minutes
//	go run ./bench -only ingest,reads    # some parts
//	go run ./bench -only soak            # 50 million lines over 100 rotations: bench/SOAK.md
//
// GOACCESS=PATH adds another GoAccess than the installed one (Debian's is 1.7): unpack its
// source, `./configure --enable-utf8 && make`. Each is run with one thread and with one per
// core, where it can, with its usual panels and with only those that we count as well; the
// fastest of all is the unit.
//
// It starts real servers (Redis, nginx, the built daemon) on free ports of
// loopback, stops them by their process ids, and writes bench/RESULTS.md.
// Ratios within one run are what counts; absolute figures are this machine's.
// Beside wall time it takes the processor time of every process, which other
// programs on the machine hardly change.
//
// Two of the opponents live in this program and are run as processes of their
// own, so that their processor time is theirs alone: see opponents.
package main
