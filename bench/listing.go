package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// listing is how long the page of all sites took.
type listing struct {
	first, later time.Duration
	bytes        int
}

// listedAgain is how often it is asked for again.
const listedAgain = 11

// listSites asks for the list of all sites as the dashboard does.
func listSites(ctx context.Context, api string, sites int) (l listing, err error) {
	var took []time.Duration
	for i := range listedAgain + 1 {
		began := time.Now()
		body, err := get(ctx, "http://"+api+"/api/admin/sites?sparkline=30")
		if err != nil {
			return l, err
		}
		if n := strings.Count(body, `"site":`); n != sites {
			return l, fmt.Errorf("the list has %d sites, want %d", n, sites)
		}
		if i == 0 {
			l.first, l.bytes = time.Since(began), len(body)
		} else {
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	l.later = took[len(took)/2]
	return l, nil
}

// get returns the body of an answer.
func get(ctx context.Context, url string) (_ string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", url, resp.Status, body)
	}
	return string(body), err
}
