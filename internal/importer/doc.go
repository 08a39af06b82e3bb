// Package importer reads what came before: old access logs, whose requests it
// sorts into page views and the rest, and the counts of earlier counters. It
// only reads; what is done with the result is up to its user.
package importer
