package tailer

import (
	"errors"
	"io/fs"
	"slices"
)

// locator finds the file of a segment that is not open, for callers outside Next.
type locator struct {
	opt     *Options
	folder  *folder
	content *contents
	reg     *register
}

// locate opens the file that holds a segment, wherever it is by now.
func (l *locator) locate(s *segment) (segmentFile, source, error) {
	names, err := l.folder.list()
	if err != nil {
		return segmentFile{}, nil, err
	}
	last := l.reg.name(s)
	if slices.Contains(names, last) {
		f, src, err := l.openIf(s.id, last)
		switch {
		case err != nil: // others may have it
		case !f.gz:
			return f, src, nil
		default:
			if err := src.Close(); err != nil {
				return f, nil, err
			}
		}
	}
	return l.locateAmong(s.id, names)
}

// locateAmong prefers a plain file to a compressed one.
func (l *locator) locateAmong(id string, names []string) (segmentFile, source, error) {
	var zipped segmentFile
	var zsrc source
	var errs []error
	for _, name := range names {
		f, src, err := l.openIf(id, name)
		switch {
		case errors.Is(err, errNotIt), errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		case f.gz && zsrc != nil:
			errs = append(errs, src.Close())
		case f.gz:
			zipped, zsrc = f, src
		default:
			if zsrc != nil {
				if err := zsrc.Close(); err != nil {
					return f, nil, closeAfter(src, err)
				}
			}
			return f, src, nil
		}
	}
	if zsrc != nil {
		return zipped, zsrc, nil
	}
	return segmentFile{}, nil, errors.Join(append([]error{ErrGone}, errs...)...)
}

var errNotIt = errors.New("another segment")

// openIf opens the file called name if it holds the segment.
func (l *locator) openIf(id, name string) (segmentFile, source, error) {
	fi, err := l.opt.disk.Stat(name)
	if err != nil {
		return segmentFile{}, nil, err
	}
	if !fi.Mode().IsRegular() {
		return segmentFile{}, nil, errNotIt
	}
	head, err := l.content.readHead(name, fi)
	if errors.Is(err, errOtherFormat) {
		err = nil // it is what the identity says
	}
	if err == nil {
		l.content.end(&head)
	}
	if err == nil && !l.reg.begins(id, &head) {
		err = errNotIt
	}
	if err != nil {
		return segmentFile{}, nil, err
	}
	h, err := openSame(l.opt.disk, name, fi)
	if err != nil {
		return segmentFile{}, nil, err
	}
	f := segmentFile{name: name, fi: fi, id: id, gz: head.form == gzipped}
	return f, newSource(f.gz, h), nil
}
