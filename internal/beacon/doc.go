// Package beacon stands in for nginx where there is none: a log of the same
// lines, and the pixel. The HTTP handler is elsewhere; it answers a beacon
// with GIF after Log.Append returned.
//
// The log is the queue and the only way into the counters, with or without
// nginx: whoever wants to know that a view was counted waits until the tailer
// has passed the Position that Append returned.
package beacon
