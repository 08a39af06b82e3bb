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
import { blockedPagesPanel, blockedPanel, crawlersPanel, downloadsPanel, feedsPanel, notFoundPanel, requestsPanel } from './panels/log.js';
import { healthPanel } from './panels/health.js';
import { verifyPanel, restorePanel } from './panels/repair.js';
import { baselinesPanel } from './panels/baselines.js';
import { voidsPanel } from './panels/voids.js';
import { sitesPanel } from './panels/sites.js';
import { installPanel } from './panels/install.js';
import { facetPanels } from './panels/facet.js';
import { uniquesPanels } from './panels/uniques.js';
import { filtered } from './where.js';
import { h } from './dom.js';

const views = {
  sites: [sitesPanel],
  overview: [figuresPanel, seriesPanel, minutesPanel, pagesPanel, referrersPanel, heatPanel, devicesPanel, ...uniquesPanels, ...facetPanels, tailPanel],
  events: [eventsPanel, eventDaysPanel],
  calls: [overviewPanel, trendPanel, reportPanel],
  log: [requestsPanel, crawlersPanel, notFoundPanel, feedsPanel, downloadsPanel, blockedPanel, blockedPagesPanel],
  system: [healthPanel, verifyPanel, restorePanel, baselinesPanel, voidsPanel],
};

// unfiltered are the panels of the overview that know the whole site only.
const unfiltered = [minutesPanel, heatPanel];

// ranged says whether a view shows a range of days.
export const ranged = (view) => view === 'overview' || view === 'events' || view === 'log';

// stacked puts the devices below the referrers, beside the longer list of pages.
function stacked(panels) {
  const [top, below] = ['referrers', 'devices'].map((name) => panels.find((panel) => panel.name === name));
  return top ? panels.map((panel) => (panel === top ? [top, below] : panel)).filter((panel) => panel !== below) : panels;
}

// build makes the panels of a view.
export function build(view, session) {
  const { site } = state.get();
  // Before the first view there is no site to verify or to restore.
  const whole = site || view === 'sites' ? views[view] : [healthPanel, baselinesPanel];
  // How the daemon is concerns those alone who have all of its sites.
  const some = session.role && session.sites.length > 0;
  const list = some && view === 'system' ? [baselinesPanel, voidsPanel] : whole;
  const panels = list.filter((make) => (!filtered() || !unfiltered.includes(make)) && (!make.counted || make.counted(session))).map((make) => make());
  const nodes = stacked(panels).map((part) => (part.node ? part.node : h('div', { class: 'stack' }, part.map((panel) => panel.node))));
  if (view === 'system' && !some) nodes.push(installPanel(session, site));
  return { panels, nodes: h('div', { class: `panels view-${view}`, 'data-filtered': filtered() }, nodes) };
}
