// What the overview is filtered by: "page:/hello referrer:news.example" in the
// URL, at most one value of a name.
import { get } from './api.js';
import * as state from './state.js';
import { facets, term as facetTerm } from './facets.js';
import { addDays, daysBetween } from './dates.js';

function decode(value) {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

// terms are the filters as [name, value].
export const terms = () => state.get().where.split(' ').filter((term) => term.includes(':')).map((term) => {
  const at = term.indexOf(':');
  return [term.slice(0, at), decode(term.slice(at + 1))];
});

export const filtered = () => terms().length > 0;
export const valueOf = (name) => terms().find(([other]) => other === name)?.[1];

const write = (list) => state.set({ where: list.map(([name, value]) => state.term(name, value)).join(' ') });

// without takes the filter of a name away; clear takes all.
export const without = (name) => write(terms().filter(([other]) => other !== name));
export const clear = () => state.set({ where: '' });

// toggle is what a click on a name does: it filters by it, or no longer does.
export function toggle(name, value) {
  const rest = terms().filter(([other]) => other !== name);
  write(valueOf(name) === value ? rest : [...rest, [name, value]]);
}

// What single views can be looked up by; other names are without a click: a filter that
// nothing can answer would empty the overview.
const lookedUp = ['page', 'referrer', 'device', 'bot', 'event', ...facets.map(facetTerm)];

// by is the click and its state, for an item of a list of names.
export const by = (name, value) => (lookedUp.includes(name) ? { click: () => toggle(name, value), pressed: valueOf(name) === value } : {});

// others are the filters but those of a name: a list that is filtered by itself
// would have one row, and nothing else to choose.
export const others = (name) => state.get().where.split(' ').filter((term) => term && !term.startsWith(`${name}:`)).join(' ');

// explore asks for the views that filters leave, by a name.
export const explore = (name, where, limit, span = state.here()) => get('/api/admin/explore', { site: state.get().site, ...span, by: name, where, limit });

// onlyPage is the page, where that is the only filter: its days are counted, and
// need not be looked up.
export const onlyPage = () => (terms().length === 1 ? valueOf('page') : undefined);

// filteredDays are the views of each day of a span: {date, pv, uv}.
export async function filteredDays(span) {
  const page = onlyPage();
  if (page !== undefined) {
    const { history, stale } = await get('/api/history', { site: state.get().site, page, ...span, interval: 'day' });
    return { days: history, stale };
  }
  const { rows, complete, stale } = await explore('day', state.get().where, daysBetween(span.from, span.to), span);
  const found = new Map(rows.map((row) => [row.name, row]));
  return { days: Array.from({ length: daysBetween(span.from, span.to) }, (x, i) => addDays(span.from, i)).map((date) => ({ date, pv: found.get(date)?.pv || 0, uv: found.get(date)?.uv ?? null })), complete, stale };
}
