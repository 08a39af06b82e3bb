// When a view is counted: once for each page that the reader sees, whatever
// way it came there.

import { configure, option, site } from './options.js';
import { enter, current, excluded, isNew, leave, toggle } from './page.js';
import { beacon, token } from './beacon.js';
import { awaitView, callbacks, refresh } from './read.js';
import { fill, marks } from './numbers.js';

let timer, manual;
// Where the reader came from, as a host; from the second view on that is the
// site itself.
let from = document.referrer.split('/')[2];

// count counts a view now, of the given page or the one that is shown.
function count(options) {
  const page = enter(options && options.page), id = token();
  if (excluded()) return refresh();
  awaitView(id);
  beacon({ page, id, ref: from }, (arrived) => {
    if (!arrived) awaitView();
    refresh();
  });
  from = site;
}

function event(category, action, label, value) {
  if (!excluded()) beacon({ page: current(), category, action, label, value });
}

// view counts the view if it is a new one, once somebody sees the page, and
// otherwise fills what the navigation brought.
function view() {
  const wait = document.prerendering ? 'prerenderingchange' : document.hidden ? 'visibilitychange' : '';
  if (wait) document.addEventListener(wait, sign, { once: true });
  else if (!manual && isNew()) count();
  else refresh();
}

// sign is a sign of a navigation. One navigation raises several; they count as
// one.
function sign() {
  clearTimeout(timer);
  timer = setTimeout(view, 20);
}

const moved = () => { if (isNew()) sign(); };

function watch() {
  ['pushState', 'replaceState'].forEach((name) => {
    const original = history[name];
    history[name] = function () {
      const result = original.apply(this, arguments);
      moved();
      return result;
    };
  });
  addEventListener('popstate', moved);
  addEventListener('hashchange', moved);
  addEventListener('pageshow', (e) => {
    if (!e.persisted) return;
    leave(); // back from the cache: the reader sees the page once more
    sign();
  });
  // pjax, Turbo, swup and Astro say when the new content is there.
  'pjax:complete pjax:success turbo:load turbolinks:load swup:page:view swup:pageView astro:page-load'.split(' ')
    .forEach((name) => document.addEventListener(name, sign));
}

// click sends the event that data-ddkk-event names: its levels with dots
// between them; %2E is a dot inside a level.
function click(e) {
  const target = e.target.closest && e.target.closest('[data-ddkk-event]');
  if (!target) return;
  const [category, action, label, ...value] = target.getAttribute('data-ddkk-event').split('.').map((s) => s.replace(/%2e/gi, '.'));
  event(category, action, label, value.join('.') || null);
}

// What scripts of themes call when they know busuanzi 2.3 or its module.
function speakDialects() {
  const boxes = (display) => marks().forEach(([element, , box]) => { if (box) element.style.display = display; });
  window.bszTag = { bszs: ['site_pv', 'page_pv', 'site_uv'], texts: fill, shows: () => boxes('inline'), hides: () => boxes('none') };
  // The address names the old server and is ignored.
  window.bszCaller = { fetch: (address, use) => { if (use) callbacks.push(use); sign(); } };
  window.busuanzi = { fetch: sign };
}

// start runs the widget, or tells the one that runs of a navigation: pjax and
// its like run the script again.
export function start(element, url) {
  if (window.__ddkk) return window.__ddkk();
  configure(element, url);
  manual = option('auto') == 'false';
  toggle();
  window.__ddkk = sign;
  window.ddkk = { count, refresh, event };
  if (!manual) watch();
  if (FULL) {
    speakDialects();
    document.addEventListener('click', click, true);
  }
  sign();
}
