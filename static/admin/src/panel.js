// A panel: a heading, tools, and a body that is loaded, kept current and
// marked when it is not.
import { h, fill, unique } from './dom.js';
import { t, clock } from './i18n.js';
import { csv, json, save } from './export.js';
import { heightsOf, keepHeights, skeleton } from './shape.js';
import * as state from './state.js';

// makePanel makes one of
//   name      of its files and its class
//   kind      of its class, where several are of one kind
//   title     a text
//   shape     of its skeleton
//   load      promises the data
//   show      makes nodes of the data; null: there is nothing to show, and no panel
//   table     makes {columns, rows} of the data, for export; may be missing
//   tools     nodes beside the title
//   uses      names of the state that it must be loaded again for
//   every     seconds after which it is loaded again; 0: never
//   firm      its height is that of its skeleton, whatever comes
//   shy       it is not there until it has something to show, but where it had last time
export function makePanel(options) {
  const id = unique('panel');
  const heights = heightsOf(state.scene());
  const waits = () => skeleton(options.shape, heights[options.name]);
  const body = h('div', { class: 'panel-body' }, waits());
  const mark = h('span', { class: 'mark', role: 'status' });
  const node = h('section', { class: `panel panel-${options.name} ${options.kind || ''}`.trim(), 'aria-labelledby': id, 'aria-busy': 'true', hidden: Boolean(options.shy && !heights[options.name]) },
    h('header', { class: 'panel-head' }, h('h2', { id }, options.title), mark,
      options.tools && h('div', { class: 'panel-tools' }, options.tools), exports(options, () => data)),
    body);
  let data = null;
  let shown = '';
  let turn = 0;
  let loaded = 0;
  let failed = false;

  async function load() {
    const mine = ++turn;
    node.setAttribute('aria-busy', 'true');
    try {
      const next = await options.load();
      if (mine !== turn) return;
      failed = false;
      receive(next);
    } catch (error) {
      if (mine !== turn) return;
      failed = true;
      fail(error);
    }
    node.removeAttribute('aria-busy');
  }

  function receive(next) {
    data = next;
    loaded = Date.now();
    fill(mark, next && next.stale ? t('panel.stale') : null);
    mark.title = next && next.stale ? t('panel.staleWhy') : '';
    const text = JSON.stringify(next);
    if (text === shown) return;
    shown = text;
    draw();
  }

  function draw() {
    const nodes = options.show(data);
    node.hidden = nodes === null;
    fill(body, nodes);
  }

  function fail(error) {
    if (error.status === 401) return;
    if (!error.code && error.status === undefined) throw error; // a mistake of ours belongs into the console
    if (data && error.status !== 404) {
      fill(mark, t('panel.old', { time: clock(loaded) }));
      mark.title = said(error);
      return;
    }
    data = null;
    shown = '';
    fill(mark);
    const instead = options.absent ? options.absent(error) : null;
    node.hidden = instead === 'nothing';
    fill(body, node.hidden ? empty('') : instead || trouble(error, load));
  }

  return {
    node, load, options, name: options.name,
    // failed says that what was asked for last did not come.
    failed: () => failed,
    // open says that the height is not known yet.
    open: () => !options.firm && !heights[options.name] && body.querySelector('.skeleton') !== null,
    reset: () => { data = null; shown = ''; fill(body, waits()); },
  };
}

export const empty = (text) => h('p', { class: 'empty' }, text);

// said is what went wrong, as far as it is known.
export function said(error) {
  if (error.status === 0) return t('error.offline');
  if (error.status === 429) return t('error.wait', { n: error.wait || 60 });
  return error.message || t('error.status', { status: error.status });
}

export const trouble = (error, again) => h('div', { class: 'trouble', role: 'alert' },
  h('p', null, said(error)), h('button', { type: 'button', class: 'quiet', onclick: again }, t('action.retry')));

// exports is a menu of files that the panel can be saved as.
function exports(options, data) {
  if (!options.table) return null;
  const item = (kind, type, make) => h('button', {
    type: 'button', class: 'quiet export', 'data-export': kind, 'aria-label': t('export.label', { kind, title: options.title }),
    onclick: () => {
      menu.open = false;
      if (!data()) return;
      const { columns, rows } = options.table(data());
      const { from, to } = state.here();
      save([state.get().site, options.name, from, to].join('_').replace(/[^\w.-]+/g, '-') + '.' + kind.toLowerCase(), type, make(columns, rows));
    },
  }, kind);
  const menu = h('details', {
    class: 'menu',
    onkeydown: (event) => { if (event.key === 'Escape') { menu.open = false; menu.firstChild.focus(); } },
    onfocusout: (event) => { if (!menu.contains(event.relatedTarget)) menu.open = false; },
  }, h('summary', { title: t('export.menu'), 'aria-label': t('export.of', { title: options.title }) }, '⋯'),
  h('div', null, item('CSV', 'text/csv;charset=utf-8', csv), item('JSON', 'application/json', json)));
  return menu;
}

// choice is a row of buttons of which one is pressed.
export function choice(label, options, now, choose) {
  const node = h('div', { class: 'choice', role: 'group', 'aria-label': label });
  const buttons = options.map(({ value, text, keys, title }) => h('button', {
    type: 'button', 'data-value': value, 'aria-keyshortcuts': keys, title, 'aria-pressed': String(value === now), onclick: () => choose(value),
  }, text));
  node.append(...buttons);
  node.press = (value) => buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.getAttribute('data-value') === value)));
  return node;
}

// Keeper loads panels when they are due: at once, when the state that they use
// changed, and every few seconds while the tab is seen. When it ends, and when the
// page is left, it remembers how high they are.
// What is below a panel whose height is not known yet is not seen before it is.
export class Keeper {
  constructor(panels, nodes = panels.map((panel) => panel.node)) {
    this.panels = panels;
    this.nodes = nodes;
    this.due = new Map();
    this.scene = state.scene();
    this.wake = () => { if (!document.hidden) this.tick(); };
    this.leave = () => keepHeights(this.scene, this.panels);
  }

  start() {
    this.settle();
    this.panels.forEach((panel) => this.load(panel));
    this.timer = setInterval(this.wake, 1000);
    document.addEventListener('visibilitychange', this.wake);
    addEventListener('pagehide', this.leave);
  }

  stop() {
    this.leave();
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.wake);
    removeEventListener('pagehide', this.leave);
    this.panels.forEach((panel) => panel.options.close && panel.options.close());
  }

  load(panel) {
    this.due.set(panel, panel.options.every ? Date.now() + panel.options.every * 1000 : Infinity);
    return panel.load().finally(() => this.settle());
  }

  settle() {
    let known = true;
    for (const node of this.nodes) {
      node.classList.toggle('later', !known);
      known = known && !this.panels.some((panel) => !panel.node.hidden && node.contains(panel.node) && panel.open());
    }
  }

  tick() {
    for (const panel of this.panels) if (this.due.get(panel) <= Date.now()) this.load(panel);
  }

  // retry loads what failed, without waiting until it is due.
  retry() {
    for (const panel of this.panels) if (panel.failed()) this.load(panel);
  }

  changed(names) {
    for (const panel of this.panels) {
      if (!(panel.options.uses || []).some((name) => names.includes(name))) continue;
      if (names.includes('site')) panel.reset();
      this.load(panel);
    }
  }
}
