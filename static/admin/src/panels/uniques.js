// Visitors of weeks and of months, each once: of the site, or of the page that is
// filtered by. A server that does not count them (UNIQUES) has no such panel.
import { t, day } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel } from '../panel.js';
import { nameList } from '../names.js';
import { filtered, onlyPage } from '../where.js';

const absent = ({ status }) => (status === 400 || status === 404 ? 'nothing' : null);

function uniquesPanel(period) {
  const title = t(`uniques.${period}`);
  const list = nameList({ label: title, unit: t('unit.visitors') });
  return makePanel({
    name: `uniques-${period}`, kind: 'panel-facet', shape: 'rows', title, uses: ['site', 'range', 'from', 'to', 'where'], every: 60, absent, shy: true,
    async load() {
      const page = onlyPage();
      if (filtered() && page === undefined) return { rows: [] };
      return get('/api/admin/uniques', { site: state.get().site, ...state.here(), period, page });
    },
    // The newest stands first; one whose number is not known says so.
    show({ rows }) {
      if (!rows.length) return null;
      return list([...rows].reverse().map((row) => ({
        key: row.name, text: `${day(row.from)} – ${day(row.to)}`, title: row.name, n: row.uv, color: '--second',
        note: row.uv == null ? t('uniques.unknown') : row.open ? t('uniques.open') : null,
      })));
    },
    table: ({ rows }) => ({ columns: [period, 'from', 'to', 'uv', 'open'], rows: rows.map((row) => [row.name, row.from, row.to, row.uv, row.open]) }),
  });
}

export const uniquesPanels = ['week', 'month'].map((period) => Object.assign(() => uniquesPanel(period), { counted: (session) => !session.uniques || session.uniques.includes(period) }));
