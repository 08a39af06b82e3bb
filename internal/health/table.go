package health

import (
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/alert"
	"ddkk-stats/parser"
)

// Name is the name of a state. Names are stable: /readyz, metrics and the API show them.
type Name = counter.Trouble

// Names beside those that counter has for what Redis says.
const (
	Starting       Name = "starting"
	ArchiveAway    Name = "archive-away"
	LogDenied      Name = "log-denied"
	Standby        Name = "standby"
	Clock          Name = "clock"
	Behind         Name = "behind"
	Stalled        Name = "stalled"
	RedisMemory    Name = "redis-memory"
	RedisEvicts    Name = "redis-evicts"
	RedisRetries   Name = "redis-retries"
	SitesParked    Name = "sites-parked"
	SitesLack      Name = "sites-incomplete"
	SitesRebuilt   Name = "sites-rebuilt"
	RestoreFailed  Name = "restore-failed"
	LogGap         Name = "log-gap"
	LogDamaged     Name = "log-damaged"
	LinesMalformed Name = "lines-malformed"
	Books          Name = "books"
	ArchiveLate    Name = "archive-late"
	WritesLate     Name = "writes-late"
	Differences    Name = "differences"
	Unverified     Name = "unverified"
	Settings       Name = "settings-refused"
	BeaconFails    Name = "beacon-fails"
	AnswersFail    Name = "answers-fail"
	LogBehind      Name = "log-behind"
	LogBudget      Name = "log-budget"
	NamesFull      Name = "names-full"
)

// Effect is what a state does to the numbers.
type Effect string

// Effects.
const (
	Waits Effect = "waits" // counting waits, all numbers are stale, and /readyz fails
	Some  Effect = "some"  // numbers of some sites or pages are stale
	Noted Effect = "noted" // numbers are current
)

// Row is a state in the table.
type Row struct {
	Name   Name
	Effect Effect
	Means  string // a clause without a full stop
	Do     string // what an operator does about it

	Alert     string // the name of the alert that it raises; empty: none
	Severity  string
	For       time.Duration // how long it must last for that
	Threshold string        // for the manual

	// wrong says what is wrong at a look; empty: nothing, or nothing more than Means.
	wrong func(*Look) string
}

// Thresholds.
const (
	lagLimit       = time.Minute
	memoryShare    = 0.8
	malformedShare = 0.01
	failureShare   = 0.001
	answerShare    = 0.01
	// ArchiveGrace is how late an archive may be that runs each day.
	ArchiveGrace = 26 * time.Hour
	// WriteLimit is how long the lag of writing page_counts may be beyond its schedule.
	WriteLimit = 10 * time.Second
	// queueLimit is how much of a log may wait to be read.
	queueLimit = 256 << 20
	// fewEvents is how many must have happened before a share means something.
	fewEvents = 1000
	fewLines  = 100
)

// waits is a state that counting itself tells by its name.
func waits(name Name, means, do string) Row {
	return Row{
		Name: name, Effect: Waits, Means: means, Do: do, Alert: "DdkkRedisDown", Severity: alert.Critical, For: time.Minute, Threshold: "for a minute",
		wrong: func(l *Look) string { return when(l.Now.Waits == name, "%s; views wait in the log", means) },
	}
}

