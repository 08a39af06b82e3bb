package queryapi

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// WriteTable writes a table of CSV (RFC 4180). A field that has what some spreadsheets divide
// fields by, which is a semicolon where a comma is the decimal mark, stands in quotes: else what is
// behind it would be a field of its own, and might be a formula.
func WriteTable(out io.Writer, rows [][]string) error {
	var b strings.Builder
	for _, row := range rows {
		for i, field := range row {
			if i > 0 {
				b.WriteByte(',')
			}
			if field != "" && (strings.ContainsAny(field, "\",;\t\r\n") || field[0] == ' ') {
				field = `"` + strings.ReplaceAll(field, `"`, `""`) + `"`
			}
			b.WriteString(field)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// Cell makes a text that a client chose harmless to a spreadsheet, which would take one that
// begins so for a formula; some take the wide forms of the signs as well.
func Cell(text string) string {
	first, _ := utf8.DecodeRuneInString(text)
	if text != "" && strings.ContainsRune("=+-@\t\r\n|＝＋－＠", first) {
		return "'" + text
	}
	return text
}

// writeTable answers a table as a file.
func writeTable(ctx *fasthttp.RequestCtx, name string, rows [][]string) error {
	h := &ctx.Response.Header
	h.SetContentType("text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	ctx.Response.ResetBody()
	return WriteTable(ctx.Response.BodyWriter(), rows)
}
