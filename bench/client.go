package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// post sends a JSON body and returns the answer's.
func post(ctx context.Context, c *fasthttp.Client, url, body string) ([]byte, error) {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI(url)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.SetBodyString(body)
	if err := c.DoTimeout(req, resp, 5*time.Second); err != nil {
		return nil, err
	}
	if resp.StatusCode() != fasthttp.StatusOK {
		return nil, fmt.Errorf("%s answers %d: %s", url, resp.StatusCode(), resp.Body())
	}
	return append([]byte(nil), resp.Body()...), ctx.Err()
}

// readField reads one field of a page through the API.
func readField(ctx context.Context, api, field, page string) (int64, error) {
	return readFieldWith(ctx, &fasthttp.Client{}, api, field, page)
}

func readFieldWith(ctx context.Context, c *fasthttp.Client, api, field, page string) (int64, error) {
	body, err := post(ctx, c, "http://"+api+"/api/stats", fmt.Sprintf(`{"site":%q,"page":%q,"fields":[%q]}`, siteName, page, field))
	if err != nil {
		return 0, err
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("read the API's answer %q: %w", body, err)
	}
	var n int64
	if err := json.Unmarshal(answer[field], &n); err != nil {
		return 0, fmt.Errorf("read %s in %q: %w", field, body, err)
	}
	return n, nil
}

// paced calls f so many times a second until ctx ends, each call in a goroutine
// of its own so that a slow one delays no other, and waits for all of them. f
// gets the moment at which it was due.
func paced(ctx context.Context, perSecond int, f func(due time.Time) error) error {
	var g errgroup.Group
	began, n := time.Now(), 0
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return g.Wait()
		case now := <-tick.C:
			for ; ; n++ {
				due := began.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
				if due.After(now) {
					break
				}
				g.Go(func() error { return f(due) })
			}
		}
	}
}

// pacedReads reads four fields so many times a second and returns how long the
// answers took, counted from when each read was due: a reader that had to wait
// for the one before it has waited.
func pacedReads(ctx context.Context, api string, perSecond int) ([]time.Duration, error) {
	if err := poll(ctx, 10*time.Second, 2*time.Millisecond, func() error { return httpOK("http://" + api + "/healthz") }); err != nil {
		return nil, err
	}
	c := &fasthttp.Client{MaxConnsPerHost: 256}
	times := make(chan time.Duration, 64)
	var all []time.Duration
	collected := make(chan struct{})
	go func() {
		defer close(collected)
		for t := range times {
			all = append(all, t)
		}
	}()
	bodies := statsBodies()
	err := paced(ctx, perSecond, func(due time.Time) error {
		_, err := post(context.WithoutCancel(ctx), c, "http://"+api+"/api/stats", bodies[int(due.UnixNano()/1e6)%len(bodies)])
		times <- time.Since(due)
		return err
	})
	close(times)
	<-collected
	if len(all) == 0 {
		err = errors.Join(err, errors.New("nothing was read"))
	}
	return all, err
}
