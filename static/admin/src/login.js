// The login: the token is sent once and not kept.
import { h, fill } from './dom.js';
import { t } from './i18n.js';
import { send } from './api.js';

// loginPage asks for the token and calls done when it was the right one.
export function loginPage(session, done) {
  if (!session.login) {
    return h('main', { class: 'login', id: 'main', tabindex: '-1' }, h('div', { class: 'panel' }, h('h1', null, 'ddkk-stats'), h('p', null, t('login.closed')), h('pre', { tabindex: '0' }, h('code', null, 'ADMIN_TOKEN=…'))));
  }
  const token = h('input', { type: 'password', id: 'token', name: 'token', autocomplete: 'current-password', required: true, autofocus: true, 'aria-describedby': 'login-error' });
  const error = h('p', { class: 'bad', id: 'login-error', role: 'alert' });
  const button = h('button', { type: 'submit' }, t('login.submit'));
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(error);
    try {
      await send('POST', '/api/admin/login', { token: token.value });
      done();
    } catch (failure) {
      fill(error, failure.status === 429 ? t('error.wait', { n: failure.wait }) : failure.status === 401 ? t('login.wrong') : failure.status === 0 ? t('error.offline') : failure.message);
      token.value = '';
      token.focus();
    }
    button.disabled = false;
  }
  return h('main', { class: 'login', id: 'main', tabindex: '-1' }, h('form', { class: 'panel', method: 'post', onsubmit: submit },
    h('h1', null, h('img', { src: '/admin/icon.svg', alt: '', width: '28', height: '28' }), 'ddkk-stats'),
    h('label', { for: 'token' }, t('login.token')), token, error, button, h('p', { class: 'note' }, t('login.hint'))));
}
