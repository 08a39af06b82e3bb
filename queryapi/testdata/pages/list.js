for (let i = 0; i < 45; i++) {
  const row = document.querySelector('ul').appendChild(document.createElement('li')).appendChild(document.createElement('b'));
  row.setAttribute('data-page-id', i == 44 ? '/<b>"\' &' : '/p' + i);
  row.textContent = '—';
  if (i == 0) row.parentNode.appendChild(row.cloneNode(true));
}
