package reports

import "time"

// JSON is a report as a webhook gets it.
func (r *Report) JSON(lang string) any {
	type sums struct {
		PV int64 `json:"pv"`
		UV int64 `json:"uv"`
	}
	type row struct {
		Name string `json:"name"`
		PV   int64  `json:"pv"`
		UV   *int64 `json:"uv"`
	}
	type day struct {
		Date string `json:"date"`
		sums
	}
	type line struct {
		Site   string `json:"site"`
		Now    sums   `json:"now"`
		Before sums   `json:"before"`
	}
	type site struct {
		line
		Days      []day `json:"days"`
		Pages     []row `json:"pages"`
		Referrers []row `json:"referrers"`
		Countries []row `json:"countries"`
	}
	rows := func(all []Row) []row {
		out := make([]row, len(all))
		for i, x := range all {
			out[i] = row(x)
		}
		return out
	}
	lines := func(l Line) line { return line{l.Site, sums(l.Now), sums(l.Before)} }
	out := struct {
		Kind   string `json:"kind"`
		Site   string `json:"site"`
		Period string `json:"period"`
		From   string `json:"from"`
		To     string `json:"to"`
		Now    sums   `json:"now"`
		Before sums   `json:"before"`
		Total  int    `json:"total_sites"`
		Lines  []line `json:"sites"`
		Sites  []site `json:"details"`
		Text   string `json:"text"`
	}{"report", r.Site, r.Span.Key, r.Span.From.Format(time.DateOnly), r.Span.To.Format(time.DateOnly), sums(r.Now), sums(r.Prior), r.Total, []line{}, []site{}, r.Text(lang)}
	for _, l := range r.Lines {
		out.Lines = append(out.Lines, lines(l))
	}
	for _, s := range r.Sites {
		x := site{line: lines(s.Line), Pages: rows(s.Pages), Referrers: rows(s.Referrers), Countries: rows(s.Countries)}
		for _, d := range s.Days {
			x.Days = append(x.Days, day{d.Date.Format(time.DateOnly), sums(d.Sums)})
		}
		out.Sites = append(out.Sites, x)
	}
	return out
}
