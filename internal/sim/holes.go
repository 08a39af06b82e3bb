package sim

// holes are steps whose faults the program does not mend in every order of events
// yet: they are left out of schedules, each with the kind of fault that therefore
// never strikes. It is empty when all is well. With doLoseKey a run of a thousand ends with a
// page's visitors, pairs, books or seen buckets lost; with doRetype with the key as it was
// planted, or with the daemon ended by a wrong type of ddkk:sites; testdata/open has one.
var holes = map[string]string{
	string(doLoseKey): "one key lost",
	string(doRetype):  "key of another type",
}
