// The module for bundlers and for <script type="module">. It takes its options
// from <meta name="ddkk-stats" data-api="https://count.example.com">; loaded
// from the server itself it needs none. In place of the npm package
// busuanzi.pure.js it is told of navigations by fetch(). Where there is no
// document (a build renders pages), nothing happens.

import { start } from './navigation.js';

const browser = typeof document != 'undefined';
if (browser) start(document.querySelector('meta[name=ddkk-stats]'), import.meta.url);

export const fetch = () => { if (browser) window.__ddkk(); };
export const count = (options) => { if (browser) window.ddkk.count(options); };
export const refresh = () => { if (browser) window.ddkk.refresh(); };
export const event = (...levels) => { if (browser) window.ddkk.event(...levels); };
export default { fetch, count, refresh, event };
