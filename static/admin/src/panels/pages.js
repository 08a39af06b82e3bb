// The pages of the range, and the hot lists.
import { h } from '../dom.js';
import { t, count, number } from '../i18n.js';
import { get } from '../api.js';
import * as state from '../state.js';
import { makePanel, choice, empty } from '../panel.js';
import { bars } from '../lists.js';

const limit = 20;
const hotLimit = 100;

export function pagesPanel() {
  let filter = '';
  let timer = 0;
  const tools = choice(t('pages.period'), ['range', 'today', 'week', 'month', 'all'].map((value) => ({ value, text: t(`pages.${value}`) })), state.get().hot, (hot) => state.set({ hot }));
  const box = h('input', {
    type: 'search', class: 'filter', placeholder: t('pages.filter'), 'aria-label': t('pages.filter'), maxlength: '200',
    oninput: () => {
      clearTimeout(timer);
      timer = setTimeout(() => { filter = box.value.trim(); panel.load(); }, 200);
    },
  });
  async function load() {
    const { site, hot } = state.get();
    tools.press(hot);
    if (hot === 'range') {
      const data = await get('/api/admin/pages', { site, ...state.here(), limit, q: filter });
      return { ...data, filter };
    }
    const data = await get('/api/hot', { site, period: hot, limit: hotLimit });
    const found = data.hot_pages.filter((p) => p.page.toLowerCase().includes(filter.toLowerCase()));
    return { pages: found.slice(0, limit), total: found.length, filter, stale: data.stale };
  }
  function show({ pages, total, filter }) {
    if (!pages.length) return empty(t(filter ? 'pages.noMatch' : 'pages.none'));
    return [
      bars(pages.map((p) => ({ key: p.page, text: p.page, n: p.pv, more: p.uv == null ? null : count('pages.visitors', p.uv), click: () => state.set({ page: p.page }) })), t('pages.title'), t('unit.views')),
      h('p', { class: 'note' }, t('pages.total', { shown: number(pages.length), total: number(total) })),
    ];
  }
  const panel = makePanel({
    name: 'pages', title: t('pages.title'), tools: [box, tools], uses: ['site', 'range', 'from', 'to', 'hot'], every: 30, load, show,
    close: () => clearTimeout(timer),
    table: ({ pages }) => ({ columns: ['page', 'pv', 'uv'], rows: pages.map((p) => [p.page, p.pv, p.uv]) }),
  });
  return panel;
}
