package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

var accessLog = regexp.MustCompile(`(?m)^(\s*)access_log "[^"]*" ddkk_v2[^;]*;`)

// runNginx is what writing the log costs nginx: the same requests with our
// access_log and with none.
func runNginx(ctx context.Context, b *bench) error {
	script := filepath.Join(b.dir, "pixel.lua")
	text := fmt.Sprintf(`wrk.headers["User-Agent"] = %q
wrk.headers["Referer"] = "https://%s/posts/1/"
%s`, userAgents()[0], siteName, wrkReport)
	if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
		return err
	}
	off, err := b.loadNginx(ctx, script, func(conf string) string { return accessLog.ReplaceAllString(conf, "${1}access_log off;") })
	if err != nil {
		return err
	}
	on, err := b.loadNginx(ctx, script, nil)
	if err != nil {
		return err
	}
	b.add(result{part: "nginx", what: "GET /event.png without a log (the unit); 64 conn.", figure: off.figure(), cpu: off.cpuText(), ratio: "1.0"})
	b.add(result{part: "nginx", what: "GET /event.png with the v1 log; 64 conn.", figure: on.figure(), cpu: on.cpuText(),
		ratio: fmt.Sprintf("%.2f", on.perSecond/off.perSecond)})
	return nil
}

// nginxLoad is one measurement of nginx.
type nginxLoad struct {
	wrkResult
	cpu float64 // microseconds a request
}

func (l nginxLoad) figure() string {
	return fmt.Sprintf("%s; p50 %s, p99 %s", rate(l.perSecond, "req"), ms(l.p50), ms(l.p99))
}

func (l nginxLoad) cpuText() string { return fmt.Sprintf("%.1f us/req", l.cpu) }

// loadNginx is the median of three.
func (b *bench) loadNginx(ctx context.Context, script string, edit func(string) string) (_ nginxLoad, err error) {
	n, err := b.startNginx(ctx, "127.0.0.1:1", edit)
	if err != nil {
		return nginxLoad{}, err
	}
	defer func() { err = errors.Join(err, n.stop(), os.RemoveAll(n.log)) }()
	var all []nginxLoad
	for range 3 {
		before := n.groupCPU()
		r, err := b.wrk(ctx, 64, pick(b.quick, 1, 3), script, "http://"+n.addr+"/event.png?site="+siteName+"&page=%2Fposts%2F1%2F&id=0123456789abcdef")
		if err != nil {
			return nginxLoad{}, err
		}
		all = append(all, nginxLoad{r, (n.groupCPU() - before).Seconds() * 1e6 / r.requests})
	}
	slices.SortFunc(all, func(a, b nginxLoad) int { return int(a.perSecond - b.perSecond) })
	return all[1], nil
}
