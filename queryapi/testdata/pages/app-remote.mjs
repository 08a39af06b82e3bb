// The router of VitePress: the address first, then the page, then the hook.
import * as busuanzi from 'COUNT/ddkk-stats.mjs';
const router = { onAfterRouteChanged: () => busuanzi.fetch() };
window.busuanzi = busuanzi;
window.go = async (to) => {
  history.pushState({}, '', to);
  await new Promise(loaded => setTimeout(loaded, 60));
  document.getElementById('main').innerHTML = '<b id="at">' + location.pathname + '</b><span id="busuanzi_value_page_pv"></span>';
  router.onAfterRouteChanged();
};
router.onAfterRouteChanged();
