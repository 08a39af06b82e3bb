import Link from 'next/link';
import { Value } from '../stats';

export default function Page() {
  return <main><Link id="next" href="/second/">second</Link><p>Views: <Value name="page_pv" /></p></main>;
}
