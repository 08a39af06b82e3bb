// The script that pages load.

import { start } from './navigation.js';

const script = document.currentScript || document.querySelector('script[src*="ddkk-stats"],meta[name=ddkk-stats]') || {};
start(script.getAttribute && script, script.src || '');
