// Package alert tells somebody when something is wrong, when it still is, and
// when it is over. It knows neither what is looked at nor what is wrong: its
// caller says, at each look, which findings there are; Watch makes edges of
// them, and Webhook posts those.
package alert
