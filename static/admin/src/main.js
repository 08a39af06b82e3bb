// The dashboard: a session first, then the sites, then the view that the URL
// names.
import { h, fill } from './dom.js';
import { t, choose, setClock } from './i18n.js';
import { get, send, onRefused } from './api.js';
import * as state from './state.js';
import { startTheme } from './theme.js';
import { Keeper, said } from './panel.js';
import { loginPage, passwordPage } from './login.js';
import { preferences, rangeBar, topBar, viewTabs } from './header.js';
import { filterBar } from './panels/filters.js';
import { keyHelp } from './keys.js';
import { recall, remember } from './memory.js';
import { clear } from './where.js';
import { firstRun } from './panels/install.js';
import { build, ranged } from './views.js';

const sitesEvery = 10e3;
const firstEvery = 2e3;

class Dashboard {
  constructor(root) {
    this.root = root;
    this.keeper = null;
    this.timer = 0;
    this.turn = 0;
    onRefused(() => this.start());
    state.onChange((names) => this.changed(names));
    addEventListener('keydown', (event) => this.key(event));
  }

  // start looks who asks and shows the login or the dashboard.
  async start() {
    const turn = ++this.turn;
    this.stop();
    try {
      this.session = await get('/api/admin/session');
    } catch (error) {
      if (turn === this.turn) this.away(error);
      return;
    }
    if (turn !== this.turn) return;
    const link = location.hash.startsWith('#share=') ? location.hash.slice('#share='.length) : '';
    if (link) history.replaceState(null, '', location.pathname + location.search);
    if (link && (!this.session.admin || this.session.role)) this.follow(link);
    else if (!this.session.admin) this.login();
    else this.open();
  }

  // follow logs in by a link that the owner has given.
  async follow(token) {
    try {
      await send('POST', '/api/admin/login', { token });
    } catch (error) {
      if (error.code === 'password_required') fill(this.root, passwordPage(token, () => this.start()));
      else this.away(error.status === 401 ? new Error(t('login.linkEnded')) : error);
      return;
    }
    this.start();
  }

  stop() {
    clearTimeout(this.timer);
    if (this.keeper) this.keeper.stop();
    this.keeper = null;
    this.bar = null;
  }

  away(error) {
    fill(this.root, h('main', { class: 'login', id: 'main' }, h('div', { class: 'panel', role: 'alert' }, h('h1', null, 'ddkk-stats'), h('p', null, said(error)),
      h('button', { type: 'button', onclick: () => this.start() }, t('action.retry')))));
  }

  login() {
    document.title = 'ddkk-stats';
    fill(this.root, loginPage(this.session, () => this.start()), h('footer', { class: 'login-foot' }, preferences((language) => this.speak(language))));
    this.root.querySelector('#token')?.focus();
  }

  open() {
    state.allow(this.session);
    this.today();
    this.keys = keyHelp({
      view: (view) => state.set({ view }), clear,
      search: () => this.search(), range: (range) => this.range(range),
    });
    this.bar = topBar({ session: this.session, speak: (language) => this.speak(language), logout: () => this.logout(), help: () => this.keys.ask() });
    this.tabs = viewTabs();
    this.ranges = rangeBar();
    this.filters = filterBar(() => this.keeper && this.keeper.changed(['where']));
    this.title = h('h1');
    this.main = h('main', { id: 'main', tabindex: '-1' });
    this.banner = h('p', { class: 'banner', role: 'status' });
    fill(this.root, h('a', { class: 'skip', href: '#main' }, t('header.skip')), this.bar, this.tabs, this.banner, this.main, this.keys);
    this.sites = null;
    // Who has several sites begins with all of them, unless it was one that they looked at last.
    this.undecided = !state.asked();
    // The site of last time need not wait for the list of all.
    this.guess = state.get().site ? '' : recall('site');
    if (this.guess) state.set({ site: this.guess }, true);
    if (state.get().site || state.get().view === 'sites') this.view();
    this.look(this.session);
  }

  today() {
    setClock(this.session.utc_offset, this.session.now);
    return state.setToday(this.session.today);
  }

  // look asks for the sites again and again: for the switch, for the first view
  // of all, and for the date, which changes at midnight.
  async look(known) {
    clearTimeout(this.timer);
    const turn = this.turn;
    try {
      const [{ sites }, session] = await Promise.all([get('/api/admin/sites'), known || get('/api/admin/session')]);
      if (turn !== this.turn || !this.bar) return;
      this.session = session;
      const back = this.banner.textContent !== '';
      fill(this.banner);
      this.arrived(sites, this.today());
      // Panels that failed while nothing answered do not wait for their next turn.
      if (back && this.keeper) this.keeper.retry();
    } catch (error) {
      if (turn !== this.turn || error.status === 401) return;
      fill(this.banner, said(error));
    }
    this.timer = setTimeout(() => this.look(), this.sites && this.sites.length ? sitesEvery : firstEvery);
  }

