// Whose views are not wanted.

import { add, data, say } from './options.js';

// excluded says why no view is counted, if so: local pages, frames that do not
// ask for it, the owner.
export function excluded() {
  let why = data.allowLocal == null &&
    /^(|(.+\.)?local(host)?|(127|10|0|192\.168|172\.(1[6-9]|2\d|3[01]))(\.\d+)+|\[::1?\])$/.test(location.hostname) && 'local';
  try {
    // A frame on another host's page throws, and is a reader; so does storage
    // that is forbidden, and then nobody was excluded.
    why = self != top && top.document && data.frame == null ? 'frame' : localStorage.ddkkIgnore ? 'ignored' : why;
  } catch { /* as above */ }
  say(why && 'not counted: ' + why);
  return why;
}

// toggle lets the owner exclude this browser by opening PAGE#ddkk-ignore, or by
// typing that behind an open page, and include it again the same way.
export function toggle() {
  let own;
  if (location.hash != '#ddkk-ignore') return;
  try {
    own = localStorage.ddkkIgnore = localStorage.ddkkIgnore ? '' : 1;
  } catch { /* as above */ }
  location.hash = '';
  const text = 'Your views: ' + (own ? 'ignored' : 'counted');
  if (FULL) {
    const notice = add(document.body, 'dialog', text);
    notice.showModal();
    setTimeout(() => notice.remove(), 4000);
  } else alert(text);
}
