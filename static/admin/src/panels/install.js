// The lines to paste into a site, and whether its first view has come.
import { h, fill, unique } from '../dom.js';
import { count, t } from '../i18n.js';
import { skippedLines } from './skipped.js';

// blocked are beginnings of host names that ad-block lists know.
const blocked = /^(stats?|analytics|tracking|track|metrics|pixel|beacon|telemetry)\./i;

export const snippet = () => `<script defer src="${location.origin}/ddkk-stats.js"></script>\n\n<span id="ddkk_value_page_pv">—</span>`;

// code is a block of lines with a button that copies them.
export function code(label, text) {
  const id = unique('code');
  const lines = h('code', { id }, text);
  const button = h('button', { type: 'button', class: 'quiet', 'aria-describedby': id, onclick: copy }, t('action.copy'));
  async function copy() {
    getSelection().selectAllChildren(lines); // without a secure context there is no clipboard
    if (!navigator.clipboard) return;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = t('action.copied');
    } catch {
      button.textContent = t('action.selected');
    }
  }
  return h('figure', { class: 'code' }, h('figcaption', null, label, button), h('pre', { tabindex: '0' }, lines));
}

export function install(lines) {
  return [
    h('p', null, t('install.how')),
    code('HTML', snippet()),
    h('div', { class: blocked.test(location.hostname) ? 'hint warn' : 'hint' }, h('h3', null, t('install.blockTitle')),
      lines, h('p', null, t('install.local')),
      h('p', null, blocked.test(location.hostname) ? t('install.blockName', { host: location.hostname }) : t('install.block'))),
    h('p', { class: 'note' }, h('a', { href: '/demo' }, t('install.demo'))),
  ];
}

// firstRun stands in for the dashboard while there is no site: it waits for the
// first view.
export function firstRun() {
  const status = h('p', { class: 'waiting', role: 'status' });
  const lines = skippedLines();
  const node = h('section', { class: 'panel first-run', 'aria-labelledby': 'first' }, h('h2', { id: 'first' }, t('first.title')), h('p', null, t('first.text')), install(lines), status);
  node.look = lines.look;
  node.seen = (site) => fill(status, h('span', { class: site ? 'dot good' : 'dot wait', 'aria-hidden': 'true' }), site ? count('first.seen', site.pv, { site: site.site }) : t('first.waiting'));
  node.seen(null);
  return node;
}

export function installPanel(session, site) {
  const id = unique('panel');
  const isPublic = (session.public_sites || []).includes(site);
  return h('section', { class: 'panel panel-install', 'aria-labelledby': id }, h('header', { class: 'panel-head' }, h('h2', { id }, t('install.title'))),
    h('div', { class: 'panel-body' }, install(skippedLines()), h('h3', null, t('install.public')),
      isPublic ? [h('p', null, h('a', { href: `/public/${site}` }, `${location.origin}/public/${site}`)), code('Markdown', `[![views](${location.origin}/badge/${site}.svg)](${location.origin}/public/${site})`)]
        : h('p', { class: 'note' }, t('install.notPublic'))));
}
