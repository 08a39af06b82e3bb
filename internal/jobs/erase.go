package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"ddkk-stats/archive"
	"ddkk-stats/internal/config"
	"ddkk-stats/internal/logs"
	"ddkk-stats/internal/vault"
	"ddkk-stats/parser"
	"ddkk-stats/tailer"
)

// Erased is what became of lines that somebody had deleted.
type Erased struct {
	Files int
	Lines int64
	Left  []string // files that still have some, and why
}

// lastDeletion is the number of the last rule that deletes; 0: there is none.
func lastDeletion(r *parser.Rules) (last int64) {
	for i := range r.All {
		if r.All[i].Kind == parser.RuleDelete {
			last = r.All[i].Num
		}
	}
	return last
}

// EraseDeleted erases in this host's rotated logs the lines that rules delete, and notes
// when none is left. Lines of a live log stay until it is rotated: the rules leave them out.
func EraseDeleted(ctx context.Context, v *vault.Vault, secret []byte) (out Erased, err error) {
	a, err := v.Open(ctx)
	if err != nil {
		return out, err
	}
	last := lastDeletion(&v.Cfg().Rules)
	id, name, err := v.Host()
	if err != nil || last == 0 {
		return out, err
	}
	hosts, err := a.Hosts(ctx)
	if err != nil {
		return out, err
	}
	for _, h := range hosts {
		if h.ID == id && h.Erased >= last {
			return out, nil
		}
	}
	err = InTurn(ctx, v, LockLimit, func() error {
		return a.Alone(ctx, func() error {
			out = Erased{}
			for _, in := range logs.Inputs(v.Cfg()) {
				e := eraser{v: v, archive: a, in: in, out: &out}
				if err := e.run(ctx, secret); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return out, fmt.Errorf("erase deleted lines: %w", err)
	}
	if out.Lines > 0 || len(out.Left) > 0 {
		v.Log.Info("erased deleted lines in rotated logs", "lines", out.Lines, "files", out.Files, "left", out.Left)
	}
	if len(out.Left) > 0 {
		return out, nil
	}
	return out, a.NoteErased(ctx, id, name, last)
}

// DeletedLines counts the lines in this host's logs that rules delete.
func DeletedLines(ctx context.Context, v *vault.Vault, secret []byte) (out Erased, err error) {
	for _, in := range logs.Inputs(v.Cfg()) {
		e := eraser{v: v, in: in, out: &out}
		names, _, err := e.files(ctx)
		if err != nil {
			return out, err
		}
		edit, _, err := e.edit(secret)
		if err != nil {
			return out, err
		}
		for _, name := range names {
			n, err := tailer.Matching(ctx, name, parser.MaxLine, edit)
			if err != nil {
				return out, err
			}
			if out.Lines += n; n > 0 {
				out.Files++
			}
		}
	}
	return out, nil
}

// eraser erases in the files of one log.
type eraser struct {
	v       *vault.Vault
	archive *archive.Archive
	in      logs.Input
	out     *Erased
}

// files are the names of all files of the log, copies too, and its segments.
func (e *eraser) files(ctx context.Context) (names []string, segments []tailer.File, err error) {
	opt, err := logs.SegmentOptions(e.v.Cfg(), e.in, e.v.Log)
	if err != nil {
		return nil, nil, err
	}
	opt.Recall = func() (tailer.Recollection, error) { return Recall(ctx, e.v, e.in) }
	l, err := tailer.Look(opt)
	if err != nil {
		return nil, nil, fmt.Errorf("list segments: %w", err)
	}
	return l.Names, l.Files, nil
}

// edit erases lines; seen tells that some of the file were, now or before.
func (e *eraser) edit(secret []byte) (edit tailer.Edit, seen *bool, err error) {
	p, err := parser.New(logs.ParserOf(e.v.Cfg(), e.in, secret))
	if err != nil {
		return nil, nil, fmt.Errorf("make parser: %w", err)
	}
	seen = new(bool)
	var h parser.Hit
	return func(n int64, line []byte) bool {
		if parser.IsErased(line) {
			*seen = true
			return false
		}
		if p.Parse(line, &h); !p.Deletable(&h) {
			return false
		}
		parser.Erase(line, n < tailer.HeadLines)
		*seen = true
		return true
	}, seen, nil
}

func (e *eraser) run(ctx context.Context, secret []byte) error {
	names, _, err := e.files(ctx)
	if err != nil {
		return err
	}
	edit, seen, err := e.edit(secret)
	if err != nil {
		return err
	}
	erased := map[string]bool{}
	for _, name := range names {
		*seen = false
		if name == e.in.Path {
			n, err := tailer.Matching(ctx, name, parser.MaxLine, edit)
			if err != nil {
				return err
			}
			if n > 0 {
				e.out.Left = append(e.out.Left, fmt.Sprintf("%s: %d lines, until it is rotated", name, n))
			}
			continue
		}
		done, err := tailer.Rewrite(ctx, name, time.Now(), quiet, parser.MaxLine, edit)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			e.out.Left = append(e.out.Left, leftText(name, err))
			continue
		}
		if done.Lines > 0 {
			e.out.Files++
			e.out.Lines += done.Lines
		}
		erased[name] = *seen
	}
	return e.sums(ctx, erased)
}

func leftText(name string, err error) string {
	switch {
	case errors.Is(err, tailer.ErrBusy), errors.Is(err, tailer.ErrChanged):
		return name + ": somebody may still write to it; the next archive cycle tries again"
	}
	return fmt.Sprintf("%v; give the daemon write access to the log's folder", err)
}

// sums notes the contents that archived segments have now, so that they are known, and
// deleted in their time.
func (e *eraser) sums(ctx context.Context, erased map[string]bool) error {
	_, segments, err := e.files(ctx)
	if err != nil {
		return err
	}
	archived, err := e.archive.ArchivedSegments(ctx)
	if err != nil {
		return err
	}
	for _, f := range segments {
		whole := archived[f.ID]
		if !erased[f.Name] || whole.Sum == "" {
			continue
		}
		sum, err := sumOf(ctx, f, whole.Size)
		if err != nil {
			return err
		}
		if sum == whole.Sum {
			continue
		}
		if err := e.archive.SetSum(ctx, f.ID, sum); err != nil {
			return err
		}
	}
	return nil
}

// sumOf is the SHA-256 of the first bytes of a segment.
func sumOf(ctx context.Context, f tailer.File, size int64) (_ string, err error) {
	r, err := f.Open(ctx, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	h := sha256.New()
	if _, err := io.CopyN(h, r, size); err != nil {
		return "", fmt.Errorf("read %s: %w", f.Name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// PendingHosts are the hosts whose logs may still have what a rule deletes.
func PendingHosts(hosts []archive.Host, rule int64) (names []string) {
	for _, h := range hosts {
		if h.Erased < rule {
			names = append(names, h.Name)
		}
	}
	return names
}

// awaitPause is how often hosts are asked whether they have taken a rule.
const awaitPause = 200 * time.Millisecond

// AwaitHosts waits until every daemon that runs counts by the rules of now. It names those
// that do not within a minute.
func AwaitHosts(ctx context.Context, v *vault.Vault) error {
	if err := v.LearnRules(ctx); err != nil {
		return err
	}
	a, err := v.Open(ctx)
	if err != nil {
		return err
	}
	version, deadline := v.Cfg().Rules.Version, time.Now().Add(vault.SeenWithin)
	for {
		hosts, err := a.Hosts(ctx)
		if err != nil {
			return err
		}
		var late []string
		for _, h := range hosts {
			if h.Rules < version && time.Since(h.SeenAt).Abs() < vault.SeenWithin {
				late = append(late, h.Name)
			}
		}
		switch {
		case len(late) == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("daemons have not taken the rule yet: %q; it is kept, and they count by it as soon as they do. Look at their logs, then run the same command again", late)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(awaitPause):
		}
	}
}

// SiteOf makes sure that a text names a site.
func SiteOf(cfg *config.Config, text string) (string, error) {
	site, ok := parser.NormalizeSite(text)
	if !ok {
		return "", fmt.Errorf("%q is no host name", text)
	}
	return cfg.Rules.Renamed(site), nil
}
