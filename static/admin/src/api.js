// Requests to the daemon.

// ApiError is an answer that is no success: its status, code and message.
// Status 0 means that there was no answer.
export class ApiError extends Error {
  constructor(status, code, message, wait) {
    super(message);
    this.status = status;
    this.code = code;
    this.wait = wait; // seconds, of 429
  }
}

let refused = () => {};

// onRefused sets what happens when the session is over.
export const onRefused = (f) => { refused = f; };

const flying = new Map();

// get asks once when several want to know the same at the same time.
export function get(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params || {})) if (value !== '' && value != null) query.set(name, value);
  const text = query.toString();
  const url = text ? `${path}?${text}` : path;
  if (!flying.has(url)) flying.set(url, send('GET', url).finally(() => flying.delete(url)));
  return flying.get(url);
}

export async function send(method, url, body) {
  let response;
  const headers = { 'X-Ddkk-Admin': '1' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  try {
    response = await fetch(url, { method, headers, cache: 'no-store', body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new ApiError(0, 'offline', '');
  }
  const text = await response.text();
  let data = null;
  try {
    data = text ? JSON.parse(text) : null;
  } catch {
    if (response.ok) throw new ApiError(response.status, 'no_json', '');
  }
  if (response.ok) {
    if (data && response.headers.get('X-Stale')) Object.defineProperty(data, 'stale', { value: true });
    return data;
  }
  const error = (data && data.error) || {};
  const failure = new ApiError(response.status, error.code || '', error.message || '', Number(response.headers.get('Retry-After')));
  if (response.status === 401 && url !== '/api/admin/login') refused();
  throw failure;
}
