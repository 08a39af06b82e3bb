// The widget of ddkk-stats: counts a view of the page with an image request,
// then fills the elements that show numbers. The minified build beside it is
// what is served; `go generate ./static` makes it.
//
// What a page shows comes from strangers (a page's path is anybody's text), so
// everything goes in as textContent and nothing is ever hidden or shown.
(function (win, doc) {
  // pjax and its like run the script again: that is a navigation, if any.
  if (win.__ddkk) return win.__ddkk();

  var script = doc.currentScript || doc.querySelector('script[src*="ddkk-stats"]');
  var option = function (name) { return script.getAttribute('data-' + name); };
  // The server is where the script came from, sub-path included.
  var api = (option('api') || script.src.replace(/\/[^\/]*$/, '')).replace(/\/$/, '');
  var site = option('site') || location.hostname;
  var prefix = option('prefix') || 'ddkk';
  var style = option('style');
  var manual = option('auto') == 'false';
  var scalars = ['site_pv', 'site_uv', 'site_pv_today', 'site_uv_today', 'page_pv', 'page_uv', 'site_online'];
  var periods = ['today', 'week', 'month', 'all'];
  var patience = 5000;

  var flying = []; // images under way; the browser may drop those that nobody holds
  var counted;     // path of the view that was counted last
  var canonical;   // canonical link of that view
  var round = 0;   // answers to earlier rounds are late and dropped
  var timer;

  // Views that the owner does not want: local ones, and the owner's own.
  function excluded() {
    var own;
    try {
      if (location.hash == '#ddkk-ignore') {
        if (localStorage.ddkkIgnore) delete localStorage.ddkkIgnore; else localStorage.ddkkIgnore = 1;
        history.replaceState(history.state, '', location.pathname + location.search);
        console.info('ddkk: own views are ' + (localStorage.ddkkIgnore ? 'ignored' : 'counted'));
      }
      own = localStorage.ddkkIgnore;
    } catch (e) { /* storage is forbidden: then nobody was excluded */ }
    return own || option('allow-local') == null && (location.protocol == 'file:' ||
      /^(localhost|.+\.local(host)?|(127|10|0)(\.\d+){3}|192\.168(\.\d+){2}|172\.(1[6-9]|2\d|3[01])(\.\d+){2}|\[::1?\])$/.test(location.hostname));
  }

  // The page's path: that of its canonical link if it is on this host, and not
  // what a navigation inside the document left behind.
  function page() {
    var link = doc.querySelector('link[rel=canonical]'), bare = /^www\./;
    link = link && link.href;
    if (link && (counted == null || link != canonical || counted == location.pathname)) {
      var url = new URL(link);
      if (url.hostname.replace(bare, '') == location.hostname.replace(bare, '')) return url.pathname;
    }
    return location.pathname;
  }

  function beacon(params, done) {
    var image = new Image(1, 1), query = '';
    var finish = function () {
      flying = flying.filter(function (i) { return i != image; });
      if (done) done();
      done = 0;
    };
    params._ = Date.now().toString(36);
    for (var name in params) {
      if (params[name] != null) query += '&' + name + '=' + encodeURIComponent(params[name]);
    }
    flying.push(image);
    image.onload = image.onerror = finish;
    setTimeout(finish, patience);
    image.src = api + (option('beacon') || '/event.png') + '?site=' + encodeURIComponent(site) + query;
  }

  function post(path, body, use) {
    var now = round, abort = new AbortController();
    setTimeout(function () { abort.abort(); }, patience);
    body.site = site;
    // A string is sent as text/plain, which needs no preflight.
    fetch(api + path, { method: 'POST', body: JSON.stringify(body), credentials: 'omit', signal: abort.signal })
      .then(function (r) { return r.ok && r.json(); })
      .then(function (r) { if (r && now == round) use(r); })
      .catch(function () { /* no numbers: the placeholders stay */ });
  }

  function find(name) { return doc.querySelectorAll('[id="' + name + '"],[class~="' + name + '"]'); }

  function show(element, n) {
    var text = String(n), full = text.replace(/\B(?=(\d{3})+$)/g, ',');
    if (style == 'comma') text = full;
    if (style == 'short' && n > 999) {
      var i = n < 999950 ? 0 : n < 999950000 ? 1 : 2;
      text = +(n / [1e3, 1e6, 1e9][i]).toFixed(1) + 'kMB'[i];
      element.title = full;
    }
    element.textContent = text;
  }

  function list(element, pages) {
    var items = doc.createDocumentFragment(), isList = /^[OU]L$/.test(element.tagName);
    var target = isList ? items : items.appendChild(doc.createElement('ol'));
    pages.slice(0, +element.getAttribute('data-limit') || 10).forEach(function (hot) {
      var item = target.appendChild(doc.createElement('li'));
      // Only a path of this host is a link: "//x" and "/\x" are other hosts.
      var safe = /^\/([^\/\\\s]|$)/.test(hot.page);
      var name = item.appendChild(doc.createElement(safe ? 'a' : 'span'));
      name.textContent = hot.page;
      if (safe) name.href = encodeURI(hot.page).replace(/#/g, '%23');
      item.appendChild(doc.createTextNode(' '));
      show(item.appendChild(doc.createElement('span')), hot.pv);
    });
    element.textContent = '';
    element.appendChild(items);
  }

  // Reads all numbers of the page with one request, and those of its lists in
  // batches. With a view the server waits until it is among the numbers.
  function refresh(view, of) {
    var want = [], limit = 1, names = [], shown = {};
    round++;
    scalars.forEach(function (f) {
      if ((shown[f] = find(prefix + '_value_' + f)).length) want.push(f);
    });
    periods.forEach(function (p) {
      var f = 'hot_pages_' + p;
      (shown[f] = find(prefix + '_' + f)).forEach(function (e) {
        limit = Math.max(limit, Math.min(100, e.getAttribute('data-limit') || 10));
      });
      if (shown[f].length) want.push(f);
    });
    if (want.length) {
      post('/api/stats', { page: of || page(), fields: want, limit: limit, view: view }, function (r) {
        want.forEach(function (f) {
          shown[f].forEach(function (e) { (/^hot/.test(f) ? list : show)(e, r[f]); });
        });
      });
    }
    var rows = doc.querySelectorAll('[data-page-id]');
    rows.forEach(function (e) {
      var id = e.getAttribute('data-page-id');
      if (id && names.indexOf(id) < 0) names.push(id);
    });
    for (var i = 0; i < names.length; i += 20) {
      post('/api/batch', { pages: names.slice(i, i + 20) }, function (r) {
        rows.forEach(function (e) {
          var row = r.pages[e.getAttribute('data-page-id')];
          if (row && row.pv >= 0) show(e, row.pv);
        });
      });
    }
  }

  function count(options) {
    var id = Date.now().toString(36) + Math.random().toString(36).slice(2, 12);
    var of = options && options.page || page();
    canonical = (doc.querySelector('link[rel=canonical]') || {}).href;
    counted = location.pathname;
    beacon({ page: of, id: id }, function () { refresh(id, of); });
  }

  function event(category, action, label, value) {
    beacon({ page: page(), category: category, action: action, label: label, value: value });
  }

  // Counts the view if it is a new one, once somebody sees the page.
  function view() {
    if (doc.prerendering) return doc.addEventListener('prerenderingchange', later, { once: true });
    if (doc.visibilityState == 'hidden') return doc.addEventListener('visibilitychange', later, { once: true });
    if (manual || excluded() || counted == location.pathname) refresh(); else count();
  }

  // One navigation raises several signs; they count as one.
  function later() {
    clearTimeout(timer);
    timer = setTimeout(view, 20);
  }

  win.__ddkk = later;
  win.ddkk = { count: count, refresh: function () { refresh(); }, event: event };
  if (!manual) {
    ['pushState', 'replaceState'].forEach(function (name) {
      var original = history[name];
      history[name] = function () {
        var result = original.apply(this, arguments);
        if (counted != location.pathname) later();
        return result;
      };
    });
    win.addEventListener('popstate', function () { if (counted != location.pathname) later(); });
    win.addEventListener('pageshow', function (e) {
      if (e.persisted) { counted = null; later(); }
    });
  }
  later();
})(window, document);
