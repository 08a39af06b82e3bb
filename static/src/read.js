// Reads the numbers of the page, each once, and fills the elements whenever
// they are there.

import { api, data, log, say, site } from './options.js';
import { current, settle } from './page.js';
import { fill, limit, marks } from './numbers.js';

// Callbacks of bszCaller.fetch that wait for the next answer, and the numbers
// that they expect.
export const callbacks = [], bszs = ['site_pv', 'page_pv', 'site_uv'];

let known;    // numbers by name, null: asked for; 0 while the view before them is under way
let own;      // id of the view that the numbers have to include
let observer;

// hold drops the numbers of the page before and those on their way. The next
// ones are read when the view has landed, and include it.
export function hold(id) {
  known = 0;
  own = id;
}

// landed is called by the beacon, with an event "error" if it was blocked.
export function landed(e) {
  if (known !== 0) return;
  if (e.type == 'error') {
    say('not counted: blocked');
    own = void 0;
  }
  refresh();
}

// refresh reads all numbers again.
export function refresh() {
  known = null;
  look();
}

async function ask(body) {
  const now = known;
  try {
    // A string is sent as text/plain, which needs no preflight.
    const answer = await (await fetch(api + '/api/stats', { method: 'POST', body: JSON.stringify(body) })).json();
    if (FULL) log(body, answer);
    say((answer.error || answer).message);
    if (now != known || answer.error) return;
    own = void 0;
    Object.assign(known, answer, answer.pages);
    look(1);
    if (FULL) callbacks.splice(0).forEach((use) => use(answer));
  } catch { /* no numbers: the placeholders stay */ }
}

// A page that was rendered by a server must not change before its framework
// has taken it over.
const waits = () => document.readyState != 'complete' && (self.__next_f || document.querySelector('[id^=__]'));

// look fills the elements that are there and asks for what is not known yet.
export function look(news) {
  if (known === 0 || !site || document.hidden) return;
  known = known || { __proto__: null };
  const fields = FULL && callbacks.length ? [...bszs] : [], pages = [];
  let longest = 1;
  marks((element, name, kind) => {
    const value = known[name];
    if (value != null) return FULL && waits() || fill(element, name, value, news, kind);
    if (FULL) longest = Math.max(longest, limit(element));
    if (FULL && kind == 'container_' || name in known) return;
    known[name] = null;
    (kind == 'page' ? pages : fields).push(name);
  });
  while (pages.length || fields.length) {
    ask({ site, page: current(), view: own, fields: fields.splice(0), batch_pages: pages.splice(0, 50), ...FULL && { limit: longest } });
  }
  observer.takeRecords(); // those of our own doing
}

// watch looks again when the document has changed. settled says that no
// navigation is under way.
export function watch(settled) {
  let due;
  const soon = () => { due = due || setTimeout(() => {
    due = 0;
    if (settled()) settle();
    look();
  }, 50); };
  observer = new MutationObserver(soon);
  observer.observe(document, { subtree: true, childList: true, attributeFilter: ['href', 'data-page-id'] });
  if (FULL) addEventListener('load', soon);
}
