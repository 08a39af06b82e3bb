// Which page the reader is on, and whose views are not wanted.

import { option } from './options.js';

let counted;   // address of the view that was counted last
let canonical; // canonical link at that time
let shown;     // page of that view

const link = () => (document.querySelector('link[rel=canonical]') || {}).href;
const bare = (host) => host.replace(/^www\./, '');
const path = (url) => url.pathname + (option('query') == null ? '' : url.search) + (option('hash') == null ? '' : url.hash);

// isNew says that the address is not the one of the last view.
export const isNew = () => counted != path(location);

// current is the page that is shown: as it was counted, if it was.
export const current = () => isNew() ? page() : shown;

// page is that of the canonical link, if it is on this host and not what a
// navigation inside the document left behind.
function page() {
  if (link() && (counted == null || link() != canonical)) {
    const url = new URL(link());
    if (bare(url.hostname) == bare(location.hostname)) return path(url);
  }
  return path(location);
}

// enter notes that the page is counted now, and returns it.
export function enter(as) {
  shown = as || page();
  canonical = link();
  counted = path(location);
  return shown;
}

// leave makes the same address a new view.
export function leave() { counted = null; }

// excluded says that views are not wanted: local ones, and the owner's own.
export function excluded() {
  let own;
  try { own = localStorage.ddkkIgnore; } catch (e) { /* storage is forbidden: then nobody was excluded */ }
  return own || option('allow-local') == null && (location.protocol == 'file:' ||
    /^(localhost|.+\.local(host)?|(127|10|0)(\.\d+){3}|192\.168(\.\d+){2}|172\.(1[6-9]|2\d|3[01])(\.\d+){2}|\[::1?\])$/.test(location.hostname));
}

// toggle lets the owner exclude this browser by opening PAGE#ddkk-ignore, and
// include it again the same way.
export function toggle() {
  if (location.hash != '#ddkk-ignore') return;
  try {
    localStorage.ddkkIgnore = localStorage.ddkkIgnore ? '' : 1;
    console.info('ddkk: own views ' + (localStorage.ddkkIgnore ? 'ignored' : 'counted'));
  } catch (e) { /* as above */ }
  history.replaceState(history.state, '', location.pathname + location.search);
}
