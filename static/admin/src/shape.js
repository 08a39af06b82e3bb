// The place that a panel keeps until it has something to show. What it showed last
// time tells how high it will be, so that nothing moves when it comes.
import { h } from './dom.js';
import { recall, remember } from './memory.js';

const parts = { tiles: 7, rows: 10, table: 8, chart: 1, text: 3 };

// skeleton is the likeness of tiles, rows, a table, a chart or a text.
export const skeleton = (shape = 'text', height = 0) => h('div', { class: `skeleton skeleton-${shape}`, 'aria-hidden': 'true', vars: height ? { '--known': `${height}px` } : null },
  Array.from({ length: parts[shape] }, () => h('i')));

// Heights hold for a scene, and for a width of the window.
const place = (scene) => `heights-${scene}-${innerWidth}`;

// heightsOf are those of last time, by the panel's name; 0: it was not shown.
export function heightsOf(scene) {
  try {
    return JSON.parse(recall(place(scene))) || {};
  } catch {
    return {};
  }
}

// keepHeights remembers those of panels that are shown now.
export function keepHeights(scene, panels) {
  const heights = heightsOf(scene);
  for (const { name, node } of panels) {
    if (node.querySelector('.skeleton') || !node.isConnected) continue;
    heights[name] = Math.round(node.querySelector('.panel-body').getBoundingClientRect().height);
  }
  remember(place(scene), JSON.stringify(heights));
}

// wide says that the window has room for figures and charts in one line each: then
// they are as high as their skeletons.
export const wide = () => innerWidth >= 1200;
