package daemon

import (
	"ddkk-stats/internal/answers"
	"ddkk-stats/queryapi"
)

// calls answers about the calls of sites' APIs; nil without a SITE_LOG.
func (s *server) calls() queryapi.Calls {
	if s.cfg().SiteLog == "" {
		return nil
	}
	return answers.NewCalls(s.reader, s.vault.Opened, s.cfg().SiteOfCalls())
}

// requests answers about the requests of sites' own logs; nil without a SITE_LOG.
func (s *server) requests() queryapi.Requests {
	if s.cfg().SiteLog == "" {
		return nil
	}
	return answers.NewRequests(s.reader, s.vault.Opened, s.cfg)
}
