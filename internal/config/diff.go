package config

// Names parts the names of changes by whether they take effect now.
func Names(changes []Change) (now, restart []string) {
	for _, c := range changes {
		if c.Reloadable {
			now = append(now, c.Name)
		} else {
			restart = append(restart, c.Name)
		}
	}
	return now, restart
}
