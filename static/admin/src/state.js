// What is looked at is in the URL, so that it can be kept, shared and gone
// back to.
import { ranges, intervals, isDate, span } from './dates.js';

const all = ['overview', 'events', 'calls', 'log', 'system'];

// views are those that the asker may see.
export let views = all;
// changes says whether they may change numbers.
export let changes = true;
const one = (list, first) => (text) => (list.includes(text) ? text : first);
const text = (value) => value || '';
const date = (value) => (isDate(value || '') ? value : '');

// Each name in the URL, and what makes a state of its text.
const names = {
  view: one(['sites', ...all], 'overview'),
  site: text,
  range: one(ranges, '7d'),
  from: date,
  to: date,
  by: one(intervals, ''),
  hot: one(['range', 'today', 'week', 'month', 'all'], 'range'),
  where: text,
  event: text,
  trend: one(['minute', 'hour', 'day'], 'hour'),
  date,
};

// term is a filter as the URL has it, and the API: blanks, percent signs and stars
// of its value are encoded.
export const term = (name, value) => `${name}:${value.replace(/[%\s*]/g, (c) => (c === '*' ? '%2A' : encodeURIComponent(c)))}`;

let state = read();
let today = new Date().toISOString().slice(0, 10);
const listeners = new Set();

function read() {
  const params = new URLSearchParams(location.search);
  // Links of before filters came named a page.
  const page = params.get('page');
  if (page && !params.get('where')) params.set('where', term('page', page));
  return Object.fromEntries(Object.entries(names).map(([name, parse]) => [name, parse(params.get(name))]));
}

export const get = () => state;
// scene names what is on the screen, as far as that decides which panels there are.
export const scene = () => (state.where ? `${state.view}-filtered` : state.view);
export const now = () => today;
export const here = () => span(state.range, today, state.from, state.to);

// asked says whether the URL names what to look at.
export const asked = () => ['site', 'view'].some((name) => new URLSearchParams(location.search).has(name));

// allow takes the views that a session is not for away.
export function allow({ role }) {
  changes = !role || role === 'admin';
  views = role && role !== 'admin' ? all.filter((view) => view !== 'system') : all;
  if (state.view !== 'sites' && !views.includes(state.view)) set({ view: views[0] }, true);
}

// setToday takes the server's date, and says whether it is a new one.
export function setToday(date) {
  const changed = today !== date;
  today = date;
  return changed;
}

// set changes the state and the URL; with replace there is no way back.
export function set(changes, replace) {
  const next = { ...state, ...changes };
  const changed = Object.keys(names).filter((name) => next[name] !== state[name]);
  if (!changed.length) return;
  state = next;
  const params = new URLSearchParams(location.search);
  params.delete('page');
  for (const [name, parse] of Object.entries(names)) {
    if (state[name] === parse(null)) params.delete(name);
    else params.set(name, state[name]);
  }
  const query = params.toString();
  history[replace ? 'replaceState' : 'pushState'](null, '', location.pathname + (query ? `?${query}` : ''));
  tell(changed);
}

// onChange calls f with the names that changed.
export const onChange = (f) => { listeners.add(f); };

const tell = (changed) => listeners.forEach((listener) => listener(changed));

addEventListener('popstate', () => {
  const before = state;
  state = read();
  tell(Object.keys(names).filter((name) => state[name] !== before[name]));
});
