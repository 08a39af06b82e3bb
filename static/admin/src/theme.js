// Light, dark, or as the system is.
import { recall, remember } from './memory.js';

export const themes = ['auto', 'light', 'dark'];
const root = document.documentElement;
const system = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set();

export const theme = () => root.getAttribute('data-theme') || 'auto';

export function setTheme(name) {
  remember('theme', name);
  apply(name);
  listeners.forEach((listener) => listener());
}

function apply(name) {
  if (name === 'light' || name === 'dark') root.setAttribute('data-theme', name);
  else root.removeAttribute('data-theme');
}

// onTheme calls f when colours change, until the function that it returns is
// called.
export function onTheme(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

// color is the value of a custom property now.
export const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

export function startTheme() {
  apply(recall('theme'));
  const tell = () => listeners.forEach((listener) => listener());
  system.addEventListener('change', tell);
  // Paper is light.
  addEventListener('beforeprint', () => { apply('light'); tell(); });
  addEventListener('afterprint', () => { apply(recall('theme')); tell(); });
}
