// Which elements show numbers, and how. What a page shows comes from strangers
// (a page's path is anybody's text), so everything goes in as textContent.

import { add, data } from './options.js';

// marks finds the elements by data-page-id, and by id and class, such as
// ddkk_value_site_pv. It calls use with each: the element, the name of its
// number, and its kind: "page", or "container_" for one around a number.
export function marks(use) {
  const name = RegExp('\\s(' + (data.prefix || 'ddkk') + (FULL ? '|busuanzi|vercount|eo_count|finicount' : '') + ')_(value_' + (FULL ? '|container_' : '') + ')?(' +
    (FULL ? 'today_[pu]v|views|hot_pages_(today|week|month|all)|' : '') + '(site|page)_([pu]v|uv_(week|month))|site_([pu]v_today|online))(?!\\S)', 'g');
  document.querySelectorAll('[class*=_],[id*=_],[data-page-id]').forEach((element) => {
    const page = element.dataset?.pageId;
    // No page's name is so long, or has half a pair of surrogates.
    if (page && (!FULL || /^\P{Cs}{1,999}$/u.test(page))) use(element, page, 'page');
    (' ' + element.classList + ' ' + element.id).replace(name, (all, prefix, kind, is) =>
      use(element, FULL ? is.replace(/^today_(..)/, 'site_$1_today').replace('views', 'page_pv') : is, kind));
  });
}

// show writes a number: plain, 1,234 or 1.2K.
function show(element, n) {
  const style = data.style, short = style == 'short', text = (options) => n.toLocaleString('en', options);
  element.textContent = style ? text(short && { notation: 'compact' }) : n;
  if (short) element.title = text();
}

// limit is how many pages a hot list shows.
export const limit = (element) => Math.max(1, Math.min(100, element.dataset.limit | 0 || 10));

// address is where the page is. Its name was decoded once: a "?" or "#" in it
// begins a query or a fragment only if those belong to pages. What was no UTF-8
// is still encoded.
const address = (page) => page.replace(RegExp('[^' + (data.query == null ? '' : '?') + (data.hash == null ? '' : '#') + ']*'), (path) =>
  encodeURI(path).replace(/%25(?=[89A-F][\dA-F])/g, '%').replace(/[?#]/g, encodeURIComponent));

// list writes a hot list.
function list(element, pages) {
  element.textContent = '';
  const target = /L$/.test(element.tagName) ? element : add(element, 'ol');
  pages.slice(0, limit(element)).forEach(({ page, pv, title }) => {
    const item = add(target, 'li');
    // Only a path of this host is a link: "//x" and "/\x" are other hosts.
    add(item, /^\/([^\/\\\s]|$)/.test(page) ? 'a' : 'span', data.title != null && title || page).href = address(page);
    item.append(' ');
    show(add(item, 'span'), pv);
  });
}

// fill shows a number that is news, or new to the element, or that a framework
// has wiped; what the page has made of the number stays. A container that the
// theme hides until there are numbers is shown, others are not touched.
export function fill(element, name, value, news, kind) {
  if (!news && element.ddkk == name && (FULL && kind == 'container_' || /[1-9]/.test(element.textContent))) return;
  element.ddkk = name;
  if (!FULL || kind != 'container_') (FULL && value.map ? list : show)(element, value.pv ?? value);
  else if (getComputedStyle(element).display == 'none') element.style.display = 'inline';
}
