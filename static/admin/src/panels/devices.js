// Devices of the humans, and the bots beside them.
import { h } from '../dom.js';
import { t } from '../i18n.js';
import { makePanel, empty } from '../panel.js';
import { bars, share } from '../lists.js';
import { loadSummary } from './figures.js';

export function devicesPanel() {
  const rows = ({ current }) => [
    { key: 'pc', n: current.pc, of: current.pc + current.mobile, color: '--accent' },
    { key: 'mobile', n: current.mobile, of: current.pc + current.mobile, color: '--second' },
    { key: 'bots', n: current.bot, of: current.pv + current.bot, color: '--bot' },
  ];
  return makePanel({
    name: 'devices', title: t('devices.title'), uses: ['site', 'range', 'from', 'to'], every: 60, load: loadSummary,
    show(data) {
      if (!data.current.pv && !data.current.bot) return empty(t('pages.none'));
      return [
        bars(rows(data).map((row) => ({ ...row, text: t(`devices.${row.key}`), more: share(row.n, row.of) })), t('devices.title'), t('unit.views')),
        h('p', { class: 'note' }, t('devices.note')),
      ];
    },
    table: (data) => ({ columns: ['device', 'views'], rows: rows(data).map((row) => [row.key, row.n]) }),
  });
}
