// Where readers came from.
import { h } from '../dom.js';
import { t, number } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty } from '../panel.js';
import { bars } from '../lists.js';

export function referrersPanel() {
  return makePanel({
    name: 'referrers', title: t('referrers.title'), uses: ['site', 'range', 'from', 'to'], every: 60,
    load: () => get('/api/admin/referrers', { site: state.get().site, ...state.here(), limit: 20 }),
    show({ referrers, total }) {
      if (!referrers.length) return empty(t('referrers.none'));
      return [
        bars(referrers.map((r) => ({ key: r.referrer, text: r.referrer || t('referrers.direct'), n: r.pv, color: '--second' })), t('referrers.title'), t('unit.views')),
        h('p', { class: 'note' }, t('referrers.total', { shown: number(referrers.length), total: number(total) })),
      ];
    },
    table: ({ referrers }) => ({ columns: ['referrer', 'pv'], rows: referrers.map((r) => [r.referrer, r.pv]) }),
  });
}
