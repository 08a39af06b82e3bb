package parser

// mobileMarks are what phones and tablets write into their user agents. "Mobi"
// is what Mozilla, Chrome and Safari agreed upon for phones; the rest are
// tablets and older devices that do not say it. A television with Android
// counts as mobile, an iPad that asks for desktop pages as a PC: they cannot be
// told. Names of DeviceType refine this rule, see clientTable.
var mobileMarks = [...]string{
	"Mobi", "Android", "iPhone", "iPad", "iPod", "Tablet", "HarmonyOS", "OpenHarmony",
	"Windows Phone", "IEMobile", "BlackBerry", "BB10", "PlayBook", "Opera Mini",
	"Kindle", "Silk/", "webOS/", "Symbian", "MIDP", "UCWEB",
}
