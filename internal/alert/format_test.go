package alert

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDetect(t *testing.T) {
	for address, want := range map[string]Format{
		"https://hooks.slack.com/services/T/B/x":                 Slack,
		"https://discord.com/api/webhooks/1/x":                   Discord,
		"https://canary.discord.com/api/webhooks/1/x":            Discord,
		"https://discord.com/channels/1":                         JSON,
		"https://api.telegram.org/bot1:x/sendMessage?chat_id=1":  Telegram,
		"https://oapi.dingtalk.com/robot/send?access_token=x":    DingTalk,
		"https://open.feishu.cn/open-apis/bot/v2/hook/x":         Feishu,
		"https://open.larksuite.com/open-apis/bot/v2/hook/x":     Feishu,
		"https://QYAPI.weixin.qq.com/cgi-bin/webhook/send?key=x": WeCom,
		"https://hooks.slack.com.evil.example/services/T":        JSON,
		"https://alerts.example/hooks.slack.com":                 JSON,
	} {
		to := Target{URL: address, Format: Auto}
		if got := to.Is(); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
		to.Format = Slack
		if got := to.Is(); got != Slack {
			t.Errorf("%s: ALERT_FORMAT=slack is %s", address, got)
		}
	}
}

// Each receiver gets the payload that its documents ask for, and what a stranger wrote
// into a name is neither markup nor a call.
func TestFormats(t *testing.T) {
	now := time.Unix(1_700_000_000, 5_000_000)
	m := Message{Text: "[warning] DdkkLag: <!channel> @everyone *b* <at user_id=\"all\">\nx & y"}
	flat := `[warning] DdkkLag: <!channel> @everyone *b* <at user_id="all"> x & y`
	f := func(to Target, address, body string) {
		t.Helper()
		gotAddress, gotBody, err := to.render(&m, now)
		if err != nil {
			t.Fatalf("%s: %v", to.Format, err)
		}
		var got, want any
		if err := json.Unmarshal(gotBody, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s\nwant %s", to.Format, gotBody, body)
		}
		if gotAddress != address {
			t.Errorf("%s: posts to %s, want %s", to.Format, gotAddress, address)
		}
	}
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	f(Target{URL: "https://h/x", Format: Slack}, "https://h/x",
		`{"text":"[warning] DdkkLag: &lt;!channel&gt; @everyone *b* &lt;at user_id=\"all\"&gt; x &amp; y","blocks":[{"type":"section","text":{"type":"plain_text","emoji":false,"text":`+quoted(flat)+`}}]}`)
	f(Target{URL: "https://h/x", Format: Discord}, "https://h/x",
		`{"content":`+quoted(`\[warning\] DdkkLag\: \<!channel\> \@everyone \*b\* \<at user\_id="all"\> x & y`)+`,"allowed_mentions":{"parse":[]},"flags":4}`)
	f(Target{URL: "https://h/bot1:x/sendMessage?chat_id=-100", Format: Telegram}, "https://h/bot1:x/sendMessage",
		`{"chat_id":"-100","text":`+quoted(flat)+`,"link_preview_options":{"is_disabled":true}}`)
	f(Target{URL: "https://h/send?access_token=x", Format: DingTalk}, "https://h/send?access_token=x",
		`{"msgtype":"text","text":{"content":`+quoted(flat)+`},"at":{"isAtAll":false}}`)
	// echo -ne '1700000000005\ns' | openssl dgst -sha256 -hmac s -binary | base64
	f(Target{URL: "https://h/send?access_token=x", Format: DingTalk, Secret: "s"}, "https://h/send?access_token=x&sign=4RB%2F04P7gHAUd%2BOqtV2Xu5Q0BwncI3%2Bv3EGIRcgVwy8%3D&timestamp=1700000000005",
		`{"msgtype":"text","text":{"content":`+quoted(flat)+`},"at":{"isAtAll":false}}`)
	// printf '' | openssl dgst -sha256 -hmac $'1700000000\ns' -binary | base64
	f(Target{URL: "https://h/hook/x", Format: Feishu, Secret: "s"}, "https://h/hook/x",
		`{"timestamp":"1700000000","sign":"+z1fiKH1w9xoRwSUZju5W5ZBj/d5cwS4H+5mTClDOl4=","msg_type":"post","content":{"post":{"zh_cn":{"title":"","content":[[{"tag":"text","text":`+quoted(flat)+`}]]}}}}`)
	f(Target{URL: "https://h/send?key=x", Format: WeCom}, "https://h/send?key=x", `{"msgtype":"text","text":{"content":`+quoted(flat)+`}}`)
	if _, _, err := (&Target{URL: "https://h/bot1:x/sendMessage", Format: Telegram}).render(&m, now); err == nil || !strings.Contains(err.Error(), "chat_id") {
		t.Errorf("Telegram without a chat: %v", err)
	}
}

// No text is longer than its receiver takes, or cut within a character.
func TestFormatsAreBounded(t *testing.T) {
	m := Message{Text: strings.Repeat("统计*😀", 2000)}
	for _, format := range []Format{Slack, Discord, Telegram, DingTalk, Feishu, WeCom} {
		to := Target{URL: "https://h/x?chat_id=1", Format: format}
		_, body, err := to.render(&m, time.Now())
		if err != nil || !utf8.Valid(body) || strings.Contains(string(body), `\ufffd`) {
			t.Errorf("%s: %v %q", format, err, body)
		}
		var out struct {
			Content any
			Text    any
		}
		if err := json.Unmarshal(body, &out); err != nil {
			t.Fatal(err)
		}
		switch format {
		case Discord:
			if n := utf16LenOf(out.Content.(string)); n > discordLimit || n < discordLimit-20 {
				t.Errorf("Discord: %d", n)
			}
		case WeCom:
			if n := len(out.Text.(map[string]any)["content"].(string)); n > weComLimit || n < weComLimit-20 {
				t.Errorf("WeCom: %d", n)
			}
		}
	}
}

// Receivers that answer 200 to everything are asked what they mean.
func TestRefused(t *testing.T) {
	answer, status := "", 200
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer server.Close()
	h := NewWebhook("host1", slog.New(slog.DiscardHandler))
	f := func(format Format, says string, want string) {
		t.Helper()
		answer = says
		err := h.Try(t.Context(), time.Now(), Target{URL: server.URL + "/hushhush?chat_id=1", Format: format}, Message{Name: "DdkkTest"})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s %s: %v", format, says, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hushhush")):
			t.Errorf("%s %s: %v, want %q", format, says, err, want)
		}
	}
	f(DingTalk, `{"errcode":0,"errmsg":"ok"}`, "")
	f(DingTalk, `{"errcode":310000,"errmsg":"keywords not in content, hushhush"}`, "code 310000: keywords not in content, ...")
	f(WeCom, `{"errcode":93000,"errmsg":"invalid webhook url"}`, "code 93000")
	f(Feishu, `{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}`, "")
	f(Feishu, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`, "code 19021: sign match fail")
	f(Feishu, `<html>`, "is the address right?")
	f(Telegram, `{"ok":true,"result":{}}`, "")
	f(Slack, `ok`, "")
	f(Discord, ``, "")
	f(JSON, `whatever`, "")
	status = 404
	f(Slack, `no_service`, "status 404")
}
