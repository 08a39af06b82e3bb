package parser

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

// The names of Channel.
const (
	channelDirect   = "direct"   // no referrer
	channelInternal = "internal" // a way within the site
	channelReferral = "referral" // another site
	channelSearch   = "search"
	channelSocial   = "social"
	channelAI       = "ai"
	channelMail     = "mail"
	channelAds      = "ads"
	channelCampaign = "campaign" // of another kind
)

// channelHosts is the table of hosts, see its head.
//
//go:embed data/channels.txt
var channelHosts string

// channelTable finds the channel of a host. Of several lines that fit the first in the
// file counts, so that gemini.google.com may stand before google.*.
type channelTable struct {
	hosts, below, anyTLD map[string]channelLine
}

type channelLine struct {
	at   int // in the file
	name string
}

// channels is the table: immutable, made when the first Parser is.
var channels = sync.OnceValues(func() (*channelTable, error) { return newChannelTable(channelHosts) })

func newChannelTable(text string) (*channelTable, error) {
	t := &channelTable{hosts: map[string]channelLine{}, below: map[string]channelLine{}, anyTLD: map[string]channelLine{}}
	at := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at++
		if line == "" || line[0] == '#' {
			continue
		}
		name, host, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(host, " ") {
			return nil, fmt.Errorf("read channels, line %d: %q is not a channel and a host", at, line)
		}
		to := t.hosts
		if rest, ok := strings.CutPrefix(host, "*."); ok {
			host, to = rest, t.below
		} else if rest, ok := strings.CutSuffix(host, ".*"); ok {
			host, to = rest, t.anyTLD
		}
		if _, twice := to[host]; twice {
			return nil, fmt.Errorf("read channels, line %d: %s is there already", at, host)
		}
		to[host] = channelLine{at, name}
	}
	return t, nil
}

// of is the channel of a normalised host, empty where the table does not have it.
func (t *channelTable) of(host string) string {
	best := channelLine{at: 1 << 30}
	take := func(from map[string]channelLine, key string) {
		if l, ok := from[key]; ok && l.at < best.at {
			best = l
		}
	}
	bare := host
	for _, prefix := range [...]string{"www.", "m."} {
		bare = strings.TrimPrefix(bare, prefix)
	}
	take(t.hosts, host)
	take(t.hosts, bare)
	for rest := host; rest != ""; {
		take(t.below, rest)
		_, rest, _ = strings.Cut(rest, ".")
	}
	take(t.anyTLD, withoutTLD(bare))
	return best.name
}

// withoutTLD takes the last label off a host, or the last two where they are short:
// "co.uk", "com.br".
func withoutTLD(host string) string {
	name, tld := cutLabel(host)
	if second, label := cutLabel(name); second != "" && len(label) <= 3 && len(tld) == 2 {
		return second
	}
	return name
}

func cutLabel(host string) (name, label string) {
	i := strings.LastIndexByte(host, '.')
	return host[:max(i, 0)], host[i+1:]
}

// channelOf is the channel of who came from a host; empty: from nowhere.
func (t *channelTable) channelOf(host string) string {
	if host == "" {
		return channelDirect
	}
	if name := t.of(host); name != "" {
		return name
	}
	return channelReferral
}