// Table is all states, the gravest first.
var Table = []Row{
	waits(counter.RedisDown, "Redis does not answer", "Is REDIS_ADDR right? Does Redis run?"),
	waits(counter.RedisLoading, "Redis reads its data after a start", "it passes by itself"),
	waits(counter.RedisFull, "Redis is full", "raise maxmemory"),
	waits(counter.RedisReadOnly, "Redis takes no writes: it is a replica, or lacks replicas", "name the primary in REDIS_ADDR, or look after its replicas"),
	waits(counter.RedisCannotSave, "Redis cannot save its data", "look at Redis' log and its disk"),
	waits(counter.RedisBusy, "a script of another client holds Redis", "SCRIPT KILL"),
	waits(counter.RedisRefuses, "Redis refuses us", "Are REDIS_USERNAME and REDIS_PASSWORD right, and has the user the rights of deploy/redis-users.conf?"),
	waits(counter.ScriptsUnsupported, "Redis cannot run the scripts", "Redis "+counter.MinRedis+" or later is needed, with EVAL and EVALSHA; KeyDB, Dragonfly and older versions cannot run the scripts"),
	{
		Name: LogDenied, Effect: Waits, Means: "a log cannot be opened", Do: "give the daemon's user the right to read it and to enter its folder",
		Alert: "DdkkLogDenied", Severity: alert.Critical, For: time.Minute, Threshold: "for a minute",
		wrong: func(l *Look) string { return when(l.Now.Denied != "", "cannot open %s; its lines wait", l.Now.Denied) },
	},
	{
		Name: Starting, Effect: Waits, Means: "counting has not begun", Do: "it passes by itself",
		wrong: func(l *Look) string {
			return when(!l.Now.Begun && l.Now.Waits == "", "counting has not begun")
		},
	},
	{
		Name: ArchiveAway, Effect: Noted, Means: "SQL does not answer", Do: "Is MYSQL_DSN right? Does the database run? Archiving and restoring wait, and where Redis has no site yet, counting does",
		Alert: "DdkkArchiveAway", Severity: alert.Warning, For: 15 * time.Minute, Threshold: "for a quarter of an hour",
		wrong: func(l *Look) string {
			if l.Now.Waits == ArchiveAway {
				return "SQL does not answer, and nothing is counted without what it has; views wait in the log"
			}
			return when(l.Now.ArchiveAway, "SQL does not answer; archiving and restoring wait")
		},
	},
	{
		Name: counter.Rebuilding, Effect: Some, Means: "sites are being made anew from archive and log", Do: "it passes by itself",
		wrong: func(l *Look) string {
			return when(l.Now.Stats.Remaking > 0, "%d sites are being made anew; their numbers are stale", l.Now.Stats.Remaking)
		},
	},
	{
		Name: counter.CatchingUp, Effect: Some, Means: "lines that are in the log are not in the numbers yet", Do: "it passes by itself",
		wrong: func(l *Look) string {
			return when(l.Now.Behind > 0 && l.Now.Lag > 2*time.Second, "%d bytes of the log are still to be counted", l.Now.Behind)
		},
	},
	{
		Name: counter.RedisOld, Effect: Some, Means: "this Redis has less than was counted: it was demoted, or went back in time",
		Do: "it passes by itself; if not, does REDIS_ADDR name the primary?", wrong: never,
	},
	{
		Name: Standby, Effect: Noted, Means: "another daemon counts the same log", Do: "stop one of them: nothing is counted twice, and one is enough",
		Alert: "DdkkStandby", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "for 5 minutes",
		wrong: func(l *Look) string {
			return when(l.Now.Stats.Standby, "another daemon counts the same log; run only one")
		},
	},
	{
		Name: Clock, Effect: Noted, Means: "the clock is wrong, or jumped", Do: "set it right; if it is, run ddkk-stats archive --confirm",
		Alert: "DdkkClock", Severity: alert.Critical, Threshold: "any",
		wrong: func(l *Look) string { return when(l.Now.Clock != "", "the clock is in doubt: %s", l.Now.Clock) },
	},
	{
		Name: Behind, Effect: Some, Means: "counting is more than a minute behind", Do: "after an outage it shrinks by itself; if it grows, look at Redis, the disk and the daemon's log",
		Alert: "DdkkLag", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "a minute behind, for 5 minutes",
		wrong: func(l *Look) string {
			return when(l.Now.Lag > lagLimit, "counting is %v behind", l.Now.Lag.Round(time.Second))
		},
	},
	{
		Name: LogBehind, Effect: Some, Means: "more than 256 MiB of the log are not read", Do: "as for `behind`",
		Alert: "DdkkQueue", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "256 MiB not read, for 5 minutes",
		wrong: func(l *Look) string {
			return when(l.Now.Behind > queueLimit, "%d MiB of the log are not read", l.Now.Behind>>20)
		},
	},
	{
		Name: Stalled, Effect: Some, Means: "there are lines, Redis is there, and none is read", Do: "look at the log's rights; restart the daemon",
		Alert: "DdkkTailStalled", Severity: alert.Critical, For: 5 * time.Minute, Threshold: "there are lines, Redis is there, and none was read for 5 minutes",
		wrong: func(l *Look) string {
			v := l.Now
			return when(v.Waits == "" && v.Begun && v.Behind > 0 && v.HandedOut == l.Before.HandedOut && v.Lag > lagLimit, "%d bytes of the log are there and not read", v.Behind)
		},
	},
	{
		Name: SitesParked, Effect: Some, Means: "keys of sites are damaged and their log is not complete", Do: "the daemon's log names them: put the missing segments back, or run restore-from-mysql",
		Alert: "DdkkSitesParked", Severity: alert.Critical, Threshold: "any",
		wrong: func(l *Look) string {
			return when(l.Now.Stats.Parked > 0, "%d sites wait for an operator: their keys are damaged and their log is not complete", l.Now.Stats.Parked)
		},
	},
	{
		Name: SitesLack, Effect: Noted, Means: "sites lost keys that neither archive nor log has", Do: "put the missing segments back and run restore-from-mysql; find out why Redis lost them",
		Alert: "DdkkSitesIncomplete", Severity: alert.Warning, Threshold: "any",
		wrong: func(l *Look) string {
			return when(l.Now.Stats.Incomplete > 0, "%d sites lost keys that nobody has any more; they count on from what is left", l.Now.Stats.Incomplete)
		},
	},
	{
		Name: RestoreFailed, Effect: Some, Means: "a site could not be made anew", Do: "the daemon tries again; its log says why",
		Alert: "DdkkRestoreFailed", Severity: alert.Critical, Threshold: "any, within a quarter of an hour",
		wrong: func(l *Look) string {
			return grown(l.Now.RestoreFailures, l.Earlier.RestoreFailures, "%d restores failed; they may be repeated, the daemon's log says why")
		},
	},
	{
		Name: SitesRebuilt, Effect: Noted, Means: "Redis lost keys of sites; they were made anew", Do: "find out why Redis lost them",
		Alert: "DdkkRebuilds", Severity: alert.Warning, Threshold: "any, within a quarter of an hour",
		wrong: func(l *Look) string {
			return grown(l.Now.Stats.Rebuilds, l.Earlier.Stats.Rebuilds, "%d sites were rebuilt because Redis lost their keys; find out why")
		},
	},
	{
		Name: RedisMemory, Effect: Noted, Means: "Redis has used over 80% of its memory", Do: "raise maxmemory, or shorten UV_SET_TTL; at 100% counting waits",
		Alert: "DdkkRedisMemory", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "over 80% of maxmemory for 5 minutes",
		wrong: func(l *Look) string {
			v := l.Now
			return when(v.RedisMax > 0 && float64(v.RedisUsed) > memoryShare*float64(v.RedisMax),
				"Redis uses %d of %d bytes; when it is full, counting waits", v.RedisUsed, v.RedisMax)
		},
	},
	{
		Name: RedisEvicts, Effect: Noted, Means: "Redis evicted keys, and numbers with them", Do: "set maxmemory-policy noeviction and raise maxmemory; what went is rebuilt",
		Alert: "DdkkRedisEvicts", Severity: alert.Critical, Threshold: "any, within a quarter of an hour",
		wrong: func(l *Look) string {
			return grown(l.Now.RedisEvicted, l.Earlier.RedisEvicted, "Redis evicted %d keys; set maxmemory-policy noeviction")
		},
	},
	{
		Name: RedisRetries, Effect: Noted, Means: "writes to Redis are tried again", Do: "look at Redis' log, the network and LATENCY LATEST; nothing is lost or doubled",
		Alert: "DdkkWriteFailures", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "over 0.1% of the writes within a quarter of an hour, for 5 minutes",
		wrong: func(l *Look) string {
			tries, failed := l.Now.Stats.Commits-l.Earlier.Stats.Commits, l.Now.Stats.Retries-l.Earlier.Stats.Retries
			return when(failed > 0 && float64(failed) > failureShare*float64(max(tries, fewEvents)), "%d writes to Redis were tried again, of %d", failed, tries)
		},
	},
	{
		Name: BeaconFails, Effect: Noted, Means: "the built-in beacon cannot write its log: those views are lost", Do: "free the disk of DATA_DIR",
		Alert: "DdkkBeaconFailures", Severity: alert.Critical, For: 2 * time.Minute, Threshold: "over 0.1% of the beacons within a quarter of an hour, for 2 minutes",
		wrong: func(l *Look) string {
			failed, all := l.Now.BeaconsFailed-l.Earlier.BeaconsFailed, l.Now.Beacons-l.Earlier.Beacons
			return when(failed > 0 && float64(failed) > failureShare*float64(all), "%d of %d views could not be written by the built-in beacon and are lost", failed, all)
		},
	},
	{
		Name: AnswersFail, Effect: Noted, Means: "over 1% of the answers are errors of ours", Do: "look at the daemon's log, Redis and SQL",
		Alert: "DdkkErrors", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "over 1% of the answers within a quarter of an hour, for 5 minutes",
		wrong: func(l *Look) string {
			failed, all := l.Now.AnswersFailed-l.Earlier.AnswersFailed, l.Now.Answers-l.Earlier.Answers
			return when(all >= fewLines && float64(failed) > answerShare*float64(all), "%d of %d requests were answered with an error of ours", failed, all)
		},
	},
	{
		Name: LinesMalformed, Effect: Noted, Means: "over 1% of the lines cannot be read", Do: "nginx writes another format: ddkk-stats check",
		Alert: "DdkkMalformed", Severity: alert.Warning, For: 10 * time.Minute, Threshold: "over 1% of the lines within a quarter of an hour, for 10 minutes",
		wrong: func(l *Look) string {
			lines, bad := l.Now.Stats.Books.Read-l.Earlier.Stats.Books.Read, malformed(&l.Now.Stats)-malformed(&l.Earlier.Stats)
			return when(lines >= fewLines && float64(bad) > malformedShare*float64(lines), "%d of %d lines cannot be read; `ddkk-stats check` tells why", bad, lines)
		},
	},
	{
		Name: Books, Effect: Noted, Means: "lines were read and not accounted for", Do: "report it; ddkk-stats verify tells what is concerned",
		Alert: "DdkkBooks", Severity: alert.Critical, For: 5 * time.Minute, Threshold: "not closed for 5 minutes",
		wrong: func(l *Look) string {
			b := &l.Now.Stats.Books
			return when(b.Read != b.Outcomes(), "%d lines were read and %d accounted for; please report it", b.Read, b.Outcomes())
		},
	},
	{
		Name: LogGap, Effect: Noted, Means: "segments were gone before they were read", Do: "put them back beside the log (also as .gz) and restart; else their views are lost",
		Alert: "DdkkLogGap", Severity: alert.Critical, Threshold: "any, within a quarter of an hour",
		wrong: func(l *Look) string {
			return grown(l.Now.Stats.Missing, l.Earlier.Stats.Missing, "%d segments were gone before they were read; the daemon's log names them")
		},
	},
	{
		Name: LogDamaged, Effect: Noted, Means: "a segment of the log was cut, truncated or replaced", Do: "the daemon's log names it: turn copytruncate off and rotate; counting goes on in the new file",
		Alert: "DdkkSegmentAlarm", Severity: alert.Critical, Threshold: "any",
		wrong: func(l *Look) string {
			return when(l.Now.Alarms > 0 || l.Now.Stats.Cut > 0, "a segment of the log was cut, truncated or replaced; the daemon's log names it")
		},
	},
	{
		Name: NamesFull, Effect: Noted, Means: "a table of names is full: new pages and events count together, new sites not at all", Do: "the daemon's log names it; made up by strangers: BLOCK_IPS, BLOCK_PATHS, SITES; yours: raise the limit",
		Alert: "DdkkNamesFull", Severity: alert.Warning, Threshold: "any",
		wrong: func(l *Look) string {
			return when(l.Now.Stats.Full > 0, "%d tables of names are full: new names count as "+parser.OtherPage+", new sites not at all; the daemon's log names them", l.Now.Stats.Full)
		},
	},
	{
		Name: LogBudget, Effect: Noted, Means: "the logs take over 80% of LOG_BUDGET", Do: "find out what writes so much (/api/admin/skipped, BLOCK_IPS); archive, let LOG_RETENTION delete, or give it more",
		Alert: "DdkkLogBudget", Severity: alert.Warning, Threshold: "over 80% of LOG_BUDGET",
		wrong: func(l *Look) string {
			return when(l.Now.LogsOver != "", "%s; find out what writes so much before the disk is full", l.Now.LogsOver)
		},
	},
	{
		Name: ArchiveLate, Effect: Noted, Means: "no archive cycle went well in its time", Do: "SQL, the daemon's log; ddkk-stats archive. The log keeps everything until then",
		Alert: "DdkkArchiveMissed", Severity: alert.Warning, For: 10 * time.Minute, Threshold: "26 hours without a cycle that went well, or two more than ARCHIVE_CRON says",
		wrong: func(l *Look) string {
			v := l.Now
			return when(v.ArchiveLimit > 0 && v.SinceArchive > v.ArchiveLimit, "nothing was archived for %v; the log keeps everything until then", v.SinceArchive.Round(time.Hour))
		},
	},
	{
		Name: WritesLate, Effect: Noted, Means: "page_counts in SQL is late", Do: "SQL, the daemon's log",
		Alert: "DdkkWriteLag", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "10 seconds later than FLUSH_CRON says, for 5 minutes",
		wrong: func(l *Look) string {
			v := l.Now
			return when(v.WriteLimit > 0 && v.WriteLag > v.WriteLimit, "page_counts in SQL is %v behind", v.WriteLag.Round(time.Second))
		},
	},
	{
		Name: Differences, Effect: Noted, Means: "the last verification found wrong numbers", Do: "ddkk-stats verify --repair",
		Alert: "DdkkDifference", Severity: alert.Critical, Threshold: "any",
		wrong: func(l *Look) string {
			return when(l.Now.Differences > 0, "the last verification found %d wrong numbers; `ddkk-stats verify --repair` mends them", l.Now.Differences)
		},
	},
	{
		Name: Unverified, Effect: Noted, Means: "something could not be verified", Do: "the daemon's log says what",
		Alert: "DdkkVerifyProblem", Severity: alert.Warning, Threshold: "any",
		wrong: func(l *Look) string {
			return when(l.Now.Problems > 0, "the last verification could not verify everything (%d problems); the daemon's log says what", l.Now.Problems)
		},
	},
	{
		Name: Settings, Effect: Noted, Means: "the changed settings were refused; those before are in force", Do: "the daemon's log names the mistake",
		Alert: "DdkkSettings", Severity: alert.Warning, For: 5 * time.Minute, Threshold: "for 5 minutes",
		wrong: func(l *Look) string {
			return when(l.Now.SettingsRefused, "the changed settings were refused; the daemon's log names the mistake")
		},
	},
}

// Of is the row of a name; nil: there is none.
func Of(name Name) *Row {
	for i := range Table {
		if Table[i].Name == name {
			return &Table[i]
		}
	}
	return nil
}

// Advice is what an operator does about a state.
func Advice(name Name) string {
	if r := Of(name); r != nil {
		return r.Do
	}
	return ""
}
