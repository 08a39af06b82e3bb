import type { Options } from './names.mjs';
export default function ddkkStats(context: unknown, options: { server: string; options?: Options }): { name: string };
