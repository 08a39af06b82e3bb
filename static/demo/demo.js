// The buttons of the demo page.
(function () {
  var said = document.getElementById('demo_said');
  function say(text) { said.textContent = text; }
  function here() { say('You are on ' + location.pathname + '.'); }

  document.getElementById('demo_event').addEventListener('click', function () {
    window.ddkk.event('demo', 'click', 'button', 1);
    say('Sent the event demo.click.button.1.');
  });
  document.getElementById('demo_refresh').addEventListener('click', function () {
    window.ddkk.refresh();
    say('Asked for the numbers again, without counting a view.');
  });
  document.querySelectorAll('.demo_go').forEach(function (button) {
    button.addEventListener('click', function () {
      history.pushState(null, '', button.getAttribute('data-to'));
      here();
    });
  });
  window.addEventListener('popstate', here);
  here();
})();
