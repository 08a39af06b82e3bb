// Components for React, Next and Docusaurus. The element is React's, the number in it
// the widget's: React renders it once and never again, so it does not wipe the number.
import { createElement, memo, useEffect } from 'react';
import { addScript, listAttributes, valueAttributes } from './names.mjs';

const props = ({ class: className, ...rest }) => ({ ...(className && { className }), ...rest });

/** Loads the widget; once in the layout. */
export function Stats({ server, options }) {
  useEffect(() => addScript(server, options), [server]);
  return null;
}

/** A number: <Value name="page_pv" />, <Value page="/hello" />. */
export const Value = memo(function Value({ name, page, placeholder = '—' }) {
  return createElement('span', { ...props(valueAttributes(name, page)), suppressHydrationWarning: true }, placeholder);
});

/** The most viewed pages: <HotPages period="week" limit={5} />. */
export const HotPages = memo(function HotPages({ period, limit }) {
  return createElement('div', { ...props(listAttributes(period, limit)), suppressHydrationWarning: true });
});
