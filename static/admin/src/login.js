// The login: the token is sent once and not kept.
import { h, fill } from './dom.js';
import { t } from './i18n.js';
import { send } from './api.js';

// passwordPage asks for the password of a link and calls done when it was right.
export function passwordPage(token, done) {
  const password = h('input', { type: 'password', id: 'password', name: 'password', autocomplete: 'off', required: true, autofocus: true, 'aria-describedby': 'login-error' });
  return form(password, t('login.password'), t('login.passwordHint'), t('login.wrongPassword'), () => send('POST', '/api/admin/login', { token, password: password.value }), done);
}

// loginPage asks for the token and calls done when it was the right one.
export function loginPage(session, done) {
  if (!session.login) {
    return h('main', { class: 'login', id: 'main', tabindex: '-1' }, h('div', { class: 'panel' }, h('h1', null, 'ddkk-stats'), h('p', null, t('login.closed')), h('pre', { tabindex: '0' }, h('code', null, 'ADMIN_TOKEN=…'))));
  }
  const token = h('input', { type: 'password', id: 'token', name: 'token', autocomplete: 'current-password', required: true, autofocus: true, 'aria-describedby': 'login-error' });
  return form(token, t('login.token'), t('login.hint'), t('login.wrong'), () => send('POST', '/api/admin/login', { token: token.value }), done);
}

// form has one secret in it, which post sends.
function form(secret, label, hint, wrong, post, done) {
  const error = h('p', { class: 'bad', id: 'login-error', role: 'alert' });
  const button = h('button', { type: 'submit' }, t('login.submit'));
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    fill(error);
    try {
      await post();
      done();
    } catch (failure) {
      fill(error, failure.status === 429 ? t('error.wait', { n: failure.wait }) : failure.status === 401 ? wrong : failure.status === 0 ? t('error.offline') : failure.message);
      secret.value = '';
      secret.focus();
    }
    button.disabled = false;
  }
  return h('main', { class: 'login', id: 'main', tabindex: '-1' }, h('form', { class: 'panel', method: 'post', onsubmit: submit },
    h('h1', null, h('img', { src: '/admin/icon.svg', alt: '', width: '28', height: '28' }), 'ddkk-stats'),
    h('label', { for: secret.id }, label), secret, error, button, h('p', { class: 'note' }, hint)));
}
