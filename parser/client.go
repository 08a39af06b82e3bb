package parser

import "sync"

// Browser, system and kind of device are told from the user agent by tables of our
// own: the first rule whose text is in it gives the name. User agents are copied from
// each other ("Mozilla/5.0 ... Chrome/... Safari/..."), so who names more of them
// stands first, and the browsers that are named by all others last. They are looked at
// once for each user agent that is remembered, see agents.

// clientRule gives a name to the user agents with a text, or with both of two.
type clientRule struct{ mark, and, name string }

// browserRules are in order: apps and browsers that are built on another one, then the
// engines' own.
var browserRules = []clientRule{
	// Pages within an app.
	{"FBAN/", "", "Facebook"}, {"FBAV/", "", "Facebook"}, {"FB_IAB", "", "Facebook"},
	{"Instagram ", "", "Instagram"},
	{"musical_ly", "", "TikTok"}, {"BytedanceWebview", "", "TikTok"}, {"BytedanceWebView", "", "TikTok"}, {"TikTok ", "", "TikTok"}, {" aweme", "", "Douyin"},
	{"Snapchat", "", "Snapchat"}, {"Pinterest/", "", "Pinterest"}, {"[Pinterest", "", "Pinterest"}, {"LinkedInApp", "", "LinkedIn"}, {"Twitter for", "", "X"},
	{"TwitterAndroid", "", "X"}, {"Reddit/", "", "Reddit"},
	{"wxwork/", "", "WeCom"}, {"MicroMessenger", "", "WeChat"}, {"AlipayClient", "", "Alipay"}, {"DingTalk", "", "DingTalk"}, {"Lark/", "", "Feishu"}, {"Feishu", "", "Feishu"}, {"Weibo", "", "Weibo"}, {"ZhihuHybrid", "", "Zhihu"},
	{" QQ/", "", "QQ"}, {"KAKAOTALK", "", "KakaoTalk"}, {"NAVER(", "", "NAVER"}, {" Line/", "", "LINE"}, {"Telegram-", "", "Telegram"}, {"Slack", "", "Slack"}, {" Teams/", "", "Teams"}, {"discord/", "", "Discord"},
	{"baiduboxapp", "", "Baidu"}, {"GSA/", "", "Google App"}, {"DuckDuckGo/", "", "DuckDuckGo"}, {" Ddg/", "", "DuckDuckGo"}, {"BingSapphire/", "", "Bing"}, {"BingWeb/", "", "Bing"},
	// Browsers that are built on another one.
	{"EdgA/", "", "Edge"}, {"EdgiOS/", "", "Edge"}, {"EdgW/", "", "Edge"}, {"Edg/", "", "Edge"}, {"Edge/", "", "Edge"},
	{"Opera Mini", "", "Opera Mini"}, {"OPR/", "", "Opera"}, {"OPiOS/", "", "Opera"}, {"OPT/", "", "Opera"}, {"OPX/", "", "Opera"}, {"Opera", "", "Opera"},
	{"SamsungBrowser", "", "Samsung Internet"}, {"Vivaldi/", "", "Vivaldi"}, {"YaBrowser/", "", "Yandex"}, {"YaApp_", "", "Yandex"}, {"YaSearchBrowser", "", "Yandex"}, {"Brave/", "", "Brave"}, {"Brave Chrome", "", "Brave"},
	{"UCBrowser", "", "UC Browser"}, {"UCWEB", "", "UC Browser"}, {" UBrowser/", "", "UC Browser"}, {"QQBrowser", "", "QQ Browser"}, {"MiuiBrowser", "", "Mi Browser"}, {"HuaweiBrowser", "", "Huawei Browser"},
	{"VivoBrowser", "", "Vivo Browser"}, {"HeyTapBrowser", "", "HeyTap Browser"}, {"OppoBrowser", "", "HeyTap Browser"}, {"Quark/", "", "Quark"}, {"BIDUBrowser", "", "Baidu"}, {"baidubrowser", "", "Baidu"}, {"MetaSr", "", "Sogou"}, {"SogouMobileBrowser", "", "Sogou"}, {"SogouMSE", "", "Sogou"},
	{"360SE", "", "360"}, {"360EE", "", "360"}, {"QihooBrowser", "", "360"}, {"QHBrowser", "", "360"}, {"360Browser", "", "360"}, {"LBBROWSER", "", "Liebao"}, {"2345Explorer", "", "2345"}, {"2345chrome", "", "2345"}, {"Maxthon", "", "Maxthon"}, {"MxBrowser", "", "Maxthon"}, {"TheWorld", "", "TheWorld"},
	{"Whale/", "", "Whale"}, {"coc_coc_browser", "", "Coc Coc"}, {"Puffin/", "", "Puffin"}, {"Silk/", "", "Silk"}, {"Silk-Accelerated", "", "Silk"}, {"Sleipnir", "", "Sleipnir"}, {"Iron/", "", "Iron"}, {" Iron ", "", "Iron"}, {"AVG/", "", "AVG"}, {"Avast/", "", "Avast"}, {"Ecosia", "", "Ecosia"}, {"Dolfin", "", "Dolphin"}, {"Aloha", "", "Aloha"}, {"Phoenix/", "Chrome/", "Phoenix"}, {"Sidekick/", "", "Sidekick"}, {"Arc/", "Chrome/", "Arc"}, {"RockMelt", "", "RockMelt"}, {"CoolNovo", "", "CoolNovo"}, {"Comodo_Dragon", "", "Comodo Dragon"},
	{"SeaMonkey/", "", "SeaMonkey"}, {"PaleMoon/", "", "Pale Moon"}, {"Waterfox/", "", "Waterfox"}, {"LibreWolf", "", "LibreWolf"}, {"Basilisk/", "", "Basilisk"}, {"IceCat/", "", "IceCat"}, {"K-Meleon", "", "K-Meleon"}, {"Camino/", "", "Camino"}, {"Iceweasel", "", "Firefox"}, {"Thunderbird", "", "Thunderbird"}, {"Focus/", "", "Firefox Focus"}, {"Klar/", "", "Firefox Focus"}, {"FxiOS/", "", "Firefox"},
	{"Epiphany/", "", "GNOME Web"}, {"Falkon/", "", "Falkon"}, {"QupZilla", "", "Falkon"}, {"Konqueror", "", "Konqueror"}, {"Midori", "", "Midori"}, {"qutebrowser", "", "qutebrowser"}, {"Iridium/", "", "Iridium"}, {"NetFront", "", "NetFront"}, {"iCab", "", "iCab"}, {"OmniWeb", "", "OmniWeb"},
	{"MQQBrowser", "", "QQ Browser"}, {"Electron/", "", "Electron"}, {"Valve Steam", "", "Steam"}, {"CrKey", "", "Chromecast"}, {"Web0S", "", "TV browser"}, {"Tizen", "SMART-TV", "TV browser"}, {"Tizen", "Smart-TV", "TV browser"}, {"HbbTV", "", "TV browser"},
	{"PlayStation", "", "PlayStation"}, {"Nintendo", "", "Nintendo"}, {"BlackBerry", "", "BlackBerry"}, {"BB10", "", "BlackBerry"}, {"PlayBook", "", "BlackBerry"}, {"Kindle", "", "Kindle"}, {"SymbianOS", "", "Nokia"}, {"Series60", "", "Nokia"}, {"NokiaBrowser", "", "Nokia"},
	// The engines' own.
	{"IEMobile", "", "Internet Explorer"}, {"Trident/", "", "Internet Explorer"}, {"MSIE ", "", "Internet Explorer"},
	{"CriOS/", "", "Chrome"}, {"HeadlessChrome", "", "Chrome"}, {"; wv)", "", "Android WebView"}, {"Ubuntu Chromium", "", "Chromium"}, {"Chromium/", "", "Chromium"}, {"Chrome/", "Version/4.0", "Android WebView"}, {"Chrome/", "", "Chrome"},
	{"Firefox", "", "Firefox"}, {"Minefield/", "", "Firefox"}, {"Namoroka/", "", "Firefox"},
	{"Android", "AppleWebKit/", "Android Browser"}, {"webOS/", "", "webOS"}, {"wOSBrowser", "", "webOS"},
	{"Version/", "Safari/", "Safari"}, {"iPhone", "Safari/", "Safari"}, {"iPad", "Safari/", "Safari"}, {"Macintosh", "Safari/", "Safari"}, {"Macintosh", "Safari", "Safari"},
	{"iPhone", "AppleWebKit/", "iOS WebView"}, {"iPad", "AppleWebKit/", "iOS WebView"}, {"iPod", "AppleWebKit/", "iOS WebView"},
	{"Macintosh", "AppleWebKit/", "macOS WebView"},
	{"Lynx/", "", "Lynx"}, {"w3m/", "", "w3m"}, {"ELinks", "", "ELinks"}, {"Links (", "", "Links"}, {"Dillo", "", "Dillo"}, {"NetSurf", "", "NetSurf"}, {"Ladybird/", "", "Ladybird"}, {"Servo/", "", "Servo"},
}

