// Package people knows those to whom the owner gave a token or a link: what each may
// see or do, for which sites and until when.
//
// The archive keeps them, hashed. A Register has a copy in memory, made anew every few
// seconds, so that requests wait for no database: a token that was added or revoked on
// any host holds a moment later on all.
package people
