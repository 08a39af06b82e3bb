import type { ReactElement } from 'react';
import type { Options, Period, ValueName } from './names.mjs';
export function Stats(props: { server: string; options?: Options }): null;
export function Value(props: { name?: ValueName; page?: string; placeholder?: string }): ReactElement;
export function HotPages(props: { period?: Period; limit?: number }): ReactElement;
