// Package nginx holds what nginx and the daemon have to agree upon: the line
// that nginx writes for each beacon, a configuration that writes it, and the
// rotation of the log while nginx keeps writing.
package nginx