// osRules: what others name for being compatible stands last.
var osRules = []clientRule{
	{"Windows Phone", "", "Windows Phone"}, {"Xbox", "", "Xbox"}, {"PlayStation", "", "PlayStation"}, {"Nintendo", "", "Nintendo"},
	{"HarmonyOS", "", "HarmonyOS"}, {"OpenHarmony", "", "HarmonyOS"}, {"ArkWeb/", "", "HarmonyOS"}, {"KAIOS", "", "KaiOS"}, {"Tizen", "", "Tizen"}, {"Web0S", "", "webOS"}, {"webOS", "", "webOS"}, {"hpwOS", "", "webOS"}, {"Bada/", "", "Bada"},
	{"SymbianOS", "", "Symbian"}, {"Symbian", "", "Symbian"}, {"Series60", "", "Symbian"}, {"BlackBerry", "", "BlackBerry"}, {"BB10", "", "BlackBerry"}, {"PlayBook", "", "BlackBerry"},
	{"Roku", "", "Roku"}, {"AppleTV", "", "tvOS"}, {"Apple TV", "", "tvOS"}, {"Watch OS", "", "watchOS"}, {"watchOS", "", "watchOS"}, {"CrOS", "", "ChromeOS"}, {"Fuchsia", "", "Fuchsia"}, {"Sailfish", "", "Sailfish"},
	{"Windows CE", "", "Windows CE"}, {"Windows", "", "Windows"}, {"Win64", "", "Windows"}, {"Win98", "", "Windows"},
	{"iPhone", "", "iOS"}, {"iPad", "", "iOS"}, {"iPod", "", "iOS"}, {"iOS", "", "iOS"}, {"Android", "", "Android"},
	{"Kindle/", "", "Kindle"}, {"Silk-Accelerated", "", "Android"}, {"Macintosh", "", "macOS"}, {"Mac OS X", "", "macOS"}, {"Mac_PowerPC", "", "macOS"}, {"Darwin/", "iPhone", "iOS"}, {"macOS", "", "macOS"},
	{"FreeBSD", "", "BSD"}, {"OpenBSD", "", "BSD"}, {"NetBSD", "", "BSD"}, {"DragonFly", "", "BSD"}, {"SunOS", "", "Solaris"}, {"Haiku", "", "Haiku"}, {"BeOS", "", "BeOS"}, {"OS/2", "", "OS/2"}, {"AmigaOS", "", "AmigaOS"},
	{"Linux", "", "Linux"}, {"X11", "", "Linux"}, {"Ubuntu", "", "Linux"},
}

