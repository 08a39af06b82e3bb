package verify

// Progress is how far a run is.
type Progress struct {
	Sites int    // to be looked at
	Done  int    // of them
	Now   string // what is being looked at
	Lines int64  // read so far; those that are read again count again
}

func (v *Verifier) now(what string) {
	v.far.Now = what
	v.tell()
}

func (v *Verifier) done(sites int) {
	v.far.Done += sites
	v.tell()
}

// read notes lines that were read.
func (v *Verifier) read(lines int64) {
	v.far.Lines += lines
	v.tell()
}

func (v *Verifier) tell() {
	if v.opt.Progress != nil {
		v.opt.Progress(v.far)
	}
}
