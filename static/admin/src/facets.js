// What views are counted by beside their pages: the facets' names, and how the reader's
// language writes what they are of.
import { t, current } from './i18n.js';

export const facets = ['country', 'browser', 'os', 'device', 'language', 'screen', 'channel', 'campaign'];

// term is a facet's name in filters: device there is what counts as pc or mobile.
export const term = (facet) => (facet === 'device' ? 'device_type' : facet);

const byTerm = Object.fromEntries(facets.map((facet) => [term(facet), facet]));
export const facetOf = (name) => byTerm[name];

// Names that the browser knows in the reader's language, and those that are ours.
const kinds = { country: 'region', language: 'language' };
const ours = { channel: /^(direct|internal|referral|search|social|ai|mail|ads|campaign)$/, device: /^(desktop|phone|tablet|tv|other)$/ };

export function written(facet, name) {
  if (!name) return t('facet.none');
  if (ours[facet]?.test(name)) return t(`${facet}.${name}`);
  if (!kinds[facet]) return name;
  try {
    return new Intl.DisplayNames(current(), { type: kinds[facet] }).of(name);
  } catch {
    return name; // no code
  }
}
