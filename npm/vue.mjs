// Components for Vue and Nuxt. v-once in words: a number that the widget wrote is not
// Vue's to render again, so the render function has no state to follow.
import { defineComponent, h, onMounted } from 'vue';
import { addScript, listAttributes, valueAttributes } from './names.mjs';

/** Loads the widget; once in the layout. */
export const Stats = defineComponent({
  name: 'DdkkStats',
  props: { server: { type: String, required: true }, options: Object },
  setup(props) {
    onMounted(() => addScript(props.server, props.options));
    return () => null;
  },
});

/** A number: <Value name="page_pv" />, <Value page="/hello" />. */
export const Value = defineComponent({
  name: 'DdkkValue',
  props: { name: String, page: String, placeholder: { type: String, default: '—' } },
  setup: (props) => () => h('span', valueAttributes(props.name, props.page), props.placeholder),
});

/** The most viewed pages: <HotPages period="week" :limit="5" />. */
export const HotPages = defineComponent({
  name: 'DdkkHotPages',
  props: { period: String, limit: Number },
  setup: (props) => () => h('div', listAttributes(props.period, props.limit)),
});
