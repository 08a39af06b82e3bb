// Package edge is what stands between strangers and the handlers: connections, how often
// one address may ask, who may read from which origin, guesses of the admin's token, and
// turns for what is slow. It answers nothing itself and knows no numbers.
package edge