// The names of DeviceType.
const (
	deviceDesktop = "desktop"
	devicePhone   = "phone"
	deviceTablet  = "tablet"
	deviceTV      = "tv"
	deviceOther   = "other" // consoles, watches, cars
)

// deviceRules are those whose answer does not follow from the one that counts as pc or
// mobile.
var deviceRules = []clientRule{
	{"SMART-TV", "", deviceTV}, {"Smart-TV", "", deviceTV}, {"SmartTV", "", deviceTV}, {"Smart TV", "", deviceTV}, {"GoogleTV", "", deviceTV}, {"Google TV", "", deviceTV}, {"Android TV", "", deviceTV}, {"AndroidTV", "", deviceTV}, {"AppleTV", "", deviceTV}, {"Apple TV", "", deviceTV},
	{"HbbTV", "", deviceTV}, {"Web0S", "", deviceTV}, {"NetCast", "", deviceTV}, {"BRAVIA", "", deviceTV}, {"Roku", "", deviceTV}, {"CrKey", "", deviceTV}, {"DTV", "", deviceTV}, {"MiTV", "", deviceTV}, {"MIBOX", "", deviceTV}, {"Viera", "", deviceTV}, {"AQUOS", "TV", deviceTV}, {"; AFT", "", deviceTV}, {"PhilipsTV", "", deviceTV}, {"VIDAA", "", deviceTV},
	{"PlayStation", "", deviceOther}, {"Xbox", "", deviceOther}, {"Nintendo", "", deviceOther}, {"Watch OS", "", deviceOther}, {"watchOS", "", deviceOther}, {"; SM-R", "", deviceOther}, {"Tesla/", "", deviceOther}, {"QtCarBrowser", "", deviceOther}, {"OculusBrowser", "", deviceOther}, {"Quest", "", deviceOther},
}

