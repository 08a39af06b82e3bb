package jobs

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"ddkk-stats/counter"
	"ddkk-stats/internal/mirror"
	"ddkk-stats/internal/vault"
)

// indexTimeout bounds one request to the search index.
const indexTimeout = 30 * time.Second

// IndexedPages are the pages of a site that documents of the search index may have totals
// of; none where there is no index.
func IndexedPages(ctx context.Context, v *vault.Vault, site string) (pages []counter.PageTotal, err error) {
	if v.Cfg().Elastic.URL == "" {
		return nil, nil
	}
	a, err := v.Open(ctx)
	if err != nil {
		return nil, err
	}
	for p, err := range a.Read().PageViews(ctx, site) {
		if err != nil {
			return nil, fmt.Errorf("list pages of %s: %w", site, err)
		}
		pages = append(pages, counter.PageTotal{Page: p.Page})
	}
	return pages, nil
}

// Unindex sets the totals of pages that are deleted to 0 in the search index. Documents
// stay, since they may be articles, and none is made.
func Unindex(ctx context.Context, v *vault.Vault, site string, pages []counter.PageTotal) error {
	es := v.Cfg().Elastic
	if es.URL == "" {
		return nil
	}
	sink := mirror.NewElastic(mirror.ElasticOptions{
		URL: es.URL, Index: es.Index, ID: es.ID, Views: es.ViewsField, Bots: es.BotsField,
		User: es.User, Password: string(es.Password), APIKey: string(es.Key),
		Client: &http.Client{Timeout: indexTimeout}, Logger: v.Log, Pause: pause,
	})
	for some := range slices.Chunk(pages, 500) {
		if _, err := sink.Send(ctx, site, some); err != nil {
			return fmt.Errorf("take the totals of %s out of the search index: %w", site, err)
		}
	}
	return nil
}
