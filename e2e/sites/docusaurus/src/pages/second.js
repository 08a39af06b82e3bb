import Layout from '@theme/Layout';
import Link from '@docusaurus/Link';
import { Value } from 'ddkk-stats/react';

export default function Page() {
  return <Layout><Link id="next" to="/second">second</Link><p>Views: <Value name="page_pv" /></p></Layout>;
}
