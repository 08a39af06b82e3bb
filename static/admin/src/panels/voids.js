// The rules that take views out of all numbers, each with a way back.
import { h, fill } from '../dom.js';
import { t, moment } from '../i18n.js';
import { get, send } from '../api.js';
import * as state from '../state.js';
import { makePanel, empty, said } from '../panel.js';
import { grid } from '../lists.js';

const path = '/api/admin/void';
const states = { 'in force': 'voids.inForce', running: 'job.runs', unfinished: 'voids.unfinished', undone: 'voids.undone' };

export function voidsPanel() {
  const note = h('p', { class: 'note', role: 'status' });
  const time = (at) => (at ? moment(at) : '…');

  async function undo({ num }) {
    fill(note, t('job.runs'));
    try {
      await send('DELETE', path, { site: state.get().site, num });
      fill(note, '');
    } catch (error) {
      fill(note, said(error));
    }
    panel.load();
  }

  const panel = makePanel({
    name: 'voids', title: t('voids.title'), uses: ['site'], every: 10,
    load: () => get(path, { site: state.get().site }),
    show: ({ rules }) => [h('p', null, t('voids.why')), note, rules.length ? grid(t('voids.title'), [{ title: '#', n: true }, { title: t('voids.about'), wrap: true }, { title: t('voids.days'), wrap: true }, { title: t('voids.by') }, { title: t('voids.state') }, { hidden: t('voids.undo') }],
      rules.map((r) => [String(r.num), h('span', { class: 'path' }, r.about), `${time(r.from)} – ${time(r.until)}`, h('span', { class: 'path' }, r.made_by), t(states[r.state]),
        r.state !== 'undone' && r.state !== 'running' ? h('button', { type: 'button', class: 'quiet', 'data-key': `undo ${r.num}`, 'aria-label': t('voids.undoOf', { num: r.num }), onclick: () => undo(r) }, t('voids.undo')) : '']))
      : empty(t('voids.none'))],
  });
  return panel;
}
