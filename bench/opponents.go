package main

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
)

// opponents are what ddkk-stats is compared with where no program of others
// does the job. Each runs as a process of its own.
func opponents() map[string]func(context.Context, []string) error {
	return map[string]func(context.Context, []string) error{
		"naive":    naiveCounter,
		"constant": constantServer,
		"mget":     mgetServer,
	}
}

// naiveCounter counts LOG into the Redis at ADDR, line by line, as one would
// write it first: split, parse the URL, hash with MD5, one pipeline a line. It
// keeps no checkpoint, so it counts twice when it is restarted. It prints the
// lines and the nanoseconds.
func naiveCounter(ctx context.Context, args []string) (err error) {
	if len(args) != 2 {
		return errors.New("usage: bench naive LOG ADDR")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rdb := redis.NewClient(&redis.Options{Addr: args[1]})
	defer func() { err = errors.Join(err, rdb.Close()) }()
	began, n := time.Now(), 0
	lines := bufio.NewScanner(f)
	for ; lines.Scan(); n++ {
		if err := naiveLine(ctx, rdb, lines.Text()); err != nil {
			return err
		}
	}
	fmt.Println(n, time.Since(began).Nanoseconds())
	return lines.Err()
}

func naiveLine(ctx context.Context, rdb *redis.Client, line string) error {
	f := strings.Split(line, "\t")
	if len(f) != 16 {
		return fmt.Errorf("not a line: %q", line)
	}
	u, err := url.Parse(f[7])
	if err != nil {
		return err
	}
	site, page := u.Query().Get("site"), u.Query().Get("page")
	sum := md5.Sum([]byte(f[3] + f[9]))
	p := rdb.Pipeline()
	p.Incr(ctx, "naive:pv:"+site)
	p.Incr(ctx, "naive:pv:"+site+":"+page)
	p.ZIncrBy(ctx, "naive:hot:"+site, 1, page)
	p.SAdd(ctx, "naive:uv:"+site, hex.EncodeToString(sum[:]))
	_, err = p.Exec(ctx)
	return err
}

// constantServer answers every request with the same bytes: the most that the
// HTTP server can do.
func constantServer(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench constant ADDR")
	}
	answer := []byte(`{"site":"ddkk.com","site_pv":123456,"site_uv":12345,"page_pv":789,"page_uv":78}`)
	s := fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetContentType("application/json")
		ctx.SetBody(answer)
	}}
	return serve(ctx, &s, args[0])
}

// serve serves until ctx ends. Connections that are idle then are cut.
func serve(ctx context.Context, s *fasthttp.Server, addr string) error {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	s.CloseOnShutdown = true
	var g errgroup.Group
	g.Go(func() error { return s.Serve(ln) })
	<-ctx.Done()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = s.ShutdownWithContext(deadline)
	return errors.Join(err, g.Wait())
}

// mgetRequest is what both of the API's requests ask of the plain handler.
type mgetRequest struct {
	Site  string   `json:"site"`
	Page  string   `json:"page"`
	Pages []string `json:"pages"`
}

// mgetServer is a plain handler: decode, one MGET, encode; no checks, nothing
// for when Redis is away.
func mgetServer(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("usage: bench mget ADDR REDIS")
	}
	rdb := redis.NewClient(&redis.Options{Addr: args[1], PoolSize: 64})
	s := fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		if err := mget(ctx, rdb); err != nil {
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
		}
	}}
	return errors.Join(serve(ctx, &s, args[0]), rdb.Close())
}

func mget(ctx *fasthttp.RequestCtx, rdb *redis.Client) error {
	var q mgetRequest
	if err := json.Unmarshal(ctx.PostBody(), &q); err != nil {
		return err
	}
	keys := []string{"ddkk:site:pv:" + q.Site, "ddkk:site:uv:" + q.Site,
		"ddkk:page:pv:" + q.Site + ":" + q.Page, "ddkk:page:uv:" + q.Site + ":" + q.Page}
	if len(q.Pages) > 0 {
		keys = keys[:0]
		for _, p := range q.Pages {
			keys = append(keys, "ddkk:page:pv:"+q.Site+":"+p)
		}
	}
	values, err := rdb.MGet(ctx, keys...).Result()
	if err != nil {
		return err
	}
	answer := make(map[string]any, len(values))
	for i, v := range values {
		answer[keys[i]] = v
	}
	body, err := json.Marshal(answer)
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
	return err
}
