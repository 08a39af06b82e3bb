// The pages of the range, and the hot lists.
import { h } from '../dom.js';
import { t, count, number } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, choice, empty } from '../panel.js';
import { nameList, pageAddress } from '../names.js';
import { by, explore, others } from '../where.js';

const limit = 50;
const hotLimit = 100;

export function pagesPanel() {
  let match = '';
  let timer = 0;
  const list = nameList({ label: t('pages.title'), unit: t('unit.views') });
  const tools = choice(t('pages.period'), ['range', 'today', 'week', 'month', 'all'].map((value) => ({ value, text: t(`pages.${value}`) })), state.get().hot, (hot) => state.set({ hot }));
  const box = h('input', {
    type: 'search', class: 'filter', placeholder: t('pages.filter'), 'aria-label': t('pages.filter'), maxlength: '200',
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => { match = box.value.trim(); panel.load(); }, 200);
    },
  });
  const found = (pages) => pages.filter((p) => `${p.page}\n${p.title || ''}`.toLowerCase().includes(match.toLowerCase()));

  async function load() {
    const { site, hot } = state.get();
    const where = others('page');
    tools.press(hot);
    tools.hidden = Boolean(where); // hot lists know no filters
    if (where) {
      const data = await explore('page', where, hotLimit);
      const pages = found(data.rows.map((row) => ({ page: row.name, pv: row.pv, uv: row.uv })));
      return { pages: pages.slice(0, limit), total: pages.length, match, stale: data.stale };
    }
    if (hot === 'range') return { ...await get('/api/admin/pages', { site, ...state.here(), limit, q: match }), match };
    const data = await get('/api/hot', { site, period: hot, limit: hotLimit });
    const pages = found(data.hot_pages);
    return { pages: pages.slice(0, limit), total: pages.length, match, stale: data.stale };
  }

  function show({ pages, total, match: asked }) {
    if (!pages.length) return empty(t(asked ? 'pages.noMatch' : 'pages.none'));
    const { site } = state.get();
    return [
      list(pages.map((p) => ({
        key: p.page, text: p.title || p.page, soft: p.title && p.page, title: p.title && `${p.title}\n${p.page}`, n: p.pv,
        note: p.uv == null ? null : count('pages.visitors', p.uv), ...by('page', p.page), open: pageAddress(site, p.page),
      }))),
      h('p', { class: 'note' }, t('pages.total', { shown: number(pages.length), total: number(total) })),
    ];
  }

  const panel = makePanel({
    name: 'pages', shape: 'rows', title: t('pages.title'), tools: [box, tools], uses: ['site', 'range', 'from', 'to', 'hot', 'where'], every: 30, load, show,
    close: () => clearTimeout(timer),
    table: ({ pages }) => ({ columns: ['page', 'pv', 'uv', 'title'], rows: pages.map((p) => [p.page, p.pv, p.uv, p.title]) }),
  });
  return panel;
}
