export type ValueName = 'site_pv' | 'site_uv' | 'site_pv_today' | 'site_uv_today' | 'page_pv' | 'page_uv' | 'site_online';
export type Period = 'today' | 'week' | 'month' | 'all';
/** Attributes of the script tag without data-, such as { style: 'comma', site: 'ddkk.com' }. */
export type Options = Record<string, string | true>;
export function valueAttributes(name?: ValueName, page?: string): Record<string, string>;
export function listAttributes(period?: Period, limit?: number): Record<string, string | number>;
export function addScript(server: string, options?: Options): void;
