// The last views as they come in.
import { h } from '../dom.js';
import { t, clock } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty } from '../panel.js';
import { grid } from '../lists.js';

export function tailPanel() {
  return makePanel({
    name: 'tail', title: t('tail.title'), uses: ['site'], every: 3,
    load: () => get('/api/admin/views', { site: state.get().site, limit: 50 }),
    show({ views }) {
      if (!views.length) return empty(t('tail.none'));
      return grid(t('tail.title'), [{ title: t('tail.time') }, { title: t('tail.page'), wrap: true }, { title: t('tail.referrer'), wrap: true }, { title: t('tail.who') }, { title: t('tail.what') }],
        views.map((v) => [
          h('time', { datetime: v.time }, clock(v.time)),
          h('button', { type: 'button', class: 'link', 'data-key': `${v.time} ${v.page}`, onclick: () => state.set({ page: v.page }) }, v.page),
          v.referrer || '–',
          h('span', { class: v.bot ? 'tag bot' : 'tag' }, v.bot ? t('tail.bot') : t(v.device === 'mobile' ? 'devices.mobile' : 'devices.pc')),
          v.event ? h('code', null, v.event) : t('tail.view'),
        ]));
    },
    table: ({ views }) => ({ columns: ['time', 'page', 'referrer', 'device', 'bot', 'event'], rows: views.map((v) => [v.time, v.page, v.referrer, v.device, String(v.bot), v.event]) }),
  });
}
