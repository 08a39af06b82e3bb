module.exports = {
  title: 'Site', url: 'http://docusaurus.test', baseUrl: '/',
  presets: [['classic', { docs: false, blog: false }]],
  plugins: [['ddkk-stats/docusaurus', { server: 'COUNTER' }]],
};
