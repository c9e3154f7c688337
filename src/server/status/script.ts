/**
 * The one script of the status page: every ten seconds, sooner while something is under way, it
 * fetches the page again and swaps its content, keeping what the reader opened, typed, selected or
 * focused, and the answer to an order. Without JavaScript the page reloads itself by a meta
 * element.
 */
export const script = `
(() => {
  const usual = 10;
  const lost = document.getElementById('lost');
  const news = document.getElementById('news');
  const isTyped = (one) => one.type !== 'hidden' && one.value !== one.defaultValue;
  const isChosen = (one) => one.selectedIndex !== Math.max(0, [...one.options].findIndex((option) => option.defaultSelected));
  const any = (selector, is) => [...document.querySelectorAll('main form ' + selector)].some(is);
  const isFilled = () => any('input', isTyped) || any('select', isChosen);
  const isBusy = () => document.hidden || document.activeElement?.matches('input, select') || isFilled() || String(getSelection() ?? '') !== '';
  const openIds = () => [...document.querySelectorAll('details[open][id]')].map((one) => one.id);
  const quoted = (element, name) => '[' + name + '="' + CSS.escape(element.getAttribute(name)) + '"]';
  const place = (element) => {
    if (element?.id) return '#' + CSS.escape(element.id);
    if (element?.matches('main details[id] > summary')) return '#' + CSS.escape(element.parentElement.id) + ' > summary';
    if (element?.matches('main a[href]')) return 'main a' + quoted(element, 'href');
    return element?.matches('main [tabindex][aria-label]') ? 'main [tabindex]' + quoted(element, 'aria-label') : null;
  };
  const swap = (fresh) => {
    const opened = openIds();
    const focused = place(document.activeElement);
    const before = document.querySelector('main').dataset.problems;
    const told = document.getElementById('told');
    if (told && !fresh.getElementById('told')) fresh.querySelector('main').prepend(told);
    for (const selector of ['main', '.asof']) document.querySelector(selector)?.replaceWith(fresh.querySelector(selector));
    for (const id of opened) document.getElementById(id)?.setAttribute('open', '');
    if (focused) document.querySelector(focused)?.focus({ preventScroll: true });
    const after = document.querySelector('main').dataset.problems;
    if (after !== undefined && before !== after) news.textContent = after + ' need attention';
  };
  const refresh = async () => {
    if (isBusy()) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' }, signal: AbortSignal.timeout(8000) });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (fresh.querySelector('main') === null) throw new Error('no page');
      if (!isBusy()) swap(fresh);
      lost.hidden = true;
    } catch {
      lost.hidden = false;
    }
  };
  const next = () => {
    const { refresh: pace } = document.querySelector('main').dataset;
    if (pace === 'none') return;
    const asked = Number(pace) || usual;
    setTimeout(() => void refresh().finally(next), 1000 * asked);
  };
  // A page that a person fills in, or that answers one, stays as it is.
  if (document.querySelector('main').dataset.refresh !== 'none') document.addEventListener('visibilitychange', refresh);
  next();
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.target.matches('input')) return;
    const search = document.querySelector('input[type=search]');
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  });
})();
`;
