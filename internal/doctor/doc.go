// Package doctor is what "check" looks at: settings, files and their rights, nginx and
// logrotate, Redis, the archive, the newest lines. Each look returns findings with what to
// do; it changes nothing and waits for nothing longer than its limit.
package doctor
