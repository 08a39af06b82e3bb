// Which elements show numbers, and how. What a page shows comes from strangers
// (a page's path is anybody's text), so everything goes in as textContent.

import { option } from './options.js';

// marks finds the elements by id and class, such as ddkk_value_site_pv:
// [element, field, whether it is the container around a number].
export function marks() {
  const found = [];
  const name = RegExp('^(' + (option('prefix') || 'ddkk') + (FULL ? '|busuanzi|vercount|eo_count|finicount' : '') +
    ')_(value_' + (FULL ? '|container_' : '') + ')?(' + (FULL ? 'today_[pu]v|views|hot_pages_(today|week|month|all)|' : '') +
    'site_[pu]v(_today)?|page_[pu]v|site_online)$');
  document.querySelectorAll('[id*=_],[class*=_]').forEach((element) => {
    (element.id + ' ' + element.getAttribute('class')).split(/\s+/).forEach((word) => {
      const is = name.exec(word);
      if (is) found.push([element, FULL ? is[3].replace(/^today_(.v)/, 'site_$1_today').replace('views', 'page_pv') : is[3], FULL && is[2] == 'container_']);
    });
  });
  return found;
}

// show writes a number: plain, 1,234 or 1.2K.
export function show(element, n) {
  const style = option('style'), full = n.toLocaleString('en');
  if (style == 'short') element.title = full;
  element.textContent = style == 'comma' ? full :
    style == 'short' ? n.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 }) : n;
}

// limit is how many pages a hot list shows.
export const limit = (element) => Math.max(1, Math.min(100, element.getAttribute('data-limit') | 0 || 10));

// list writes a hot list.
function list(element, pages) {
  const items = document.createDocumentFragment();
  const target = /^[OU]L$/.test(element.tagName) ? items : items.appendChild(document.createElement('ol'));
  pages.slice(0, limit(element)).forEach((hot) => {
    const item = target.appendChild(document.createElement('li'));
    // Only a path of this host is a link: "//x" and "/\x" are other hosts.
    const safe = /^\/([^\/\\\s]|$)/.test(hot.page);
    const name = item.appendChild(document.createElement(safe ? 'a' : 'span'));
    name.textContent = hot.page;
    if (safe) name.href = encodeURI(hot.page).replace(/#/g, '%23');
    item.append(' ');
    show(item.appendChild(document.createElement('span')), hot.pv);
  });
  element.textContent = '';
  element.appendChild(items);
}

// fill shows what an answer holds and leaves the rest as it is. A container
// that the theme hides until there are numbers is shown, others are not touched.
export function fill(answer) {
  marks().forEach(([element, field, box]) => {
    const value = answer[field];
    if (value == null) return;
    if (!FULL || !box) (FULL && value.map ? list : show)(element, value);
    else if (getComputedStyle(element).display == 'none') element.style.display = 'inline';
  });
}
