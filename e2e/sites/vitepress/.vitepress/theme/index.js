import DefaultTheme from 'vitepress/theme'
import { stats } from 'ddkk-stats/vitepress'
export default stats(DefaultTheme, { server: 'COUNTER' })
