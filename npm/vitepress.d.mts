import type { Options } from './names.mjs';
/** A theme that loads the widget, has DdkkValue and DdkkHotPages in every page, and shows
 *  the views behind each document, unless label is ''. */
export function stats<Theme extends object>(theme: Theme, options: { server: string; options?: Options; label?: string }): Theme;
