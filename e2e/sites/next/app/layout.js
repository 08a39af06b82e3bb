import { Stats } from './stats';

export default function Layout({ children }) {
  return <html><body><Stats server="COUNTER" />{children}</body></html>;
}
