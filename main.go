// Command ddkk-stats counts page views from an access log, exactly once.
//
//	page --beacon--> nginx --append--> log segments
//	                                       |  tailer: complete lines with offsets
//	                                       v
//	                                    parser: line -> hit
//	                                       |
//	                                       v
//	                                    counter: batches -> Redis, with the
//	                                       |     checkpoint in the same step
//	                                       v
//	widget, API <------ queryapi <------ Redis
//
// The rooms of the pipeline are folders here; what ties them together lives under
// internal: docs/DESIGN.md has the table of rooms and of which may know which.
package main

import (
	"os"

	"ddkk-stats/internal/cli"
)

// version is set by the linker in builds of the Makefile.
var version string

func main() { os.Exit(cli.Run(version, os.Args[1:], os.Stdout, os.Stderr)) }
