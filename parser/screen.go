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
	n := 0
	for i, c := range param {
		if c == 'x' || c == '.' {
			break
		}
		if c < '0' || c > '9' || i > 5 {
			return ""
		}
		n = 10*n + int(c-'0')
	}
	if n > maxScreen {
		return ""
	}
	for _, s := range screenClasses {
		if n >= s.from {
			return s.name
		}
	}
	return ""
}
