// Takes what the overview is filtered by out of all numbers: first how much that is, then
// for good, until it is put back.
import { h, fill } from '../dom.js';
import { t, count, number } from '../i18n.js';
import { send } from '../api.js';
import * as state from '../state.js';
import { said } from '../panel.js';
import { part } from './part.js';

const path = '/api/admin/void';

// voidButton is for those who may change numbers.
export function voidButton(done) {
  return state.changes && h('button', { type: 'button', class: 'quiet', 'data-key': 'void', onclick: () => ask(done) }, t('void.button'));
}

function ask(done) {
  const wave = { site: state.get().site, ...state.here(), where: state.get().where };
  const out = h('div', { role: 'status' }, h('progress', { 'aria-label': t('void.button') }));
  const yes = h('button', { type: 'button', hidden: true, onclick: take }, t('void.button'));
  const no = h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => dialog.close() }, t('action.cancel'));
  const dialog = h('dialog', { class: 'ask void', 'aria-label': t('void.button'), onclose: () => dialog.remove() },
    h('h2', null, t('void.button')), out, h('div', { class: 'buttons' }, no, yes));
  document.body.append(dialog);
  dialog.showModal();
  foresee();

  async function foresee() {
    try {
      const found = await send('POST', path, { ...wave, dry_run: true });
      const some = found.pv + found.pv_bot + found.events > 0;
      fill(out, h('p', null, some ? h('b', null, count('void.ask', found.pv)) : t('void.none')),
        found.pv_bot + found.events > 0 && h('p', null, t('void.beside', { bots: number(found.pv_bot), events: number(found.events), days: number(found.days.length) })),
        part(found.complete));
      yes.hidden = !some;
    } catch (error) {
      fill(out, h('p', { class: 'bad' }, said(error)));
    }
  }

  async function take() {
    yes.hidden = true;
    fill(no, t('action.close'));
    fill(out, h('progress', { 'aria-label': t('void.running') }), h('p', { class: 'note' }, t('void.running')));
    try {
      const { num } = await send('POST', path, wave);
      fill(out, h('p', null, t('void.done', { num })));
      done();
    } catch (error) {
      fill(out, h('p', { class: 'bad' }, said(error)));
    }
  }
}
