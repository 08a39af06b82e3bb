// The beacon: an image request, which nginx answers and logs by itself.

import { api, option, site } from './options.js';

const flying = new Set(); // images under way; the browser may drop those that nobody holds

// The reader rather sees numbers without the own view than waits longer.
const patience = 2000;

export const token = () => Date.now().toString(36) + Math.random().toString(36).slice(2, 12);

// beacon sends params. done is called once: with true when it arrived or is
// slow, with false when it was blocked.
export function beacon(params, done) {
  const image = new Image(1, 1);
  let query = '?site=' + encodeURIComponent(site);
  const finish = (ok) => {
    if (done) done(ok);
    done = 0;
  };
  params.id = params.id || token();
  for (const name in params) {
    if (params[name] != null) query += '&' + name + '=' + encodeURIComponent(params[name]);
  }
  flying.add(image);
  image.onload = image.onerror = (e) => {
    flying.delete(image);
    finish(e.type == 'load');
  };
  setTimeout(finish, patience, true);
  image.src = api + (option('beacon') || '/event.png') + query;
}
