// The script that pages load.

import { start } from './navigation.js';

// Without document.currentScript (a module, import(), some loaders) the stack
// of an error knows the file.
start(!FULL ? '' : document.currentScript?.src ?? (/https?:[^\s)]*?(?=:\d+:\d)/.exec(Error().stack)?.[0] || ''));
