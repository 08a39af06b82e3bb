// Tables as files.
import { h } from './dom.js';

// A cell that begins so would be a formula in a spreadsheet: a visitor's path
// could run one on the admin's machine.
const formula = /^[=+\-@|＝＋－＠\t\r\n]/;

function cell(value) {
  if (value == null) return '';
  let text = String(value);
  if (typeof value !== 'number' && formula.test(text)) text = `'${text}`;
  return /[",;\t\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

// csv is a table as RFC 4180 has it; the mark at its beginning tells
// spreadsheets that it is UTF-8.
export function csv(columns, rows) {
  return `\uFEFF${[columns, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

// json is the same as an array of objects.
export function json(columns, rows) {
  return `${JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null]))), null, 2)}\n`;
}

export function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h('a', { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10e3);
}
