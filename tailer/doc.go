// Package tailer hands out the complete lines of a log that is rotated by
// renaming, each with its place in the log, and loses none of them.
//
// # Model
//
// A log is a sequence of segments: the live file and the rotated ones beside
// it. A segment is known by its content (Options.Identify of its first line),
// so rename, copy, gzip and inode reuse do not confuse it; names and inodes are
// only hints that save work. An offset is a position in the segment's
// uncompressed content, just after a newline.
//
// Whoever wants lines pulls them: Next does all the work on the caller's
// goroutine, so a slow consumer slows reading and nothing piles up. The only
// goroutine is a follower's poller (see below), which Next starts and Next or
// Close ends: it is gone one poll interval later.
//
//	found ──> open ──────────────> closed ──(grew, Rewind)──> open
//	            │  read, quiet,        ╲
//	            │  a newer one exists    ╲──> deleted
//	            └─(shorter than read)──> frozen ──(Rewind, a whole copy)──> open
//
// Everything is read in large blocks with positioned reads at our own offsets,
// oldest segment first; the live segment and those written lately take turns
// with it. A line that is longer than Options.MaxLine is passed over in such
// blocks too, so memory is bounded whatever the file holds.
//
// At the end of the live segment nxadm/tail's poller watches the descriptor that
// is held here (not the name, which may lead to another file by now) and wakes
// Next when the file has grown. Its tail is not used: it gathers a line in
// memory until the newline comes, without a bound, and cannot be stopped
// meanwhile. The poller is not relied upon either: every 20 ms the size of the
// open file is compared with what was read of it, so word that never comes costs
// no more than that, and a follower that owes it for 50 ms is replaced. Where
// there is no /proc, or a server may fail a stat, the block reader looks every
// Options.Poll by itself.
//
// # Parts
//
//	folder ──> survey ──> recognition ──> merger ──> round ──> Block
//	names      files      segments        state      reading
//
// Each is a type and a file of its own, and a scan passes them from left to right.
// contents reads how files begin, holder does what is done to one segment's open file.
// All of these run inside Next, on its caller's goroutine. What others may see and ask
// meanwhile is the register's, the only part with a lock: rewinder, syncer and locator
// work for those callers.
//
// # What is a segment's file
//
// PATH, the regular files beside it to which a rotation has given their names (see
// names.go), and those that Options.Segments names; of them, those that hold a
// line of the log's format (Options.Time). Whatever else lies there is somebody
// else's: it is neither read nor removed, and Look lists it. Content tells what is
// compressed; gzip is read. Of several files with the same identity one is read: the one
// already being read, else the live one, else a plain one, else the longest.
//
// # Alarms
//
// A file that is shorter than what was read of it (copytruncate, a crash that
// lost pages, a restored backup) is never read from the start again: that would
// count its lines twice. The segment is frozen, Segment.Alarm says why, an
// error is logged once. Lines that are appended to such a file below the old
// offset cannot be told from counted ones by offset, so they are not handed out
// either, until Rewind is called or the log is rotated, which starts a new
// segment. With Sync before every checkpoint a power loss cannot bring this
// about. If the file got a new first line, that is a new segment and is read
// from its start; and when a whole copy of the frozen one exists (copytruncate
// leaves one), the rest of it is read there.
package tailer
