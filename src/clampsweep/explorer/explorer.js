// Enter runs and Esc stops, in the tab that is seen. Everything else is done by Gradio.
() => {
  const button = (id) => {
    const found = document.getElementById(id);
    return found && (found.matches('button') ? found : found.querySelector('button'));
  };
  document.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Escape') {
      const open = event.target.getAttribute?.('aria-expanded') === 'true'; // a list, closed by Esc
      if (!open) button('try-stop')?.click(); // stops whatever this browser tab does
    } else if (event.key === 'Enter' && !event.shiftKey) {
      const field = event.target;
      const form = field.closest('.cs-keys');
      const typed = field.matches('textarea, input[type=number], input[type=text]');
      if (!form || !typed || field.closest('[role=listbox], [aria-haspopup=listbox]')) return;
      event.preventDefault();
      event.stopPropagation();
      if (!event.repeat) button(`${form.id}-run`)?.click();
    }
  }, true);
  // Buttons of a row of clamps are alike but for the row: screen readers are told its number.
  new MutationObserver(() => {
    document.querySelectorAll('.cs-clamp button[id^=clamp-]:not([aria-label])').forEach((one) => {
      one.setAttribute('aria-label', `${one.innerText}: clamp ${one.id.split('-')[1]}`);
    });
  }).observe(document.body, {childList: true, subtree: true});
  // Gradio would take Shift+Enter as "submit" and make no new line.
  document.addEventListener('keypress', (event) => {
    const typed = event.target.matches('.cs-keys textarea');
    if (typed && event.key === 'Enter' && event.shiftKey) event.stopPropagation();
  }, true);
}
