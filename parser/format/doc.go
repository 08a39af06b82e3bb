// Package format takes a line of a log apart as its server was told to write it.
//
// A format is one line of text: nginx's log_format, Apache's LogFormat, the
// "#Fields:" line of a W3C log, or a list of keys of a JSON log. Names of formats
// (common, haproxy, alb, ...) are rows of one table of such texts. Compile turns the
// text into a Layout once; Layout.Read then finds the fields of a line, as slices of
// it, without allocating. What the program has no use for is read over, whatever is
// in it. What the fields mean is left to the parser.
package format
