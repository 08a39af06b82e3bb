// Where readers came from: of the site, or of what it is filtered by.
import { h } from '../dom.js';
import { t, number } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty } from '../panel.js';
import { hostAddress, nameList } from '../names.js';
import { by, explore, others } from '../where.js';

const limit = 50;

async function load() {
  const where = others('referrer');
  if (!where) return get('/api/admin/referrers', { site: state.get().site, ...state.here(), limit });
  const { rows, stale } = await explore('referrer', where, limit);
  return { referrers: rows.map((row) => ({ referrer: row.name, pv: row.pv })), total: rows.length, stale };
}

export function referrersPanel() {
  const list = nameList({ label: t('referrers.title'), unit: t('unit.views') });
  return makePanel({
    name: 'referrers', shape: 'rows', title: t('referrers.title'), uses: ['site', 'range', 'from', 'to', 'where'], every: 60, load,
    show({ referrers, total }) {
      if (!referrers.length) return empty(t('referrers.none'));
      return [
        list(referrers.map((r) => ({ key: r.referrer, text: r.referrer || t('referrers.direct'), n: r.pv, color: '--second', ...by('referrer', r.referrer), open: hostAddress(r.referrer) }))),
        h('p', { class: 'note' }, t('referrers.total', { shown: number(referrers.length), total: number(total) })),
      ];
    },
    table: ({ referrers }) => ({ columns: ['referrer', 'pv'], rows: referrers.map((r) => [r.referrer, r.pv]) }),
  });
}
