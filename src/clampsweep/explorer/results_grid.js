// The grid of texts: a click or Enter reads a cell, arrow keys move. Gradio gives it `element`, `trigger`.
const cellOf = (event) => event.target.closest('button[data-key]');
const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
const hold = (cell) => {
  element.querySelectorAll('button[tabindex="0"]').forEach((one) => { one.tabIndex = -1; });
  cell.tabIndex = 0;
};
element.addEventListener('click', (event) => {
  const cell = cellOf(event);
  if (!cell) return;
  hold(cell);
  element.querySelectorAll('[aria-current]').forEach((one) => one.removeAttribute('aria-current'));
  cell.setAttribute('aria-current', 'true');
  trigger('select', {prompt: cell.dataset.prompt, key: cell.dataset.key});
});
element.addEventListener('keydown', (event) => {
  const step = steps[event.key], cell = cellOf(event);
  if (!step || !cell) return;
  event.preventDefault();
  const row = cell.closest('tr');
  const line = [row.previousElementSibling, row, row.nextElementSibling][step[0] + 1];
  const next = line?.children[cell.parentElement.cellIndex + step[1]]?.querySelector('button');
  if (!next) return;
  hold(next);
  next.focus();
});
