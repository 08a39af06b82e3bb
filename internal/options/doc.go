// Package options makes of the settings what other rooms take: connections, limits, the
// archive's rules, the API's. So those rooms know no setting by name.
package options
