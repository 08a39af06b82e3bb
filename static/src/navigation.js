// When a view is counted: once for each page that the reader sees, whatever
// way it came there.

import { configure, data, say, site } from './options.js';
import { current, enter, isNew, leave, tidied, waits } from './page.js';
import { bszs, callbacks, hold, landed, look, refresh, watch } from './read.js';
import { beacon } from './beacon.js';
import { excluded, toggle } from './excluded.js';

let timer, waiting, manual;
// Where the reader came from, as a host; from the second view on that is the
// site itself.
let from;

// count counts a view now, of the given page or the one that is shown.
function count(options) {
  const page = enter(options?.page);
  if (excluded()) return refresh();
  // The title is told by those that ask for titles: data-title alone is document.title.
  hold(beacon({ page, ref: from, w: screen.width, ...FULL && { title: data.title == '' ? document.title : data.title } }, landed));
  from = site;
}

function event(category, action, label, value) {
  if (!excluded()) beacon({ page: current(), category, action, label, value });
}

// view counts the view if it is a new one, once somebody sees the page (which
// may be prerendered), and otherwise fills what the navigation brought.
function view(late) {
  timer = waiting = 0;
  if (document.hidden) {
    if (FULL && isNew()) say('not counted: hidden');
  } else if (FULL && document.prerendering || !document.body || !late && waits()) { // what the view needs is still to come
    timer = waiting = setTimeout(view, 20);
  } else {
    toggle();
    if (!manual && isNew()) count();
    else look();
  }
}

// sign is a sign of a navigation. One navigation raises several; they count as
// one.
function sign() {
  clearTimeout(timer);
  timer = setTimeout(view, 20);
}

function follow() {
  ['pushState', 'replaceState'].forEach((name) => {
    // What replaces an address is no navigation: pages tidy it, or have it
    // follow the scroll position.
    const original = history[name], go = name[0] == 'p' || data.replace != null;
    history[name] = (...args) => {
      const old = !isNew();
      if (FULL && waiting && go) view(1);
      original.apply(history, args);
      if (go) sign();
      else if (old) tidied();
    };
  });
  // It may be what the page calls so.
  if (FULL) self.navigation?.addEventListener?.('currententrychange', (e) => { if (data.replace != null || e.navigationType != 'replace') sign(); });
  addEventListener('popstate', sign);
  addEventListener('hashchange', sign);
  addEventListener('pageshow', (e) => {
    if (!e.persisted) return;
    leave(); // back from the cache: the reader sees the page once more
    sign();
  });
}

// click sends the event that data-ddkk-event names: its levels with dots
// between them; %2E is a dot inside a level.
function click(e) {
  const target = e.button < 2 && e.target.closest('[data-ddkk-event]');
  if (!target) return;
  const levels = target.dataset.ddkkEvent.split('.').map((s) => s.replace(/%2e/gi, '.'));
  event(...levels.splice(0, 3), levels.join('.'));
}

// What scripts of themes call when they know busuanzi 2.3. The elements are
// filled by themselves; the address names the old server.
function speakDialects() {
  const show = () => look(1);
  self.bszTag = { bszs, texts: show, shows: show, hides: show };
  self.bszCaller = { fetch: (address, use) => { if (use) callbacks.push(use); sign(); } };
}

// start runs the widget, or tells the one that runs of a navigation: pjax and
// its like run the script again.
export function start(url) {
  if (self.__ddkk) return self.__ddkk();
  configure(url);
  manual = data.auto == 'false';
  from = document.referrer.split('/')[2];
  self.__ddkk = sign;
  self.ddkk = { fetch: sign, count, refresh, event };
  if (FULL) self.busuanzi = self.ddkk;
  watch(() => !timer);
  addEventListener('visibilitychange', sign);
  if (!manual) follow();
  if (FULL) {
    if (!MODULE) speakDialects();
    addEventListener('click', click, true);
    addEventListener('auxclick', click, true);
  }
  sign();
}
