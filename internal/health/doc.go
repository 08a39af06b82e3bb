// Package health is the table of how a daemon can be: one name for each thing that
// counting waits for, or that an operator should look at, with what it does to the
// numbers, what it means, what to do about it, and the alert that it raises.
// /readyz, the reason of stale numbers, /metrics, the dashboard, `check`, the log and
// alerts derive from it. It looks at figures that it is given and asks nobody.
package health
