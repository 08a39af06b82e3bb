// Which page the reader is on.

import { data } from './options.js';

let counted;   // address of the view that was counted last, as its page has it now
let shown;     // page of that view
let canonical; // canonical link of that page
let patience;  // how often to look whether that is still the old one

// query is what of "?..." belongs to the page: with data-query="id,p" those
// parameters, with data-query all that are not of a campaign. Their order and
// empty ones do not matter.
function query(text) {
  const keep = data.query;
  if (!FULL) return keep == null ? '' : text;
  text = text.match(/[^?&]+/g)?.filter((pair) => keep ? keep.split(',').includes(pair.split('=')[0]) :
    keep == '' && !/^(utm_|\w*clk?id=)/.test(pair)).sort().join('&');
  return text ? '?' + text : '';
}

// path is the page of an address. A router in the fragment ("#/guide?id=use")
// has a query of its own.
const path = (url) => url.pathname + query(url.search) + (data.hash == null ? '' : (url.hash || location.hash).replace(/\?.*/, query));

const bare = (url) => url.hostname.replace(/^www\./, '');

// link is the page of the canonical link, if that is on this host.
function link() {
  const url = document.createElement('a'); // unlike URL it takes any text
  url.href = document.querySelector('[rel=canonical]')?.href || '//';
  return bare(url) == bare(location) && path(url);
}

// isNew says that the address is not the one of the last view.
export const isNew = () => counted != path(location);

// fresh is the page of the canonical link, unless that may be what a navigation
// has left behind.
const fresh = () => (counted == null || link() != canonical) && link();

// waits says that the canonical link of a new page may still come.
export const waits = () => isNew() && link() && !fresh() && patience-- > 0;

const page = () => fresh() || path(location);

// current is the page that is shown: as it was counted, if it was.
export const current = () => isNew() ? page() : shown;

// settle takes the canonical link for that of the page that is shown: routers
// set it after the view was counted, and those that never do are not waited for
// again.
export function settle() {
  if (canonical != link()) patience = 50;
  canonical = link();
}

// tidied says that the page has another address now and is the same.
export function tidied() { counted = path(location); }

// enter notes that the page is counted now, and returns it.
export function enter(as) {
  shown = as || page();
  settle();
  tidied();
  return shown;
}

// leave makes the same address a new view.
export function leave() { counted = null; }
