// What there is to show, and the attributes of the element that the widget fills. One
// place, so that all components take the same properties.

const values = ['site_pv', 'site_uv', 'site_pv_today', 'site_uv_today', 'page_pv', 'page_uv', 'site_online'];
const lists = ['today', 'week', 'month', 'all'];

/** Attributes of the element that shows a number: of this page and its site, or of `page`. */
export function valueAttributes(name = 'page_pv', page) {
  if (page !== undefined) return { 'data-page-id': page };
  if (!values.includes(name)) throw new Error(`ddkk-stats: there is no number "${name}"; there are ${values.join(', ')}`);
  return { class: `ddkk_value_${name}` };
}

/** Attributes of the list of the most viewed pages. */
export function listAttributes(period = 'all', limit) {
  if (!lists.includes(period)) throw new Error(`ddkk-stats: there is no list "${period}"; there are ${lists.join(', ')}`);
  return { class: `ddkk_hot_pages_${period}`, ...(limit === undefined ? {} : { 'data-limit': limit }) };
}

/** Adds the script of a counter to the document, once, whoever asks. */
export function addScript(server, options = {}) {
  if (!globalThis.document) return; // a build renders pages
  const src = server.replace(/\/+$/, '') + '/ddkk-stats.js';
  if ([...document.scripts].some((s) => s.src === new URL(src, location.href).href)) return;
  const script = document.createElement('script');
  script.src = src;
  script.defer = true;
  for (const [name, value] of Object.entries(options)) script.setAttribute('data-' + name, value === true ? '' : value);
  document.head.append(script);
}
