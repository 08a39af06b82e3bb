// Package archive keeps what was counted in SQL, for good: the counted lines
// as raw rows for a while, and the sums of every day for ever.
//
// The model. A closed segment of the log is read in chunks. A chunk's raw rows
// and the place that it reaches to, in the segment's row of the table segments,
// are committed in one transaction which begins by locking that place. So a
// chunk that is loaded twice, by two hosts, or by one that was killed, changes
// nothing. The same transaction marks the days it touched as dirty. Rolling up
// a dirty day computes its sums from all its raw rows, as absolute values, in
// the transaction that clears the mark. Where all of them have just been stored
// by the same run, they were added up on the way.
//
// Raw rows are deleted after a while. From then on the day's sums are final but
// for segments that come late: their part is added in the transaction that
// moves the segment's place, so it too is added once. Such a day's visitors are
// counted again for the late part, since nobody remembers who they were.
//
// What is a duplicate is decided by the rules of the live counters, from the
// same hashes, in windows of time that are filled from the raw rows.
//
// One description of the tables is rendered for MySQL, MariaDB and the embedded
// SQLite. Names that visitors choose are binary strings on the former and text
// with binary collation on the latter: they are compared byte by byte, and
// "/A", "/a" and "/a " are three pages.
//
// database/sql stays in this package.
package archive
