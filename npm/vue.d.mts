import type { DefineComponent } from 'vue';
import type { Options, Period, ValueName } from './names.mjs';
export const Stats: DefineComponent<{ server: string; options?: Options }>;
export const Value: DefineComponent<{ name?: ValueName; page?: string; placeholder?: string }>;
export const HotPages: DefineComponent<{ period?: Period; limit?: number }>;
