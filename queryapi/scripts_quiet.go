package queryapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"
)

// quietScript is a build of the widget that sends no beacons on some hosts: their views
// are those of their own log. There it is as if the page said data-auto="false", so that
// it shows numbers and counts nothing. Where there are no such hosts it is the build
// itself.
type quietScript struct {
	plain *asset
	hosts func() []string // nil: there are none

	mu   sync.Mutex
	made *asset
	of   string // hosts that made is for
}

func newQuietScript(plain *asset, hosts func() []string) *quietScript {
	return &quietScript{plain: plain, hosts: hosts}
}

func (q *quietScript) answer(ctx *fasthttp.RequestCtx) error {
	a, err := q.now()
	if err != nil {
		return err
	}
	return script(a, cacheDay)(ctx)
}

// now is the script for the hosts of now.
func (q *quietScript) now() (*asset, error) {
	if q.hosts == nil {
		return q.plain, nil
	}
	hosts := q.hosts()
	if len(hosts) == 0 {
		return q.plain, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if of := strings.Join(hosts, ","); q.made == nil || q.of != of {
		list, err := json.Marshal(hosts)
		if err != nil {
			return nil, fmt.Errorf("write the widget for the hosts of LOG_VIEWS: %w", err)
		}
		made, err := newAsset(typeScript, append([]byte(fmt.Sprintf(quietStart, list)), q.plain.plain...))
		if err != nil {
			return nil, err
		}
		q.made, q.of = made, of
	}
	return q.made, nil
}

// quietStart sets the attribute on the element that loads the script, as the widget finds it.
const quietStart = `(function(h){var e=document.currentScript||document.querySelector('[src*=ddkk-s]');` +
	`if(e&&h.indexOf(e.dataset.site||location.hostname)>=0)e.dataset.auto="false"})(%s);` + "\n"
