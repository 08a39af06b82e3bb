export default { title: 'Site', cleanUrls: true }
