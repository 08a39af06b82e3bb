package parser

import "fmt"

// automaton finds any of many texts in one pass (Aho and Corasick, "Efficient
// string matching", 1975), as a full table of transitions over the bytes that
// occur in the texts.
type automaton struct {
	class   [256]uint8 // byte -> column; 0 for bytes that are in no text
	columns int
	texts   []string
	ids     []int
	next    []uint16  // state*columns + column -> state
	out     [][]int32 // state -> ids of the texts that end there
}

// maxStates is how many states fit the table's entries; texts have at most one
// for each of their bytes.
const maxStates = 1 << 16

// add registers a text before build.
func (a *automaton) add(text string, id int) {
	a.texts = append(a.texts, text)
	a.ids = append(a.ids, id)
	for i := range len(text) {
		if a.class[text[i]] == 0 {
			a.columns++
			a.class[text[i]] = uint8(a.columns)
		}
	}
}

// build makes the table: first the tree of all texts, then, breadth first, each
// missing transition is taken from the longest proper suffix that is a state.
func (a *automaton) build() error {
	size := 1
	for _, text := range a.texts {
		size += len(text)
	}
	if size > maxStates || a.columns > 255 {
		return fmt.Errorf("build automaton: texts of %d bytes, %d allowed", size, maxStates)
	}
	a.columns++ // column 0: bytes in no text
	a.addState()
	for i, text := range a.texts {
		a.insert(text, int32(a.ids[i]))
	}
	states := len(a.out)
	fail := make([]uint16, states)
	queue := make([]uint16, 0, states)
	queue = append(queue, 0)
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		row := a.row(state)
		suffix := a.row(fail[state])
		for column := range row {
			child := row[column]
			switch {
			case child == 0 && state != 0:
				row[column] = suffix[column]
			case child != 0:
				if state != 0 {
					fail[child] = suffix[column]
				}
				a.out[child] = append(a.out[child], a.out[fail[child]]...)
				queue = append(queue, child)
			}
		}
	}
	return nil
}

func (a *automaton) row(state uint16) []uint16 {
	from := int(state) * a.columns
	return a.next[from : from+a.columns]
}

func (a *automaton) addState() uint16 {
	a.next = append(a.next, make([]uint16, a.columns)...)
	a.out = append(a.out, nil)
	return uint16(len(a.out) - 1)
}

func (a *automaton) insert(text string, id int32) {
	state := uint16(0)
	for i := range len(text) {
		column := a.class[text[i]]
		child := a.row(state)[column]
		if child == 0 {
			child = a.addState()
			a.row(state)[column] = child
		}
		state = child
	}
	a.out[state] = append(a.out[state], id)
}

// find calls accept with the id of each text in b until one is accepted.
func (a *automaton) find(b []byte, accept func(id int) bool) bool {
	state := uint16(0)
	for _, c := range b {
		state = a.next[int(state)*a.columns+int(a.class[c])]
		for _, id := range a.out[state] {
			if accept(int(id)) {
				return true
			}
		}
	}
	return false
}
