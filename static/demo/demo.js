// The demo page's own part: its buttons, its navigation without loading, and
// the lines to copy.
(function () {
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
    history.pushState(null, '', link.getAttribute('href'));
    here();
    document.getElementById('article').scrollIntoView();
  });
  window.addEventListener('popstate', here);
  here();

  document.addEventListener('click', function (e) {
    var event = e.target.getAttribute('data-ddkk-event');
    if (event) said.textContent = 'Sent the event ' + event + '.';
  });
  document.getElementById('demo_event').addEventListener('click', function () {
    window.ddkk.event('demo', 'call', 'button', 2);
    said.textContent = 'Sent the event demo.call.button.2.';
  });
  document.getElementById('demo_refresh').addEventListener('click', function () {
    window.ddkk.refresh();
    said.textContent = 'Asked for the numbers again, without counting a view.';
  });

  // Copying puts this server's address and the hash of the frozen version into
  // the lines. Not before: a page should not move while it is read.
  var hash = fetch('/ddkk-stats.json').then(function (r) { return r.json(); })
    .then(function (list) { return list.files['/ddkk-stats.v1.js'].integrity; });
  function complete(code) {
    return hash.then(function (value) {
      code.textContent = code.textContent.split('https://YOUR-HOST').join(location.origin).replace('(see /ddkk-stats.json)', value);
    });
  }
  document.querySelectorAll('.copy').forEach(function (button) {
    button.addEventListener('click', function () {
      var code = button.closest('figure').querySelector('code');
      complete(code).then(function () {
        getSelection().selectAllChildren(code);
        // Without a secure context there is no clipboard: the lines are selected.
        if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent).then(function () { button.textContent = 'Copied'; });
      }).catch(function () { getSelection().selectAllChildren(code); });
    });
  });
})();
