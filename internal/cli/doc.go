// Package cli holds the commands, one file each: its flags, its help, and how its answer
// is printed. What a command does lives in other rooms, which print nothing.
//
// Commands that touch DATA_DIR run as its owner, also when root typed them (owner.go).
package cli
