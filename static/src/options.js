// What the owner of the page says: the data-* attributes of the element that
// loads the widget (its <script>, or <meta name="ddkk-stats"> with the module).

let source;

// Where the server is, sub-path included, and whose numbers are meant.
export let api, site;

export const option = (name) => source && source.getAttribute('data-' + name);

// configure takes the element and the address of the script. The server is
// where the script came from, whichever of its paths that was.
export function configure(element, url) {
  source = element;
  const file = FULL ? /(\/busuanzi\/[\d.]+|\/js(?=\/(lite|jsonp)))?\/[^/]*$/ : /\/[^/]*$/;
  api = (option('api') || url.replace(/[?#].*/, '').replace(file, ''))
    .replace(FULL ? /(\/api)?\/?$/ : /\/$/, ''); // soxft/busuanzi has the whole endpoint in data-api
  site = option('site') || location.hostname;
}
