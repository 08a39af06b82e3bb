// Devices of the humans, and the bots beside them.
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { makePanel, empty } from '../panel.js';
import { nameList, share } from '../names.js';
import { by, explore, others } from '../where.js';
import { loadSummary } from './figures.js';

async function load() {
  const where = others('device');
  if (!where) {
    const { current, stale } = await loadSummary();
    return { pc: current.pc, mobile: current.mobile, bots: current.bot, all: current.pv + current.bot, stale };
  }
  const { rows, stale } = await explore('device', where, 10);
  const of = (name) => rows.find((row) => row.name === name)?.pv || 0;
  return { pc: of('pc'), mobile: of('mobile'), stale };
}

const rows = (data) => [
  { key: 'pc', n: data.pc, of: data.pc + data.mobile, color: '--accent', ...by('device', 'pc') },
  { key: 'mobile', n: data.mobile, of: data.pc + data.mobile, color: '--second', ...by('device', 'mobile') },
  data.bots != null && { key: 'bots', n: data.bots, of: data.all, color: '--bot', ...by('bot', 'yes') },
].filter(Boolean);

export function devicesPanel() {
  const list = nameList({ label: t('devices.title'), unit: t('unit.views') });
  return makePanel({
    name: 'devices', title: t('devices.title'), uses: ['site', 'range', 'from', 'to', 'where'], every: 60, load,
    show(data) {
      if (!data.pc && !data.mobile && !data.bots) return empty(t('pages.none'));
      return [
        list(rows(data).map((row) => ({ ...row, text: t(`devices.${row.key}`), note: share(row.n, row.of) }))),
        data.bots != null && h('p', { class: 'note' }, t('devices.note')),
      ];
    },
    table: (data) => ({ columns: ['device', 'views'], rows: rows(data).map((row) => [row.key, row.n]) }),
  });
}
