// The script that pages load.

import { start } from './navigation.js';

// Without document.currentScript (a module, import(), some loaders) the stack
// of an error knows the file.
const script = FULL && document.currentScript;
start(!FULL ? '' : script ? script.src : /https?:[^\s)]*?(?=:\d+:\d)/.exec(Error().stack)?.[0] || '');
