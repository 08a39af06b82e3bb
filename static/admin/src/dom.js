// Elements, made by DOM calls only: paths, referrers and events are texts of
// strangers and never become markup. Styles are set through CSSOM, which a
// strict policy allows.

// h makes an element. Names that begin with "on" are listeners, `vars` are
// custom properties, null and false leave a name or a child out.
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) set(element, name, value);
  element.append(...flat(children));
  return element;
}

function set(element, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
  else if (name === 'vars') for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
  else if (name === 'value' || name === 'checked') element[name] = value;
  else element.setAttribute(name, value === true ? '' : value);
}

function flat(children) {
  return children.flat(3).filter((child) => child != null && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

// fill replaces what an element holds, and keeps the focus on what bears the
// same data-key.
export function fill(element, ...children) {
  const active = document.activeElement;
  const key = element.contains(active) && active.getAttribute('data-key');
  element.replaceChildren(...flat(children));
  if (key) [...element.querySelectorAll('[data-key]')].find((other) => other.getAttribute('data-key') === key)?.focus();
}

let last = 0;

// unique is an id that no other element has.
export const unique = (prefix) => `${prefix}-${++last}`;

const shapes = {
  up: 'M3 9l4-4 4 4', down: 'M3 5l4 4 4-4', same: 'M3 7h8',
};

// picture is a small one of a single path.
function picture(kind, box, d) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const path = document.createElementNS(ns, 'path');
  svg.setAttribute('viewBox', box);
  svg.setAttribute('class', kind);
  path.setAttribute('d', d);
  svg.append(path);
  return svg;
}

// arrow is a small picture that says nothing to a screen reader.
export function arrow(name) {
  const svg = picture('arrow', '0 0 14 14', shapes[name]);
  svg.setAttribute('aria-hidden', 'true');
  return svg;
}

// line is a small picture of numbers, whose highest touches the top.
export function line(values, label) {
  const most = Math.max(1, ...values);
  const step = values.length > 1 ? 100 / (values.length - 1) : 0;
  const svg = picture('line', '0 0 100 24', values.map((v, i) => `${i ? 'L' : 'M'}${(i * step).toFixed(1)} ${(23 - (22 * v) / most).toFixed(1)}`).join(''));
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  svg.setAttribute('preserveAspectRatio', 'none');
  return svg;
}

// hidden is a text for screen readers only.
export const hidden = (text) => h('span', { class: 'visually-hidden' }, text);
