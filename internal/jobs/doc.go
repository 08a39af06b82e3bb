// Package jobs is what the schedule and commands do with logs and archive: load rotated
// segments into SQL, delete what is archived and old, verify, bring page_counts up to date,
// and say what is still to come.
//
// A file is deleted here alone (delete.go), and only one that is archived byte for byte.
package jobs
