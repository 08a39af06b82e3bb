package alert

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Format is what a receiver takes.
type Format string

// Formats.
const (
	Auto     Format = "auto" // by the address; JSON where it tells nothing
	JSON     Format = "json"
	Slack    Format = "slack"
	Discord  Format = "discord"
	Telegram Format = "telegram"
	DingTalk Format = "dingtalk"
	Feishu   Format = "feishu"
	WeCom    Format = "wecom"
)

// Formats are all of them.
func Formats() []string {
	return []string{string(Auto), string(JSON), string(Slack), string(Discord), string(Telegram), string(DingTalk), string(Feishu), string(WeCom)}
}

// hosts are those whose addresses tell the format; a subdomain counts as well.
var hosts = []struct {
	host, path string
	format     Format
}{
	{"hooks.slack.com", "", Slack},
	{"discord.com", "/api/", Discord}, {"discordapp.com", "/api/", Discord},
	{"api.telegram.org", "", Telegram},
	{"oapi.dingtalk.com", "", DingTalk},
	{"open.feishu.cn", "", Feishu}, {"open.larksuite.com", "", Feishu},
	{"qyapi.weixin.qq.com", "", WeCom},
}

// Target is where messages go.
type Target struct {
	URL    string // may hold a secret
	Format Format
	Secret string // DingTalk's and Feishu's, where the robot asks for signatures
}

// Is the format in use.
func (t *Target) Is() Format {
	if t.Format != Auto && t.Format != "" {
		return t.Format
	}
	u, err := url.Parse(t.URL)
	if err != nil {
		return JSON
	}
	name := strings.ToLower(u.Hostname())
	for _, h := range hosts {
		if (name == h.host || strings.HasSuffix(name, "."+h.host)) && strings.HasPrefix(u.Path, h.path) {
			return h.format
		}
	}
	return JSON
}

// Most that a receiver takes of a text: characters, or bytes where it says so.
const (
	slackLimit    = 3000
	discordLimit  = 2000
	telegramLimit = 4096
	weComLimit    = 2048 // bytes
	plainLimit    = 4096
)

// render makes the address and the body of a message.
func (t *Target) render(m *Message, now time.Time) (address string, body []byte, err error) {
	return t.wrap(Line(m.Text), m, now)
}

// wrap makes the address and the body of a text; of the value where JSON is taken.
func (t *Target) wrap(text string, value any, now time.Time) (address string, body []byte, err error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return "", nil, errors.New("it is no address") // what is wrong would show it
	}
	out := value
	switch t.Is() {
	case Slack:
		// A block of plain text: no markup, and nobody is called. Notifications show text.
		text = cut(text, slackLimit)
		out = map[string]any{"text": slackEscape.Replace(text), "blocks": []any{
			map[string]any{"type": "section", "text": map[string]any{"type": "plain_text", "text": text, "emoji": false}},
		}}
	case Discord:
		const noEmbeds = 1 << 2
		out = map[string]any{"content": cut(discordEscape.Replace(text), discordLimit), "allowed_mentions": map[string]any{"parse": []string{}}, "flags": noEmbeds}
	case Telegram:
		q := u.Query()
		chat := q.Get("chat_id")
		if chat == "" {
			return "", nil, errors.New("the address has no chat_id: https://api.telegram.org/bot.../sendMessage?chat_id=...")
		}
		q.Del("chat_id")
		u.RawQuery = q.Encode()
		// Without parse_mode the text is plain.
		out = map[string]any{"chat_id": chat, "text": cut(text, telegramLimit), "link_preview_options": map[string]any{"is_disabled": true}}
	case DingTalk:
		if t.Secret != "" {
			stamp := strconv.FormatInt(now.UnixMilli(), 10)
			q := u.Query()
			q.Set("timestamp", stamp)
			q.Set("sign", sign(t.Secret, stamp+"\n"+t.Secret))
			u.RawQuery = q.Encode()
		}
		out = map[string]any{"msgtype": "text", "text": map[string]any{"content": cut(text, plainLimit)}, "at": map[string]any{"isAtAll": false}}
	case Feishu:
		// A post's elements are plain, where a message of type text would call people by <at>.
		post := map[string]any{"msg_type": "post", "content": map[string]any{"post": map[string]any{"zh_cn": map[string]any{
			"title": "", "content": []any{[]any{map[string]any{"tag": "text", "text": cut(text, plainLimit)}}}}}}}
		if t.Secret != "" {
			stamp := strconv.FormatInt(now.Unix(), 10)
			post["timestamp"], post["sign"] = stamp, sign(stamp+"\n"+t.Secret, "")
		}
		out = post
	case WeCom:
		out = map[string]any{"msgtype": "text", "text": map[string]any{"content": cutBytes(text, weComLimit)}}
	}
	if body, err = json.Marshal(out); err != nil {
		return "", nil, fmt.Errorf("write alert: %w", err)
	}
	return u.String(), body, nil
}

func sign(key, data string) string {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(data))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

var (
	slackEscape   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	discordEscape = func() *strings.Replacer {
		var pairs []string
		for _, c := range "\\*_~`|>#[]()<@:-" {
			pairs = append(pairs, string(c), `\`+string(c))
		}
		return strings.NewReplacer(pairs...)
	}()
)

// Line is a text without what would break it into several, or steer a terminal.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, text)
}

const more = "..."

// cut keeps a text to n characters, counted in UTF-16 as most receivers do.
func cut(text string, n int) string {
	units := 0
	for i, r := range text {
		if units += max(1, utf16Len(r)); units > n-len(more) && utf16LenOf(text) > n {
			return strings.TrimRight(text[:i], `\`) + more
		}
	}
	return text
}

func utf16Len(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

func utf16LenOf(text string) (n int) {
	for _, r := range text {
		n += utf16Len(r)
	}
	return n
}

// cutBytes keeps a text to n bytes.
func cutBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	end := n - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// refused tells from the body of an answer with status 200 that the message was not
// taken: some receivers say it only there.
func (t *Target) refused(body []byte) error {
	var a struct {
		ErrCode *int64 `json:"errcode"`
		Code    *int64 `json:"code"`
		Status  *int64 `json:"StatusCode"`
		OK      *bool  `json:"ok"`
		ErrMsg  string `json:"errmsg"`
		Msg     string `json:"msg"`
		Said    string `json:"description"`
	}
	switch t.Is() {
	case DingTalk, WeCom, Feishu, Telegram:
	default:
		return nil
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return errors.New("its answer is not the one of such a receiver; is the address right?")
	}
	if a.OK != nil && !*a.OK {
		return fmt.Errorf("it refuses: %s", t.hush(a.Said))
	}
	for _, code := range []*int64{a.ErrCode, a.Code, a.Status} {
		if code != nil && *code != 0 {
			return fmt.Errorf("it refuses with code %d: %s", *code, t.hush(a.ErrMsg+a.Msg))
		}
	}
	return nil
}

// hush takes from a receiver's word whatever is in the address, and what is too long.
func (t *Target) hush(text string) string {
	text = Line(text)
	for _, part := range strings.FieldsFunc(t.URL+" "+t.Secret, func(r rune) bool { return strings.ContainsRune("/?&=: ", r) }) {
		if len(part) >= 6 {
			text = strings.ReplaceAll(text, part, more)
		}
	}
	return cut(text, 200)
}
