package queryapi

import (
	"strings"
	"testing"
)

// What strangers choose is one field whatever a spreadsheet divides by, and no formula.
func TestTable(t *testing.T) {
	names := []string{"/a", "=1+1", "/a;=1+1", "/a\t=1+1", "＝1+1", "+1", "@x", `/"q",x`, " =1", "/a\r\n=1", "-1", "|x", ""}
	rows := [][]string{}
	for _, n := range names {
		rows = append(rows, []string{Cell(n), "1"})
	}
	var b strings.Builder
	if err := WriteTable(&b, rows); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{"/a,1", "'=1+1,1", `"/a;=1+1",1`, "\"/a\t=1+1\",1", "'＝1+1,1", "'+1,1", "'@x,1", `"/""q"",x",1`, `" =1",1`, "\"/a\r\n=1\",1", "'-1,1", "'|x,1", ",1", ""}, "\n")
	if b.String() != want {
		t.Errorf("%q, want\n%q", b.String(), want)
	}
}