  arrived(sites, newDay) {
    const first = !this.sites || !this.sites.length;
    this.sites = sites;
    const there = (site) => sites.some((s) => s.site === site);
    // That of last time may be gone; one in the URL is asked for all the same.
    if (this.guess && this.guess === state.get().site && !there(this.guess)) state.set({ site: '' }, true);
    if (this.undecided && !state.get().site && sites.length > 1) state.set({ view: 'sites' }, true);
    this.undecided = false;
    if (!state.get().site && sites.length && state.get().view !== 'sites') state.set({ site: sites[0].site }, true);
    this.recall();
    this.bar.setSites(sites);
    if (!sites.length && !state.get().site && state.get().view !== 'system') this.wait();
    else if (first && !this.keeper) this.show();
    else if (newDay) this.changed(['range']);
  }

  // recall keeps what is looked at for the next time.
  recall() {
    const { view, site } = state.get();
    if (view === 'sites') remember('site', '');
    else if (this.sites && this.sites.some((s) => s.site === site)) remember('site', site);
  }

  // wait shows the first run until a view has come.
  wait() {
    this.tabs.update();
    const waits = this.main.querySelector('.first-run');
    if (waits) {
      waits.look();
      return;
    }
    if (this.keeper) this.keeper.stop();
    this.keeper = null;
    fill(this.title, t('first.heading'));
    fill(this.main, this.title, firstRun());
  }

  show() {
    const waited = this.main.querySelector('.first-run');
    if (waited && this.sites.length) {
      waited.seen(this.sites[0]);
      clearTimeout(this.opening);
      this.opening = setTimeout(() => this.view(), 1500);
      return;
    }
    this.view();
  }

  view() {
    const { view, site } = state.get();
    if (!this.bar) return;
    if (this.keeper) this.keeper.stop();
    const { nodes, panels } = build(view, this.session);
    this.keeper = new Keeper(panels, [...nodes.children]);
    this.scene = state.scene();
    fill(this.main, h('div', { class: 'head' }, this.title, ranged(view) && this.ranges), view === 'overview' && this.filters, nodes);
    this.update();
    document.title = [view !== 'sites' && site, t(`view.${view}`), 'ddkk-stats'].filter(Boolean).join(' · ');
    this.keeper.start();
  }

  update() {
    const { view, site } = state.get();
    fill(this.title, view === 'sites' ? t('view.sites') : site || t('view.system'));
    this.tabs.update();
    this.ranges.update();
    this.filters.update();
    this.bar.setSites(this.sites || []);
  }

  changed(names) {
    if (!this.bar) return;
    if (names.includes('view')) this.recall();
    if (!state.get().site && this.sites && this.sites.length && state.get().view !== 'sites') {
      state.set({ site: this.sites[0].site }, true);
      return;
    }
    if (!state.get().site && names.includes('view')) {
      if (['system', 'sites'].includes(state.get().view)) this.view();
      else this.wait();
      return;
    }
    if (!this.keeper || !state.get().site) return;
    if (names.includes('view') || state.scene() !== this.scene || (names.includes('site') && state.get().view === 'system')) this.view();
    else {
      this.update();
      document.title = `${state.get().site} · ${t(`view.${state.get().view}`)} · ddkk-stats`;
      if (names.includes('site')) this.recall();
      this.keeper.changed(names);
    }
    if (names.includes('where') && state.get().where) {
      scrollTo({ top: 0 });
      this.filters.focus({ preventScroll: true });
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.bar || event.target.closest('input, select, textarea, dialog')) return;
    if (this.keys.key(event.key.toLowerCase())) event.preventDefault();
  }

  range(range) {
    if (!this.keeper || !ranged(state.get().view)) return false;
    this.ranges.pick(range);
    return true;
  }

  search() {
    const box = this.main.querySelector('.filter');
    if (box) box.focus();
    return Boolean(box);
  }

  speak(language) {
    const params = new URLSearchParams(location.search);
    params.set('lang', language);
    history.replaceState(null, '', `${location.pathname}?${params}`);
    choose(language);
    this.stop();
    this.turn++;
    if (this.session.admin) this.open();
    else this.login();
    this.root.querySelector('[data-key="language"]').focus();
  }

  async logout() {
    try {
      await send('POST', '/api/admin/logout');
    } catch (error) {
      fill(this.banner, said(error));
      return;
    }
    this.start();
  }
}

startTheme();
choose(new URLSearchParams(location.search).get('lang'));
addEventListener('DOMContentLoaded', () => {
  const root = h('div', { id: 'app' });
  document.body.append(root);
  new Dashboard(root).start();
});
