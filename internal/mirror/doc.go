// Package mirror keeps page_counts in SQL in step with the page totals in Redis,
// and sends changed totals to a search index.
//
// A Flusher takes the changed pages of each site out of Redis, as numbered
// takes, and adds them to page_counts, each exactly once: a take stays in Redis
// until SQL has it, and SQL remembers the numbers of the last ones. Where the
// two do not agree, because one of them was restored from a backup, lost its
// last seconds or was emptied, the site's mirror begins a new life: what SQL has
// by then is what was taken, and the next takes bring the difference. So a
// rebuild is the same work, whatever made it necessary, readers never see an
// empty table, and it may be killed anywhere.
//
// A Sender sends pages that changed to a Sink, with their present totals, until
// the sink has acknowledged them. It goes by a set in Redis of its own, and so
// the flushes do not wait for it.
package mirror
