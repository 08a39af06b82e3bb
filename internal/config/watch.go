package config

import (
	"io/fs"
	"os"
	"time"
)

// FileWatch tells when a file has become another one: rewritten in place,
// replaced by a rename, or reached by another link. It reads the file's status
// only, and speaks when two looks in a row saw the same: an editor that is
// writing is not disturbed.
type FileWatch struct {
	path string
	stat func(string) (fs.FileInfo, error)
	told fileState // when changed last said yes
	last fileState // at the last look
}

// fileState is what of a file changes when its content does. The zero value is
// no file.
type fileState struct {
	info     fs.FileInfo
	size     int64
	modified time.Time
	mode     fs.FileMode
}

func (a fileState) same(b fileState) bool {
	if a.info == nil || b.info == nil {
		return a.info == nil && b.info == nil
	}
	return os.SameFile(a.info, b.info) && a.size == b.size && a.modified.Equal(b.modified) && a.mode == b.mode
}

func NewFileWatch(path string, stat func(string) (fs.FileInfo, error)) *FileWatch {
	w := &FileWatch{path: path, stat: stat}
	w.Seen()
	return w
}

func (w *FileWatch) look() fileState {
	info, err := w.stat(w.path)
	if err != nil {
		return fileState{} // gone, or out of reach, which reading it will say
	}
	return fileState{info, info.Size(), info.ModTime(), info.Mode()}
}

// Seen takes the file as it is now for known.
func (w *FileWatch) Seen() {
	w.last = w.look()
	w.told = w.last
}

// Changed looks at the file and tells once for each change.
func (w *FileWatch) Changed() bool {
	before := w.last
	w.last = w.look()
	if !w.last.same(before) || w.last.same(w.told) {
		return false
	}
	w.told = w.last
	return true
}
