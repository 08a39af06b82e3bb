package counter

import (
	"time"

	"ddkk-stats/counter/keys"
)

// DefaultPrefix starts every key of ours.
const DefaultPrefix = "ddkk"

// OnlineWindow is how long a visitor counts as online after the last view.
const OnlineWindow = 5 * time.Minute

// How long the keys of a period live; see the table of package keys.
const (
	DayKeysTTL  = keys.DayTTL
	HotDayTTL   = keys.HotDayTTL
	HotWeekTTL  = keys.HotWeekTTL
	HotMonthTTL = keys.HotMonthTTL
	MinutesTTL  = keys.MinutesTTL
	FacetTTL    = keys.FacetTTL
)

// Keys names every Redis key.
type Keys = keys.Keys

// NewKeys names the keys under prefix; cluster puts the site in braces.
func NewKeys(prefix string, cluster bool) Keys { return keys.New(prefix, cluster) }
