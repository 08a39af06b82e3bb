package parser

// screenClasses are the names of Screen: widths in CSS pixels, up to and without the
// next one.
var screenClasses = [...]struct {
	from int
	name string
}{
	{1920 + 640, "2560+"}, {1920, "1920-2559"}, {1600, "1600-1919"}, {1280, "1280-1599"}, {1024, "1024-1279"},
	{768, "768-1023"}, {480, "480-767"}, {1, "1-479"},
}

// maxScreen is the widest that is believed.
const maxScreen = 100_000

// screenOf is the class of a width, as the beacon's parameter "w" has it; empty: none.
// A height behind it ("1280x720") is read over.
func screenOf(param []byte) string {
	if i := classOf(param); i >= 0 {
		return screenClasses[i].name
	}
	return ""
}

// classOf is the class's place among screenClasses; negative: it is none.
func classOf(param []byte) int {
	n := 0
	for i, c := range param {
		if c == 'x' || c == '.' {
			break
		}
		if c < '0' || c > '9' || i > 5 {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	if n > maxScreen {
		return -1
	}
	for i := range screenClasses {
		if n >= screenClasses[i].from {
			return i
		}
	}
	return -1
}

// screens are the names of Screen as hits have them, by class; nil: not counted.
type screens [len(screenClasses)]*Value

func newScreens(values *facetValues) (s screens) {
	for i := range s {
		s[i] = values.named(Screen, screenClasses[i].name)
	}
	return s
}

func (s *screens) value(param []byte) *Value {
	if i := classOf(param); i >= 0 {
		return s[i]
	}
	return nil
}
