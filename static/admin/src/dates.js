// Dates are texts such as 2026-11-22, in the server's zone. Calculating with
// them goes by UTC, in which every day has 24 hours.

export const ranges = ['today', 'yesterday', '7d', '30d', 'month', 'year', 'custom'];
export const intervals = ['hour', 'day', 'week', 'month'];

const dayLength = 864e5;
const parse = (date) => Date.parse(`${date}T00:00:00Z`);

export const isDate = (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !isNaN(parse(text)) && new Date(parse(text)).toISOString().startsWith(text);
export const addDays = (date, n) => new Date(parse(date) + n * dayLength).toISOString().slice(0, 10);
export const daysBetween = (from, to) => Math.round((parse(to) - parse(from)) / dayLength) + 1;
// weekdayOf is 0 for Monday.
export const weekdayOf = (date) => (new Date(parse(date)).getUTCDay() + 6) % 7;

// span is the first and last day of a range.
export function span(range, today, from, to) {
  switch (range) {
    case 'today': return { from: today, to: today };
    case 'yesterday': return { from: addDays(today, -1), to: addDays(today, -1) };
    case '30d': return { from: addDays(today, -29), to: today };
    case 'month': return { from: `${today.slice(0, 7)}-01`, to: today };
    case 'year': return { from: `${today.slice(0, 4)}-01-01`, to: today };
    case 'custom':
      if (isDate(from) && isDate(to) && from <= to) return { from, to };
  }
  return { from: addDays(today, -6), to: today };
}

// before is the span of equal length before another.
export function before({ from, to }) {
  const n = daysBetween(from, to);
  return { from: addDays(from, -n), to: addDays(from, -1) };
}

// possible are the intervals that a span can be shown in, the best one first.
export function possible({ from, to }) {
  const n = daysBetween(from, to);
  const fit = intervals.filter((by) => (by === 'hour' ? n <= 31 : by === 'day' ? n <= 732 && n > 1 : by === 'week' ? n > 7 : n > 31));
  const best = n <= 2 ? 'hour' : n <= 92 ? 'day' : n <= 370 ? 'week' : 'month';
  return { fit, best };
}

// weekStart is the Monday of a name such as 2026-W47 (ISO 8601).
export function weekStart(name) {
  const [year, week] = name.split('-W').map(Number);
  const fourth = `${year}-01-04`; // is always in week 1
  return addDays(fourth, (week - 1) * 7 - weekdayOf(fourth));
}
