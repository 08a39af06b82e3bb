hexo.extend.injector.register('head_end', '<script defer src="COUNTER/ddkk-stats.js"></script>');
