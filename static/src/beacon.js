// The beacon: an image request, which nginx answers and logs by itself.

import { api, data, log, site } from './options.js';

// beacon sends params and returns the id that they got. done is called when they
// arrived, when they were blocked (with an event "error"), and after two seconds:
// the reader rather sees numbers without the own view than waits longer.
export function beacon(params, done) {
  const query = new URLSearchParams({ site }), image = new Image();
  params.id = (Math.random() + '').slice(2) + Date.now();
  for (const name in params) if (params[name] != null) query.set(name, params[name]);
  if (FULL) log(params);
  if (done) {
    image.onload = image.onerror = done;
    setTimeout(done, 2000, image);
  }
  // A service worker that keeps what it cannot look into pays megabytes for it.
  image.crossOrigin = '';
  image.src = api + (data.beacon || '/event.png') + '?' + query;
  return params.id;
}