// tabletMarks are of tablets, among what counts as mobile.
var tabletMarks = [...]string{"iPad", "Tablet", "PlayBook", "Kindle", "Silk/", "Silk-Accelerated", "Nexus 7", "Nexus 9", "Nexus 10", "SM-T", "SM-P", "SM-X", "Lenovo TB", "Xoom", "TouchPad"}

// clientTable is all of these texts and rules. Which texts a user agent has is found in
// one pass over it.
type clientTable struct {
	texts                  automaton
	ids                    map[string]int
	browsers, oss, devices []foundRule
	mobile, tablet         foundTexts // any of them
	android, phone         foundTexts
}

// foundRule is a clientRule by the numbers of its texts.
type foundRule struct {
	mark, and int
	name      string
}

// maxTexts bounds the texts of all rules.
const maxTexts = 512

// foundTexts are the numbers of texts.
type foundTexts [maxTexts / 64]uint64

func (t *foundTexts) add(id int)      { t[id/64] |= 1 << (id % 64) }
func (t *foundTexts) has(id int) bool { return t[id/64]>>(id%64)&1 != 0 }

func (t *foundTexts) any(of *foundTexts) bool {
	for i := range t {
		if t[i]&of[i] != 0 {
			return true
		}
	}
	return false
}

// clients is the table: immutable, made when the first Parser is.
var clients = sync.OnceValues(func() (*clientTable, error) {
	t := &clientTable{ids: map[string]int{}}
	t.browsers, t.oss, t.devices = t.rules(browserRules), t.rules(osRules), t.rules(deviceRules)
	t.mobile, t.tablet = t.set(mobileMarks[:]...), t.set(tabletMarks[:]...)
	// Tablets with Android do not say Mobi: what Chrome and Firefox agreed upon.
	t.android, t.phone = t.set("Android"), t.set("Mobi", "Opera Mini", "Dalvik")
	return t, t.texts.build()
})

func (t *clientTable) id(text string) int {
	id, ok := t.ids[text]
	if !ok {
		id = len(t.ids)
		t.ids[text] = id
		t.texts.add(text, id)
	}
	return id
}

func (t *clientTable) set(texts ...string) (s foundTexts) {
	for _, text := range texts {
		s.add(t.id(text))
	}
	return s
}

func (t *clientTable) rules(list []clientRule) []foundRule {
	all := make([]foundRule, len(list))
	for i, r := range list {
		if r.and == "" {
			r.and = r.mark
		}
		all[i] = foundRule{t.id(r.mark), t.id(r.and), r.name}
	}
	return all
}

// client is what a user agent says of its sender; empty where it does not.
type client struct {
	browser, os, kind string
	device            Device
}

func (t *clientTable) client(ua []byte) (c client) {
	var found foundTexts
	t.texts.find(ua, func(id int) bool {
		found.add(id)
		return false
	})
	if found.any(&t.mobile) {
		c.device = Mobile
	}
	c.browser, c.os = nameBy(t.browsers, &found), nameBy(t.oss, &found)
	c.kind = t.kind(&found, c.device, c.os)
	return c
}

func nameBy(rules []foundRule, found *foundTexts) string {
	for i := range rules {
		if r := &rules[i]; found.has(r.mark) && found.has(r.and) {
			return r.name
		}
	}
	return ""
}

// kind refines the one rule for pc and mobile: a phone and a tablet are mobile, a desktop
// is a pc, and televisions and the rest are what that rule takes them for.
func (t *clientTable) kind(found *foundTexts, d Device, os string) string {
	name := nameBy(t.devices, found)
	switch {
	case name != "":
		return name
	case d == PC && os == "":
		return "" // a program that names no system
	case d == PC:
		return deviceDesktop
	case found.any(&t.tablet), found.any(&t.android) && !found.any(&t.phone):
		return deviceTablet
	}
	return devicePhone
}
