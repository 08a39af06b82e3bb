'use client';
export { Stats, Value } from 'ddkk-stats/react';
