// Reads the numbers of the page: one request for all of them, and those of its
// lists in batches.

import { api, site } from './options.js';
import { current } from './page.js';
import { fill, limit, marks, show } from './numbers.js';

const patience = 5000;

// Callbacks of bszCaller.fetch that wait for the next answer.
export const callbacks = [];

let round = 0; // answers to earlier rounds are late and dropped
let own;       // id of the view that the numbers have to include

// awaitView makes the next answers wait for the view to be among the numbers,
// and drops those that are on their way: they are of the page before.
export function awaitView(id) {
  own = id;
  round++;
}

function post(path, body, use) {
  const now = round, abort = new AbortController();
  setTimeout(() => abort.abort(), patience);
  body.site = site;
  // A string is sent as text/plain, which needs no preflight.
  fetch(api + path, { method: 'POST', body: JSON.stringify(body), credentials: 'omit', signal: abort.signal })
    .then((r) => r.ok && r.json())
    .then((r) => { if (r && now == round) use(r); })
    .catch(() => { /* no numbers: the placeholders stay */ });
}

export function refresh() {
  const want = new Set(FULL && callbacks.length ? ['site_pv', 'page_pv', 'site_uv'] : []);
  const rows = () => document.querySelectorAll('[data-page-id]');
  const pageOf = (row) => row.getAttribute('data-page-id');
  let longest = 1;
  round++;
  marks().forEach(([element, field, box]) => {
    if (FULL && box) return;
    want.add(field);
    if (FULL && /^h/.test(field)) longest = Math.max(longest, limit(element));
  });
  if (want.size) {
    post('/api/stats', { page: current(), fields: [...want], limit: FULL ? longest : void 0, view: own }, (answer) => {
      own = void 0;
      fill(answer);
      if (FULL) callbacks.splice(0).forEach((use) => use(answer));
    });
  }
  const pages = [...new Set([...rows()].map(pageOf))].filter((p) => p);
  while (pages.length) {
    post('/api/batch', { pages: pages.splice(0, 20) }, (answer) => {
      rows().forEach((row) => {
        const found = answer.pages[pageOf(row)];
        if (found && found.pv >= 0) show(row, found.pv);
      });
    });
  }
}
