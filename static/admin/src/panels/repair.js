// Verification and restore, each with its progress.
import { h, fill } from '../dom.js';
import { t, number, moment } from '../i18n.js';
import { get, send } from '../api.js';
import * as state from '../state.js';
import { makePanel, said } from '../panel.js';
import { facts } from '../lists.js';

// ask has an action confirmed before it is done.
function ask(title, text, yes) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { class: 'ask', 'aria-label': title, onclose: () => { dialog.remove(); resolve(dialog.returnValue === 'yes'); } },
      h('h2', null, title), h('p', null, text),
      h('div', { class: 'buttons' }, h('button', { type: 'button', class: 'quiet', autofocus: true, onclick: () => dialog.close('') }, t('action.cancel')),
        h('button', { type: 'button', onclick: () => dialog.close('yes') }, yes)));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// job is a panel with a button, a bar while the job runs, and what it came to.
// start may take as long as the job, whose progress load tells meanwhile.
function job({ name, title, why, form, start, load, running, result, confirm }) {
  const note = h('p', { class: 'note', role: 'status' });
  const out = h('div', { class: 'job' });
  const button = h('button', { type: 'button', onclick: run }, t(`${name}.start`));
  let own = false;
  async function run() {
    if (confirm && !(await ask(title, confirm(), t(`${name}.start`)))) return;
    own = true;
    button.disabled = true;
    fill(note, t('job.begins'));
    const ended = start();
    panel.load();
    try {
      await ended;
      fill(note);
    } catch (error) {
      fill(note, said(error));
    }
    own = false;
    panel.load();
  }
  const panel = makePanel({
    name, title, uses: ['site'], every: 2, load,
    show(data) {
      const busy = own || data.running;
      button.disabled = busy;
      fill(out, busy ? [h('progress', { 'aria-label': title }), h('p', { class: 'note' }, running(data))] : result(data));
      return [h('p', null, why), h('div', { class: 'buttons' }, form, button), note, out];
    },
  });
  return panel;
}

// told writes whatever object the server reports as names and values.
function told(object) {
  return facts(Object.entries(object || {}).filter(([, value]) => value !== null && value !== '').map(([name, value]) => [name.replace(/_/g, ' '), worth(value)]));
}

function worth(value) {
  if (typeof value === 'number') return number(value);
  if (typeof value === 'boolean') return t(value ? 'answer.yes' : 'answer.no');
  if (Array.isArray(value)) return value.length ? h('ul', { class: 'plain' }, value.slice(0, 50).map((one) => h('li', null, typeof one === 'object' ? told(one) : String(one)))) : number(0);
  if (typeof value === 'object') return told(value);
  return /^\d{4}-\d\d-\d\dT/.test(value) ? moment(value) : String(value);
}

export function verifyPanel() {
  const days = h('input', { type: 'number', min: '1', max: '3660', value: '7', inputmode: 'numeric' });
  return job({
    name: 'verify', title: t('verify.title'), why: t('verify.why'), form: h('label', null, t('verify.days'), days),
    start: () => send('POST', '/api/admin/verify', { site: state.get().site, days: Number(days.value) || 7 }),
    load: () => get('/api/admin/verify'),
    running: (data) => (data.progress ? told(data.progress) : t('job.runs')),
    result: (data) => [data.error && h('p', { class: 'bad' }, data.error), data.report && [h('h3', null, t('verify.report')), told(data.report)]],
  });
}

export function restorePanel() {
  return job({
    name: 'restore', title: t('restore.title'), why: t('restore.why'), confirm: () => t('restore.confirm', { site: state.get().site }),
    start: () => send('POST', '/api/restore', { source: 'mysql', site: state.get().site }),
    load: () => get('/api/restore'),
    running: (data) => t('restore.rows', { site: data.site || state.get().site, n: number(data.rows || 0) }),
    result: (data) => data.site && [h('h3', null, t('restore.last')), told({ site: data.site, ended_at: data.ended_at, success: data.success, message: data.message, ...data.stats })],
  });
}
