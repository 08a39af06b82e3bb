// What the owner of the page says: the data-* attributes of the element that
// loads the widget (its <script>, or <meta name="ddkk-stats">).

// The attributes, "" where one is there without a value; where the server is,
// sub-path included; and whose numbers are meant.
export let data, api, site;

// configure takes the address of the script. The server is where the script
// came from, whichever of its paths that was. A module, and a script that a
// loader runs, do not know their element: it is the one with that address.
export function configure(url) {
  const element = document.currentScript || (FULL ? [...document.scripts].find((s) => s.src == url) || document.querySelector('[name=ddkk-stats]') :
    document.querySelector('[src*=ddkk-s]'));
  data = FULL ? element?.dataset || {} : element.dataset;
  const file = FULL && !MODULE ? /(\/busuanzi\/[\d.]+|\/js)?\/[^/?#]*([?#].*)?$/ : /\/[^/?#]*([?#].*)?$/;
  api = (data.api || (FULL ? url : element.src).replace(file, ''))
    .replace(FULL ? /(\/api)?\/?$/ : /\/$/, ''); // soxft/busuanzi has the whole endpoint in data-api
  site = data.site || location.hostname;
}

let said;

// say tells the owner once why nothing is counted, if there is a reason.
export const say = (why) => why && said != why && console.info('ddkk:', said = why);

// log tells all that is done, with data-debug.
export const log = (...what) => data.debug != null && console.info('ddkk:', ...what);

// add makes an element in another one.
export function add(to, tag, text) {
  const element = to.appendChild(document.createElement(tag));
  element.textContent = text;
  return element;
}
