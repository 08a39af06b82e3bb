// The two languages, and numbers and dates as people write them there.
import en from './lang/en.json';
import zh from './lang/zh-CN.json';
import { recall, remember } from './memory.js';

const dictionaries = { en, 'zh-CN': zh };
// learn adds the texts of a view that not every page has.
export function learn(more) {
  for (const [tag, texts] of Object.entries(more)) Object.assign(dictionaries[tag], texts);
}

let language = 'en';
let formats = {};

// choose takes the language of ?lang=, else the one of last time, else the
// browser's.
export function choose(asked) {
  if (dictionaries[asked]) remember('lang', asked);
  const wanted = [asked, recall('lang'), ...navigator.languages].map(known).find(Boolean);
  language = wanted || 'en';
  formats = {};
  document.documentElement.lang = language;
}

const known = (tag) => (dictionaries[tag] ? tag : /^zh/i.test(tag || '') ? 'zh-CN' : /^en/i.test(tag || '') ? 'en' : '');

export const current = () => language;
export const other = () => (language === 'en' ? 'zh-CN' : 'en');

// t is a text, with {name} replaced by values.name.
export function t(key, values) {
  const text = dictionaries[language][key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return values ? text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all)) : text;
}

// count is a text about n things: in English one of them has its own.
export function count(key, n, values) {
  const one = n === 1 && dictionaries[language][`${key}.one`] ? `${key}.one` : key;
  return t(one, { n: number(n), ...values });
}

function format(name, make) {
  return formats[name] || (formats[name] = make());
}

const numbers = (name, options) => format(name, () => new Intl.NumberFormat(language, options));
const moments = (name, options) => format(name, () => new Intl.DateTimeFormat(language, options));

// number, short and percent write numbers; what is not known is a dash.
export const number = (n) => (n == null ? '–' : numbers('n', {}).format(n));
export const decimal = (n) => (n == null || !isFinite(n) ? '–' : numbers('d', { maximumFractionDigits: 2, minimumFractionDigits: 2 }).format(n));
export const short = (n) => (n == null ? '–' : numbers('s', { notation: 'compact', maximumFractionDigits: 1 }).format(n));
export const percent = (n) => (n == null || !isFinite(n) ? '–' : numbers('p', { style: 'percent', maximumFractionDigits: 1 }).format(n));

// day writes a date such as 2026-11-22 with its year, dayShort without.
const noon = (date) => new Date(`${date}T12:00:00Z`);
export const day = (date) => moments('day', { dateStyle: 'medium', timeZone: 'UTC' }).format(noon(date));
export const dayShort = (date) => moments('short', { month: 'short', day: 'numeric', timeZone: 'UTC' }).format(noon(date));
export const dayLong = (date) => moments('long', { weekday: 'short', month: 'short', day: 'numeric', timeZone: 'UTC' }).format(noon(date));
export const month = (date) => moments('month', { month: 'short', year: 'numeric', timeZone: 'UTC' }).format(noon(date));
export const weekday = (date) => moments('weekday', { weekday: 'short', timeZone: 'UTC' }).format(noon(date));
export const hour = (n) => `${String(n).padStart(2, '0')}:00`;

// clock writes a moment in the server's zone, whose offset is in seconds.
let offset = 0;
let ahead = 0; // of the server's clock before ours, in ms
export function setClock(seconds, now) {
  offset = seconds;
  ahead = new Date(now).getTime() - Date.now();
}

// hourNow is the hour that runs at the server.
export const hourNow = () => shifted(Date.now() + ahead).getUTCHours();
const shifted = (moment) => new Date(new Date(moment).getTime() + offset * 1000);
export const clock = (moment) => moments('clock', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZone: 'UTC' }).format(shifted(moment));
export const minute = (moment) => moments('minute', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: 'UTC' }).format(shifted(moment));
export const moment = (at) => moments('moment', { dateStyle: 'medium', timeStyle: 'medium', timeZone: 'UTC' }).format(shifted(at));

// bytes and duration write sizes and times.
export function bytes(n) {
  if (n == null) return '–';
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${numbers('b', { maximumFractionDigits: 1 }).format(n)} ${units[i]}`;
}
export const seconds = (n) => (n == null ? '–' : t('unit.seconds', { n: numbers('sec', { maximumFractionDigits: 1 }).format(n) }));
export const millis = (n) => (n == null ? '–' : t('unit.millis', { n: numbers('ms', { maximumFractionDigits: 1 }).format(n) }));
