package parser

import "encoding/hex"

var reasonNames = [NumReasons]string{
	ReasonNone: "none",

	SkipMethod: "method", SkipStatus: "status", SkipPath: "path", SkipPrefetch: "prefetch",
	SkipSite: "site", SkipReferer: "referer", SkipBlocked: "blocked", SkipSelf: "self", SkipUnsigned: "unsigned", SkipLog: "log", SkipComment: "comment",
	SkipVoid: "void", SkipDeleted: "deleted",

	BadVersion: "version", BadEnd: "end", BadFields: "fields", BadTime: "time", BadAddr: "addr",
	BadEscape: "escape", BadBytes: "bytes", BadLength: "length", BadSyntax: "syntax", BadEmpty: "empty", BadRequest: "request",
}

// String is the reason as the value of a metric's label: one lower-case word.
func (r Reason) String() string {
	if r < NumReasons {
		return reasonNames[r]
	}
	return "unknown"
}

// Malformed says whether the reason is one of a malformed line; the others
// (but ReasonNone) are those of a skipped one.
func (r Reason) Malformed() bool { return r >= BadVersion && r < NumReasons }

// String is the kind as the value of a metric's label.
func (k Kind) String() string {
	switch k {
	case Pageview:
		return "pageview"
	case Event:
		return "event"
	case Skipped:
		return "skipped"
	case Malformed:
		return "malformed"
	case APICall:
		return "call"
	}
	return "unknown"
}

// String is "pc" or "mobile".
func (d Device) String() string {
	if d == Mobile {
		return "mobile"
	}
	return "pc"
}

// IsZero says that the visitor is not to be told from others (GPC, no address):
// it counts no UV.
func (v Visitor) IsZero() bool { return v == Visitor{} }

// String is the hash in 32 hex digits, as SQL stores it.
func (v Visitor) String() string { return hex.EncodeToString(v[:]) }
