// Package vault is the archive as counting, restoring and the schedule see it. It is opened
// late, when SQL answers for the first time; what counting has to know of it is kept in
// memory, so that SQL may be down for a day and nothing waits for it.
//
// It also keeps the secret of the visitor hash, which Redis, SQL and DATA_DIR share, and
// the state of jobs that survive a host.
package vault
