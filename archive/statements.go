package archive

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// What a statement is for, as those who measure it are told.
const (
	KindLoad   = "load"   // a segment's rows go in
	KindRollUp = "rollup" // sums of days
	KindRead   = "read"   // any other question
	KindFlush  = "flush"  // page_counts
	KindWrite  = "write"  // any other change
)

// Kinds are all of them.
var Kinds = []string{KindLoad, KindRollUp, KindRead, KindFlush, KindWrite}

type kindKey struct{}

// of says what the statements of a context are for.
func of(ctx context.Context, kind string) context.Context {
	return context.WithValue(ctx, kindKey{}, kind)
}

// SlowStatement is how long a statement may take that is not called slow.
const SlowStatement = 2 * time.Second

// slowSaid is how often the log tells of slow statements of one kind at most.
const slowSaid = time.Minute

// Statement is one that has ended.
type Statement struct {
	Kind string
	Took time.Duration // until the first row of an answer
	Slow bool
	Err  error
}

// watcher sees every statement on its way to the driver.
type watcher struct {
	tell func(Statement)
	log  *slog.Logger
	now  func() time.Time

	mu   sync.Mutex
	said map[string]time.Time
}

// ended notes a statement. A driver that declines one is asked in another way.
func (w *watcher) ended(ctx context.Context, otherwise, text string, began time.Time, err error) {
	if err == driver.ErrSkip { //nolint:errorlint // the drivers return it bare
		return
	}
	s := Statement{Kind: otherwise, Took: w.now().Sub(began), Err: err}
	if kind, ok := ctx.Value(kindKey{}).(string); ok {
		s.Kind = kind
	}
	s.Slow = s.Took >= SlowStatement
	if s.Slow && w.mayTell(s.Kind, began) {
		w.log.Warn("slow statement", "kind", s.Kind, "took", s.Took.Round(time.Millisecond), "statement", short(text))
	}
	w.tell(s)
}

func (w *watcher) mayTell(kind string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.said[kind]; ok && now.Sub(at) < slowSaid {
		return false
	}
	w.said[kind] = now
	return true
}

// short is the beginning of a statement. Values are not in it: they are sent apart.
func short(text string) string {
	const most = 160
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		return text[:most] + "..."
	}
	return text
}

// watch has every statement of a connector's connections told.
func (st *store) watch(c driver.Connector) driver.Connector {
	if st.opt.Statements == nil {
		return c
	}
	return &watchedConnector{Connector: c, w: st.watcher}
}

type watchedConnector struct {
	driver.Connector
	w *watcher
}

// Connect implements driver.Connector.
func (c *watchedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, w: c.w}, nil
}

// Close implements io.Closer.
func (c *watchedConnector) Close() error {
	if x, ok := c.Connector.(io.Closer); ok {
		return x.Close()
	}
	return nil
}

// watchedConn passes on what database/sql asks a connection. Both drivers implement
// all of it but for what is looked for here.
type watchedConn struct {
	driver.Conn
	w *watcher
}

// QueryContext implements driver.QueryerContext.
func (c *watchedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	q, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	began := c.w.now()
	rows, err := q.QueryContext(ctx, query, args)
	c.w.ended(ctx, KindRead, query, began, err)
	return rows, err
}

// ExecContext implements driver.ExecerContext.
func (c *watchedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	x, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	began := c.w.now()
	r, err := x.ExecContext(ctx, query, args)
	c.w.ended(ctx, KindWrite, query, began, err)
	return r, err
}

// PrepareContext implements driver.ConnPrepareContext.
func (c *watchedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	p, ok := c.Conn.(driver.ConnPrepareContext)
	if !ok {
		return c.Conn.Prepare(query)
	}
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return watchStmt(s, query, c.w), nil
}

// BeginTx implements driver.ConnBeginTx.
func (c *watchedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	b, ok := c.Conn.(driver.ConnBeginTx)
	if !ok {
		return nil, driver.ErrSkip
	}
	return b.BeginTx(ctx, opts)
}

// Ping implements driver.Pinger.
func (c *watchedConn) Ping(ctx context.Context) error {
	if p, ok := c.Conn.(driver.Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// ResetSession implements driver.SessionResetter.
func (c *watchedConn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// IsValid implements driver.Validator.
func (c *watchedConn) IsValid() bool {
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

// CheckNamedValue implements driver.NamedValueChecker.
func (c *watchedConn) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// watchedStmt is a prepared statement.
type watchedStmt struct {
	driver.Stmt
	text string
	w    *watcher
}

func watchStmt(s driver.Stmt, text string, w *watcher) driver.Stmt { return &watchedStmt{s, text, w} }

// ExecContext implements driver.StmtExecContext.
func (s *watchedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	x, ok := s.Stmt.(driver.StmtExecContext)
	if !ok {
		return nil, errNoContext
	}
	began := s.w.now()
	r, err := x.ExecContext(ctx, args)
	s.w.ended(ctx, KindWrite, s.text, began, err)
	return r, err
}

// QueryContext implements driver.StmtQueryContext.
func (s *watchedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	q, ok := s.Stmt.(driver.StmtQueryContext)
	if !ok {
		return nil, errNoContext
	}
	began := s.w.now()
	rows, err := q.QueryContext(ctx, args)
	s.w.ended(ctx, KindRead, s.text, began, err)
	return rows, err
}

// CheckNamedValue implements driver.NamedValueChecker.
func (s *watchedStmt) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := s.Stmt.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

// errNoContext says that a driver cannot be given up on: none of ours is one.
var errNoContext = errors.New("the driver takes no context")

// namedConnector is a driver with the name of what it opens.
type namedConnector struct {
	driver driver.Driver
	name   string
}

// Connect implements driver.Connector.
func (c namedConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.name) }

// Driver implements driver.Connector.
func (c namedConnector) Driver() driver.Driver { return c.driver }

// Pool is how the connections to the database are used.
type Pool struct {
	Most, Open, InUse, Idle int
	Waits                   int64 // for a free one
	Waited                  time.Duration
}

// Pool tells it, of both of SQLite's pools together.
func (st *store) Pool() (p Pool) {
	all := []*sql.DB{st.db}
	if st.reads != st.db {
		all = append(all, st.reads)
	}
	for _, db := range all {
		s := db.Stats()
		p.Most += s.MaxOpenConnections
		p.Open += s.OpenConnections
		p.InUse += s.InUse
		p.Idle += s.Idle
		p.Waits += s.WaitCount
		p.Waited += s.WaitDuration
	}
	return p
}
