// What else is known of views, by one panel for each: countries, browsers, and
// whatever the server counts by. To add one, add its name to the list and its title
// to the dictionaries; one that the server does not count by stays away.
import { h } from '../dom.js';
import { t, count, number } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel } from '../panel.js';
import { nameList } from '../names.js';
import { facets, term, written } from '../facets.js';
import { by, explore, others } from '../where.js';

const limit = 50;

const absent = ({ status }) => (status === 400 || status === 404 ? 'nothing' : null);

function facetPanel(facet) {
  const title = t(`facet.${facet}`);
  const list = nameList({ label: title, unit: t('unit.views') });
  return makePanel({
    name: facet, kind: 'panel-facet', shape: 'rows', title, uses: ['site', 'range', 'from', 'to', 'where'], every: 60, absent, shy: true,
    async load() {
      const where = others(term(facet));
      return where ? explore(term(facet), where, limit) : get('/api/admin/facets', { site: state.get().site, ...state.here(), facet, limit });
    },
    show({ rows, total }) {
      if (!rows.length) return null;
      return [
        list(rows.map((row) => ({ key: row.name, text: written(facet, row.name), title: row.name || null, n: row.pv, note: row.uv == null ? null : count('pages.visitors', row.uv), color: '--second', ...by(term(facet), row.name) }))),
        total > rows.length && h('p', { class: 'note' }, t('facet.total', { shown: number(rows.length), total: number(total) })),
      ];
    },
    table: ({ rows }) => ({ columns: [facet, 'pv', 'uv'], rows: rows.map((row) => [row.name, row.pv, row.uv]) }),
  });
}

export const facetPanels = facets.map((facet) => Object.assign(() => facetPanel(facet), { counted: (session) => !session.facets || session.facets.includes(facet) }));
