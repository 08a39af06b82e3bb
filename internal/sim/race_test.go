//go:build race

package sim

// raceEnabled: all is ten times slower.
const raceEnabled = true
