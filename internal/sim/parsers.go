package sim

import "ddkk-stats/parser"

// parsers are those of archive cycles, which take place one after the other: making one takes longer
// than a cycle needs it. Daemons have their own.
type parsers struct {
	made  map[parserOf]*parser.Parser
	times map[parserOf]func([]byte) int64 // rules do not matter
}

// parserOf is what a parser is for.
type parserOf struct {
	path  string
	views bool
	rules *ruled
}

func newParsers() parsers {
	return parsers{made: map[parserOf]*parser.Parser{}, times: map[parserOf]func([]byte) int64{}}
}

// of is the parser of a log by the rules of now.
func (ps *parsers) of(w *world, l reading) (*parser.Parser, error) {
	k := parserOf{l.path, l.views, (ruling{w}).ruled()}
	if p := ps.made[k]; p != nil {
		return p, nil
	}
	p, err := parser.New(w.rules(l))
	ps.made[k] = p
	return p, err
}

// timeOf tells the time of a log's lines.
func (ps *parsers) timeOf(w *world, l reading) (func([]byte) int64, error) {
	k := parserOf{l.path, l.views, nil}
	if f := ps.times[k]; f != nil {
		return f, nil
	}
	f, err := parser.LineTime(w.rules(l))
	ps.times[k] = f
	return f, err
}
