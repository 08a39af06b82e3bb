// What earlier counters had, for the site and for its pages.
import { h, fill } from '../dom.js';
import { t, number } from '../i18n.js';
import { get, send } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty, said } from '../panel.js';
import { grid } from '../lists.js';

const path = '/api/admin/baselines';

export function baselinesPanel() {
  const input = (type, name) => h('input', { type, name, autocomplete: 'off', ...(type === 'number' ? { min: '0', step: '1', required: true, inputmode: 'numeric' } : { placeholder: t('baselines.whole') }) });
  const page = input('text', 'page');
  const pv = input('number', 'pv');
  const uv = input('number', 'uv');
  const note = h('p', { class: 'note', role: 'status' });
  const list = h('div');
  // Before the first view there is no site that could be meant.
  const host = !state.get().site && h('input', { type: 'text', name: 'site', autocomplete: 'off', required: true, placeholder: 'ddkk.com' });
  const site = () => (host ? host.value.trim() : state.get().site);
  const form = h('form', { class: 'row-form', method: 'post', onsubmit: (event) => { event.preventDefault(); change('PUT', { page: page.value.trim(), pv: Number(pv.value), uv: Number(uv.value) }); } },
    host && h('label', null, t('header.site'), host), h('label', null, t('tail.page'), page), h('label', null, t('figures.pv'), pv), h('label', null, t('figures.uv'), uv), h('button', { type: 'submit' }, t('action.save')));
  const name = (b) => (b.page ? h('span', { class: 'path' }, b.page) : h('em', null, t('baselines.whole')));

  async function change(method, baseline) {
    try {
      if (method === 'DELETE') await send(method, `${path}?${new URLSearchParams({ site: site(), page: baseline.page })}`);
      else await send(method, path, { site: site(), ...baseline });
      fill(note, t('baselines.saved'));
      if (method === 'PUT') [page, pv, uv].forEach((input) => { input.value = ''; });
    } catch (error) {
      fill(note, said(error));
    }
    panel.load();
  }

  function edit(b) {
    page.value = b.page;
    pv.value = b.pv;
    uv.value = b.uv;
    pv.focus();
  }

  const panel = makePanel({
    name: 'baselines', title: t('baselines.title'), uses: ['site'],
    load: async () => (site() ? get(path, { site: site() }) : { baselines: [] }),
    show({ baselines }) {
      fill(list, baselines.length ? grid(t('baselines.title'), [{ title: t('tail.page'), wrap: true }, { title: t('figures.pv'), n: true }, { title: t('figures.uv'), n: true }, { hidden: t('baselines.actions') }],
        baselines.map((b) => [name(b), number(b.pv), number(b.uv), h('span', { class: 'buttons' },
          h('button', { type: 'button', class: 'quiet', 'data-key': `edit ${b.page}`, 'aria-label': t('baselines.editOf', { page: b.page || t('baselines.whole') }), onclick: () => edit(b) }, t('action.edit')),
          h('button', { type: 'button', class: 'quiet', 'data-key': `delete ${b.page}`, 'aria-label': t('baselines.deleteOf', { page: b.page || t('baselines.whole') }), onclick: () => change('DELETE', b) }, t('action.delete')))]))
        : empty(t('baselines.none')));
      return [h('p', null, t('baselines.why')), form, note, list];
    },
    table: ({ baselines }) => ({ columns: ['page', 'pv', 'uv'], rows: baselines.map((b) => [b.page, b.pv, b.uv]) }),
  });
  return panel;
}
