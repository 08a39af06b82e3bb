//go:build !linux

package nginx

func renameNoReplace(from, to string) error { return renameChecked(from, to) }
