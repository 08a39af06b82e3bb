package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// callLog writes a quiet segment of calls that were made at noon of a day.
func callLog(t *testing.T, name string, day time.Time, uris ...string) {
	t.Helper()
	var b strings.Builder
	for i, uri := range uris {
		fmt.Fprintf(&b, "v1\t%d.%03d\t%s%028x\t192.0.2.7\tapi.example\tGET\t200\t%s\t-\tcurl/8\t-\t-\t-\t0.020\t43\tend\n",
			day.Add(12*time.Hour).Unix(), i, "abcd", len(name)<<16+i, uri)
	}
	if err := os.WriteFile(name, []byte(b.String()), 0o640); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
}
