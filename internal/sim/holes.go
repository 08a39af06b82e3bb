package sim

// holes are faults of the program that are known and not mended yet: what brings
// them about is left out of schedules. It is empty when all is well.
var holes = map[string]bool{
	string(doLoseKey): true, // a key that is lost is noticed at its next change only
	string(doRetype):  true,
}
