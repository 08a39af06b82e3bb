/** Tells the widget that the reader may have come to another page: counts a
 *  view if it is one, and fills the elements. What busuanzi.pure.js exports. */
export function fetch(): void;

/** Counts a view now, of the given page or the one that is shown. */
export function count(options?: { page?: string }): void;

/** Reads the numbers again, without counting. */
export function refresh(): void;

/** Sends an event: category[.action[.label[.value]]]. */
export function event(category: string, action?: string, label?: string, value?: string | number): void;

declare const ddkk: {
  fetch: typeof fetch;
  count: typeof count;
  refresh: typeof refresh;
  event: typeof event;
};
export default ddkk;

declare global {
  interface Window {
    ddkk?: Pick<typeof ddkk, 'count' | 'refresh' | 'event'>;
  }
}
