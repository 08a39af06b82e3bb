// What this browser remembers: language and theme. Where it may not keep
// anything, nothing is remembered.
const prefix = 'ddkk-admin-';

export function recall(name) {
  try {
    return localStorage.getItem(prefix + name) || '';
  } catch {
    return '';
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    return false;
  }
  return true;
}
