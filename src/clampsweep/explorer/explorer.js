// Enter runs and Esc stops, in the tab that is seen. Everything else is done by Gradio.
() => {
  const seen = (id) => {
    const found = document.getElementById(id);
    const button = found && (found.matches('button') ? found : found.querySelector('button'));
    return button && button.offsetParent !== null ? button : null;
  };
  document.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'Escape') {
      (seen('try-stop') || seen('sweep-stop'))?.click();
    } else if (event.key === 'Enter' && !event.shiftKey) {
      const field = event.target;
      const form = field.closest('.cs-keys');
      const typed = field.matches('textarea, input[type=number], input[type=text]');
      if (!form || !typed || field.closest('[role=listbox], [aria-haspopup=listbox]')) return;
      event.preventDefault();
      event.stopPropagation();
      seen(`${form.id}-run`)?.click();
    }
  }, true);
  // Gradio would take Shift+Enter as "submit" and make no new line.
  document.addEventListener('keypress', (event) => {
    const typed = event.target.matches('.cs-keys textarea');
    if (typed && event.key === 'Enter' && event.shiftKey) event.stopPropagation();
  }, true);
}
