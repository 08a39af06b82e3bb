// The module for bundlers and for <script type="module">. Bundled, it takes its
// options from <meta name="ddkk-stats" data-api="https://count.example.com">;
// loaded from the server itself it needs none. In place of the npm package
// busuanzi.pure.js it is told of navigations by fetch(). Where there is no
// document (a build renders pages), nothing happens.

import { start } from './navigation.js';

if (globalThis.document) start(import.meta.url);

const call = (name) => (...args) => globalThis.ddkk?.[name](...args);
export const fetch = call('fetch'), count = call('count'), refresh = call('refresh'), event = call('event');
export default { fetch, count, refresh, event };
