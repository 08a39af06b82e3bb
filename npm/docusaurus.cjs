// A plugin for Docusaurus: the script is in the head of every page.
//
//   // docusaurus.config.js
//   plugins: [['ddkk-stats/docusaurus', { server: 'https://count.ddkk.com' }]]
//
// Numbers are React's: import { Value } from 'ddkk-stats/react'.
module.exports = function ddkkStats(context, { server, options = {} }) {
  if (!server) throw new Error('ddkk-stats: say where the counter is: { server: "https://count.example.com" }');
  const attributes = { defer: true, src: server.replace(/\/+$/, '') + '/ddkk-stats.js' };
  for (const [name, value] of Object.entries(options)) attributes['data-' + name] = value;
  return { name: 'ddkk-stats', injectHtmlTags: () => ({ headTags: [{ tagName: 'script', attributes }] }) };
};
