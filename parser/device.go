package parser

import "bytes"

// mobileMarks are what phones and tablets write into their user agents. "Mobi"
// is what Mozilla, Chrome and Safari agreed upon for phones; the rest are
// tablets and older devices that do not say it. A television with Android
// counts as mobile, an iPad that asks for desktop pages as a PC: they cannot be
// told.
var mobileMarks = [...]string{
	"Mobi", "Android", "iPhone", "iPad", "iPod", "Tablet", "HarmonyOS", "OpenHarmony",
	"Windows Phone", "IEMobile", "BlackBerry", "BB10", "PlayBook", "Opera Mini",
	"Kindle", "Silk/", "webOS/", "Symbian", "MIDP", "UCWEB",
}

func deviceOf(agent []byte) Device {
	for _, mark := range mobileMarks {
		if bytes.Contains(agent, []byte(mark)) {
			return Mobile
		}
	}
	return PC
}
