import { h } from '../dom.js';
import { t } from '../i18n.js';

// part says that not all views could be looked at.
export const part = (complete) => complete === false && h('p', { class: 'note' }, t('filters.part'));
