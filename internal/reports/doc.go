// Package reports tells people how their sites went: it gathers the figures of a period,
// writes them as text and HTML, and delivers them by mail and webhook, once.
package reports
