// Which panels a view has.
import * as state from './state.js';
import { figuresPanel } from './panels/figures.js';
import { seriesPanel } from './panels/series.js';
import { minutesPanel } from './panels/minutes.js';
import { pagesPanel } from './panels/pages.js';
import { referrersPanel } from './panels/referrers.js';
import { heatPanel } from './panels/heat.js';
import { devicesPanel } from './panels/devices.js';
import { tailPanel } from './panels/tail.js';
import { eventsPanel, eventDaysPanel } from './panels/events.js';
import { overviewPanel, trendPanel, reportPanel } from './panels/calls.js';
import { healthPanel } from './panels/health.js';
import { verifyPanel, restorePanel } from './panels/repair.js';
import { baselinesPanel } from './panels/baselines.js';
import { installPanel } from './panels/install.js';
import { h } from './dom.js';

const views = {
  overview: [figuresPanel, seriesPanel, minutesPanel, pagesPanel, referrersPanel, heatPanel, devicesPanel, tailPanel],
  events: [eventsPanel, eventDaysPanel],
  calls: [overviewPanel, trendPanel, reportPanel],
  system: [healthPanel, verifyPanel, restorePanel, baselinesPanel],
};

// ranged says whether a view shows a range of days.
export const ranged = (view) => view === 'overview' || view === 'events';

// build makes the panels of a view.
export function build(view, session) {
  const { site } = state.get();
  // Before the first view there is no site to verify or to restore.
  const panels = (site ? views[view] : [healthPanel, baselinesPanel]).map((make) => make());
  const nodes = panels.map((panel) => panel.node);
  if (view === 'system') nodes.push(installPanel(session, site));
  return { panels, nodes: h('div', { class: `panels view-${view}` }, nodes) };
}
