// The last views as they come in.
import { h } from '../dom.js';
import { t, clock } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty } from '../panel.js';
import { grid } from '../lists.js';
import { hostAddress, pageAddress } from '../names.js';
import { filtered, terms, toggle } from '../where.js';

const shown = 50;
const looked = 500;

// What a line tells of the names that can be filtered by; of others it is silent,
// and then not shown.
const told = { page: (v) => v.page, referrer: (v) => v.referrer, device: (v) => (v.bot ? '' : v.device), bot: (v) => (v.bot ? 'yes' : 'no'), event: (v) => v.event };

const matches = (v) => terms().every(([name, value]) => told[name] && told[name](v) === value);

export function tailPanel() {
  const name = (key, of, value, text, address) => [
    h('button', { type: 'button', class: 'link', 'data-key': `${key} ${of}`, onclick: () => toggle(of, value) }, text),
    address && h('a', { class: 'open', href: address, target: '_blank', rel: 'noopener noreferrer', title: t('list.open'), 'aria-label': t('list.openOf', { name: text }) }, '↗')];
  return makePanel({
    name: 'tail', shape: 'table', title: t('tail.title'), uses: ['site', 'where'], every: 3,
    async load() {
      const data = await get('/api/admin/views', { site: state.get().site, limit: filtered() ? looked : shown });
      return { views: data.views.filter(matches).slice(0, shown), stale: data.stale };
    },
    show({ views }) {
      if (!views.length) return empty(t(filtered() ? 'tail.noMatch' : 'tail.none'));
      const { site } = state.get();
      return grid(t('tail.title'), [{ title: t('tail.time') }, { title: t('tail.page'), wrap: true }, { title: t('tail.referrer'), wrap: true }, { title: t('tail.who') }, { title: t('tail.what') }],
        views.map((v) => [
          h('time', { datetime: v.time }, clock(v.time)),
          name(`${v.time} ${v.page}`, 'page', v.page, v.page, pageAddress(site, v.page)),
          v.referrer ? name(`${v.time} ${v.page}`, 'referrer', v.referrer, v.referrer, hostAddress(v.referrer)) : '–',
          h('span', { class: v.bot ? 'tag bot' : 'tag' }, v.bot ? name(`${v.time} ${v.page}`, 'bot', 'yes', t('tail.bot')) : name(`${v.time} ${v.page}`, 'device', v.device, t(v.device === 'mobile' ? 'devices.mobile' : 'devices.pc'))),
          v.event ? h('code', null, v.event) : t('tail.view'),
        ]));
    },
    table: ({ views }) => ({ columns: ['time', 'page', 'referrer', 'device', 'bot', 'event'], rows: views.map((v) => [v.time, v.page, v.referrer, v.device, String(v.bot), v.event]) }),
  });
}
