// Package answers says what the API and the dashboard ask for, joined from the live
// numbers in Redis and from the archive's past. A day that Redis has is Redis' own; what
// is older is the archive's, and while Redis cannot be asked the archive stands in.
//
// It owns caches of what was asked, all bounded. It counts nothing, writes nothing but
// baselines, and knows nothing of HTTP beyond the value types of queryapi.
package answers
