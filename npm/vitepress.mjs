// For VitePress: the widget, the components in every page, and the number of views behind
// each document.
//
//   // .vitepress/theme/index.js
//   import DefaultTheme from 'vitepress/theme'
//   import { stats } from 'ddkk-stats/vitepress'
//   export default stats(DefaultTheme, { server: 'https://count.ddkk.com' })
import { h } from 'vue';
import { addScript } from './names.mjs';
import { HotPages, Value } from './vue.mjs';

export function stats(theme, { server, options, label = 'Views: ' }) {
  const Layout = theme.Layout ?? theme.extends?.Layout;
  return {
    ...theme,
    extends: theme.extends ?? theme,
    Layout: Layout && (() => h(Layout, null, label ? { 'doc-after': () => h('p', { class: 'ddkk-stats' }, [label, h(Value)]) } : {})),
    enhanceApp(context) {
      theme.enhanceApp?.(context);
      context.app.component('DdkkValue', Value).component('DdkkHotPages', HotPages);
      addScript(server, options);
    },
  };
}
