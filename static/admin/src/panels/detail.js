// A page's own numbers, over everything else.
import { h, fill, unique } from '../dom.js';
import { t, number } from '../i18n.js';
import { get, send } from '../api.js';
import * as state from '../state.js';
import { possible } from '../dates.js';
import { makePanel } from '../panel.js';
import { lineChart } from '../chart.js';
import { named, total } from './series.js';

// pageDetail is a dialog that is open while the state names a page.
export function pageDetail() {
  const id = unique('page');
  const title = h('h2', { id, class: 'path' });
  const body = h('div');
  let panel = null;
  const node = h('dialog', { class: 'drawer', 'aria-labelledby': id, onclose: () => { stop(); state.set({ page: '' }); }, onclick: (event) => { if (event.target === node) node.close(); } },
    h('div', { class: 'drawer-inner' },
      h('header', null, title, h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => node.close() }, t('action.close'))), body));

  function stop() {
    if (panel) panel.options.close();
    panel = null;
    fill(body);
  }

  function update() {
    const { page } = state.get();
    if (!page) {
      if (node.open) node.close();
      return;
    }
    stop();
    title.textContent = page;
    panel = detailPanel(page);
    fill(body, panel.node);
    if (!node.open) node.showModal();
    panel.load();
  }
  return { node, update };
}

function detailPanel(page) {
  let chart = null;
  const close = () => { if (chart) chart.close(); };
  return makePanel({
    name: 'page', title: t('detail.title'), close,
    async load() {
      const { site, by } = state.get();
      const span = state.here();
      const { fit, best } = possible(span);
      const interval = fit.includes(by) && by !== 'hour' ? by : best === 'hour' ? 'day' : best;
      const [{ history, stale }, now] = await Promise.all([
        get('/api/history', { site, page, ...span, interval }),
        send('POST', '/api/stats', { site, page, fields: ['page_pv', 'page_uv'] }),
      ]);
      return { history, now, interval, stale: stale || now.stale };
    },
    show({ history, now, interval }) {
      close();
      const points = named(history, interval);
      chart = lineChart({
        title: t('detail.title'), unit: t(`by.${interval}`), labels: points.map((p) => p.label), names: points.map((p) => p.name),
        series: [
          { label: t('figures.pv'), values: history.map((p) => p.pv), color: '--accent', fill: '--accent-soft' },
          { label: t('figures.uv'), values: history.map((p) => p.uv), color: '--second' },
        ],
      }, 220);
      return [
        h('dl', { class: 'tiles' }, [['detail.range', total(history, 'pv')], ['detail.pv', number(now.page_pv)], ['detail.uv', number(now.page_uv)]]
          .map(([key, value]) => h('div', { class: 'tile' }, h('dt', null, t(key)), h('dd', { class: 'value' }, value)))),
        chart.nodes,
        history.some((p) => p.uv == null) && h('p', { class: 'note' }, t('detail.later')),
      ];
    },
    table: ({ history, interval }) => ({ columns: [interval, 'pv', 'uv'], rows: history.map((p) => [p.date, p.pv, p.uv]) }),
  });
}
