// Package logs knows which logs are read and how each is: the beacon's own, nginx's, the
// site's; their format, and which files beside them are segments.
package logs
