package sim

var holes = map[string]string{}
