// A loader, as tag managers have it: the widget's element is made by a script.
const widget = document.createElement('script');
widget.src = document.currentScript.getAttribute('data-load');
Object.assign(widget.dataset, { style: 'short', prefix: 'bar', auto: 'false', site: 'count.test', query: '', hash: '' });
document.head.append(widget);
