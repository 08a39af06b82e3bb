package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"time"
)

// DefaultBusuanzi is the service that most themes name.
const DefaultBusuanzi = "https://busuanzi.ibruce.info/busuanzi"

// callback is the name of the function in the JSONP answer.
const callback = "BusuanziCallback_1"

// maxFailures is how many requests in a row may fail before it stops asking.
const maxFailures = 5

// Busuanzi asks a running busuanzi service for the counts of pages, one
// request (JSONP, the page as Referer) for each. The service counts each
// request as a view: it is subtracted again. Answers are kept in a file, so
// that nothing is asked twice and a run that ended goes on.
type Busuanzi struct {
	Client  *http.Client
	Service string        // address without query
	Pause   time.Duration // between requests
	State   string        // file of answers
	Again   bool          // ask for all pages, also those that have answered
	Wait    func(context.Context, time.Duration) error
	// Progress is told how many pages have answered.
	Progress func(pages int64)
}

// answer is one line of the state: what the service said to one request.
type answer struct {
	Page   string `json:"page"` // address
	Asked  int64  `json:"asked"`
	SitePV int64  `json:"site_pv"`
	SiteUV int64  `json:"site_uv"`
	PagePV int64  `json:"page_pv"`
	PageUV int64  `json:"page_uv"`
}

// answers are the last one of each page, and the first one of all.
type answers struct {
	first *answer
	last  map[string]*answer
}

// Counts asks for all pages and returns what was there before the asking.
func (b *Busuanzi) Counts(ctx context.Context, n Naming, site string, pages []*url.URL) (all []Count, err error) {
	known, err := b.recall()
	if err != nil {
		return nil, err
	}
	state, err := os.OpenFile(b.State, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, fmt.Errorf("keep answers: %w", err)
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	if err := b.askAll(ctx, state, known, pages); err != nil {
		return nil, err
	}
	s := sums{}
	s.add(n, site, "", max(known.first.SitePV-1, 0), max(known.first.SiteUV-1, 0))
	for _, p := range pages {
		a := known.last[p.String()]
		s.add(n, site, p.RequestURI(), max(a.PagePV-a.Asked, 0), max(a.PageUV-1, 0))
	}
	return s.list(), nil
}

// recall reads the answers of earlier runs. A line that was cut by a crash
// ends them.
func (b *Busuanzi) recall() (*answers, error) {
	known := &answers{last: map[string]*answer{}}
	data, err := os.ReadFile(b.State)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read answers: %w", err)
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end < len(data) {
		if err := os.Truncate(b.State, int64(end)); err != nil {
			return nil, fmt.Errorf("cut the answer that a crash left: %w", err)
		}
	}
	lines := bufio.NewScanner(bytes.NewReader(data[:end]))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return nil, fmt.Errorf("read answers in %s: %w; delete the file to begin anew", b.State, err)
		}
		known.take(&a)
	}
	return known, lines.Err()
}

func (k *answers) take(a *answer) {
	if k.first == nil {
		k.first = a
	}
	k.last[a.Page] = a
}

func (b *Busuanzi) askAll(ctx context.Context, state io.Writer, known *answers, pages []*url.URL) error {
	failed, inARow, done := 0, 0, int64(0)
	var why error
	for i, p := range pages {
		if known.last[p.String()] != nil && !b.Again {
			done++
			continue
		}
		if i > 0 {
			if err := b.Wait(ctx, b.Pause); err != nil {
				return err
			}
		}
		err := b.page(ctx, state, known, p)
		if err == nil {
			inARow, done = 0, done+1
			b.Progress(done)
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed, inARow, why = failed+1, inARow+1, fmt.Errorf("%s: %w", p, err)
		if inARow == maxFailures {
			break
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d pages have answered; nothing is set before all have. Run the same command again to go on. Last: %w", done, len(pages), why)
	}
	return nil
}

func (b *Busuanzi) page(ctx context.Context, state io.Writer, known *answers, p *url.URL) error {
	a, err := b.ask(ctx, p)
	if err != nil {
		return err
	}
	a.Page, a.Asked = p.String(), 1
	if before := known.last[a.Page]; before != nil {
		a.Asked += before.Asked
	}
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if _, err := state.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	known.take(a)
	return nil
}

func (b *Busuanzi) ask(ctx context.Context, p *url.URL) (a *answer, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Service+"?jsonpCallback="+callback, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Referer", p.String())
	resp, err := b.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the service answers %s", resp.Status)
	}
	return parseAnswer(body)
}

// parseAnswer reads
//
//	try{BusuanziCallback_1({"site_uv":3,"page_pv":7,"version":2.4,"site_pv":20});}catch(e){}
func parseAnswer(body []byte) (*answer, error) {
	_, rest, ok := bytes.Cut(body, []byte(callback+"("))
	var got struct {
		SitePV *int64 `json:"site_pv"`
		SiteUV *int64 `json:"site_uv"`
		PagePV *int64 `json:"page_pv"`
		PageUV int64  `json:"page_uv"`
	}
	if ok {
		ok = json.NewDecoder(bytes.NewReader(rest)).Decode(&got) == nil
	}
	if !ok || got.SitePV == nil || got.SiteUV == nil || got.PagePV == nil {
		return nil, fmt.Errorf("the service answers %q, which is no answer of busuanzi", body[:min(len(body), 80)])
	}
	return &answer{SitePV: *got.SitePV, SiteUV: *got.SiteUV, PagePV: *got.PagePV, PageUV: got.PageUV}, nil
}
