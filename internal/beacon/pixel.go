package beacon

// GIF is the beacon's answer: one transparent pixel, 43 bytes, GIF89a.
var GIF = []byte{
	'G', 'I', 'F', '8', '9', 'a',
	1, 0, 1, 0, // one pixel wide and high
	0x80, 0, 0, // a colour table of two entries follows; background and aspect ratio unused
	0xFF, 0xFF, 0xFF, 0, 0, 0, // white, black
	0x21, 0xF9, 4, 1, 0, 0, 0, 0, // graphic control: entry 0 is transparent
	0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, // image: at 0,0, one by one
	2, 2, 0x44, 1, 0, // LZW of 2-bit codes: clear, 0, end
	0x3B,
}

// Header is a field of the beacon's answer.
type Header struct{ Name, Value string }

// ContentType is the Content-Type of GIF.
const ContentType = "image/gif"

// Headers are those that the shipped nginx configuration sends with the pixel,
// beside Content-Type and Content-Length: every view asks again, and any page
// may embed it. No Last-Modified and no ETag, so that no browser asks with a
// condition.
func Headers() []Header {
	return []Header{
		{"Cache-Control", "no-store, max-age=0"},
		{"Cross-Origin-Resource-Policy", "cross-origin"},
		{"Access-Control-Allow-Origin", "*"},
		{"X-Robots-Tag", "noindex"},
		{"X-Content-Type-Options", "nosniff"},
	}
}
