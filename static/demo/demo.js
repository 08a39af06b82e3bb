// The demo page's own part: its buttons, its navigation without loading, the lines
// to copy, and numbers of its own where the daemon does not count this host. It
// runs before the widget.
(function () {
  var words = document.body.dataset;
  var said = document.getElementById('demo_said');
  var first = document.getElementById('title').textContent;

  // The router of a small single-page application.
  function here() {
    var link = document.querySelector('.posts a[href="' + location.pathname + '"]');
    document.getElementById('title').textContent = link ? link.textContent : first;
    document.getElementById('demo_path').textContent = location.pathname;
  }
  document.querySelector('.posts').addEventListener('click', function (e) {
    var link = e.target.closest('a');
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
    e.preventDefault();
    history.pushState(null, '', link.getAttribute('href') + location.search);
    here();
    document.getElementById('article').scrollIntoView();
  });
  window.addEventListener('popstate', here);
  here();

  document.addEventListener('click', function (e) {
    var event = e.target.getAttribute('data-ddkk-event');
    if (event) said.textContent = words.sent.replace('{}', event);
  });
  document.getElementById('demo_event').addEventListener('click', function () {
    window.ddkk.event('demo', 'call', 'button', 2);
    said.textContent = words.sent.replace('{}', 'demo.call.button.2');
  });
  document.getElementById('demo_refresh').addEventListener('click', function () {
    window.ddkk.refresh();
    said.textContent = words.asked;
  });

  // A host that is not in SITES has no numbers. Then this page counts for itself,
  // in this browser, and says so: a demo without numbers shows nothing.
  var ask = window.fetch, counted = {};
  window.fetch = function (url, options) {
    return ask.apply(window, arguments).then(function (answer) {
      if (answer.status !== 403 || !/\/api\/stats$/.test(url)) return answer;
      return answer.clone().json().then(function (told) {
        if (!told.error || told.error.code !== 'site_not_allowed') return answer;
        notice();
        return new Response(JSON.stringify(numbers(JSON.parse(options.body))));
      });
    });
  };

  function recall() {
    try {
      return JSON.parse(localStorage.getItem('ddkk-demo')) || {};
    } catch (e) {
      return {};
    }
  }

  // numbers counts the view that a read names, and answers as the daemon would.
  function numbers(body) {
    var views = recall(), pages = {}, all = 0;
    if (body.view && !counted[body.view]) {
      counted[body.view] = true;
      views[body.page] = (views[body.page] || 0) + 1;
      try {
        localStorage.setItem('ddkk-demo', JSON.stringify(views));
      } catch (e) { /* then the next page begins anew */ }
    }
    var hot = Object.keys(views).map(function (page) { all += views[page]; return { page: page, pv: views[page] }; });
    hot.sort(function (a, b) { return b.pv - a.pv; });
    (body.batch_pages || []).forEach(function (page) { pages[page] = { pv: views[page] || 0, uv: views[page] ? 1 : 0 }; });
    return {
      site_pv: all, site_uv: 1, site_pv_today: all, site_uv_today: 1, page_pv: views[body.page] || 0, page_uv: 1, site_online: 1, pages: pages,
      hot_pages_today: hot, hot_pages_week: hot, hot_pages_month: hot, hot_pages_all: hot,
    };
  }

  function notice() {
    if (document.querySelector('.only')) return;
    var box = document.createElement('p'), close = document.createElement('button');
    box.className = 'only';
    box.setAttribute('role', 'status');
    box.textContent = words.only.replace('{host}', location.hostname) + ' ';
    close.type = 'button';
    close.textContent = words.close;
    close.addEventListener('click', function () { box.hidden = true; });
    box.append(close);
    document.body.append(box);
  }

  // A proxy may keep the dashboard closed; its place stays.
  ask('/admin/', { method: 'HEAD' }).then(function (answer) {
    if (!answer.ok) document.getElementById('demo_admin').classList.add('closed');
  }, function () { /* the link stays */ });

  // The lines have this server's address, and the hash of the version that never changes.
  document.querySelectorAll('pre code').forEach(function (code) {
    code.textContent = code.textContent.split('https://YOUR-HOST').join(location.origin);
  });
  ask('/ddkk-stats.json').then(function (r) { return r.json(); }).then(function (list) {
    document.querySelectorAll('pre code').forEach(function (code) {
      code.textContent = code.textContent.replace('(see /ddkk-stats.json)', list.files['/ddkk-stats.v2.js'].integrity);
    });
  }, function () { /* the lines say where the hash is */ });
  document.querySelectorAll('.copy').forEach(function (button) {
    button.addEventListener('click', function () {
      var code = button.parentNode.querySelector('code');
      getSelection().selectAllChildren(code);
      // Without a secure context there is no clipboard: the lines are selected.
      if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(function () { button.textContent = words.copied; }, function () { /* selected */ });
    });
  });
})();
