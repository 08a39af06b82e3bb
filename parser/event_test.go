package parser

import (
	"slices"
	"strings"
	"testing"
)

func TestEventKeys(t *testing.T) {
	f := func(want string, levels ...string) {
		t.Helper()
		h := Hit{Kind: Event}
		for i, to := range []*[]byte{&h.Category, &h.Action, &h.Label, &h.Value}[:len(levels)] {
			*to = []byte(levels[i])
		}
		key, ends, n := AppendEventKeys(nil, &h)
		if string(key) != want || n != len(levels) {
			t.Errorf("key of %q is %q with %d levels, want %q", levels, key, n, want)
		}
		if got := EventKey(levels...); got != want {
			t.Errorf("EventKey(%q) = %q, want %q", levels, got, want)
		}
		for i := range n {
			if level := string(key[:ends[i]]); level != EventKey(levels[:i+1]...) {
				t.Errorf("level %d of %q is %q", i+1, key, level)
			}
		}
		if got := splitEventKey(want); !slices.Equal(got, levels) {
			t.Errorf("splitEventKey(%q) = %q, want %q", want, got, levels)
		}
	}
	f("video", "video")
	f("video.play.intro.1%2E5", "video", "play", "intro", "1.5")
	f("a%2Eb%25c%7Cd", "a.b%c|d")
	f("a.%0Ab%00%7F", "a", "\nb\x00\x7f")
	f("视频.%FF", "视频", "\xff")
	f("")

	if got := EventKey("a", "", "c"); got != "a" {
		t.Errorf("a level behind an empty one is kept: %q", got)
	}
	if EventKey("a.b") == EventKey("a", "b") {
		t.Error("one level with a dot is the key of two levels")
	}
}

func TestEventKeyLimit(t *testing.T) {
	for _, part := range []string{strings.Repeat("a", 300), strings.Repeat(".", 300), strings.Repeat("文", 300), strings.Repeat("\xff", 300)} {
		key := EventKey(part, part)
		first, second, ok := strings.Cut(key, ".")
		if !ok || first != second || len(first) > maxEventPart || len(first) < maxEventPart-3 {
			t.Errorf("key of long levels is %q", key)
		}
		if levels := splitEventKey(key); !strings.HasPrefix(part, levels[0]) {
			t.Errorf("long level is cut to %q", levels[0])
		}
	}
}

// splitEventKey is the inverse of EventKey: the levels as they were sent (or as
// far as they were kept).
func splitEventKey(key string) []string {
	if key == "" {
		return nil
	}
	levels := strings.Split(key, ".")
	for i, level := range levels {
		levels[i] = string(appendPercent(nil, []byte(level)))
	}
	return levels
}
