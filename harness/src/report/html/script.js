// Filters the report's cells. Without it the report shows all of them.
"use strict";
(() => {
  const form = /** @type {HTMLFormElement} */ (document.querySelector(".filter"));
  const output = /** @type {HTMLOutputElement} */ (form.querySelector("output"));
  /** @type {NodeListOf<HTMLElement>} */
  const nodes = document.querySelectorAll(".item");
  const items = [...nodes].map((node) => {
    const head = node.querySelector("summary");
    const group = node.closest(".group");
    const why = group && !head ? group.querySelector(".reason")?.textContent ?? "" : "";
    return { node, text: `${(head || node).textContent} ${why}`.toLowerCase() };
  });
  /** @type {NodeListOf<HTMLDetailsElement>} */
  const groups = document.querySelectorAll(".group");
  /** @type {NodeListOf<HTMLElement>} */
  const lists = document.querySelectorAll(".list");
  const names = ["verdict", "browser", "backend", "model", "scenario"];

  /**
   * The control of a filter, by its name.
   *
   * @param {string} name
   */
  const control = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name));

  /**
   * @param {{ node: HTMLElement, text: string }} item
   * @param {string[]} words
   * @param {string[][]} chosen names of filters, each with its value
   */
  const matches = ({ node, text }, words, chosen) =>
    words.every((word) => text.includes(word)) &&
    chosen.every(([name, value]) =>
      name in node.dataset ? node.dataset[name] === value : text.includes(value.toLowerCase()));

  function apply() {
    const words = control("words").value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = names.map((name) => [name, control(name).value]).filter(([, v]) => v);
    const isNarrowed = words.length + chosen.length > 0;
    let shown = 0;
    for (const item of items) {
      const isShown = matches(item, words, chosen);
      item.node.hidden = !isShown;
      if (isShown) shown += 1;
    }
    for (const part of [...groups, ...lists]) {
      part.hidden = !part.querySelector(".item:not([hidden])");
    }
    for (const group of groups) group.open = isNarrowed && !group.hidden;
    const all = `${items.length} cell${items.length === 1 ? "" : "s"}`;
    output.textContent = isNarrowed ? `${shown} of ${all}` : all;
  }

  /**
   * Opens and shows the element that an address names.
   *
   * @param {string} hash
   */
  function reveal(hash) {
    const target = hash.length > 1 ? document.getElementById(hash.slice(1)) : null;
    if (!target) return;
    const group = /** @type {HTMLDetailsElement | null} */ (target.closest(".group"));
    if (group) group.open = true;
    if (target instanceof HTMLDetailsElement) target.open = true;
    target.scrollIntoView();
  }

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("[data-set-verdict]");
    if (!link) return;
    event.preventDefault();
    form.reset();
    for (const name of ["verdict", "browser", "backend"]) {
      const value = link.getAttribute(`data-set-${name}`);
      if (value) control(name).value = value;
    }
    apply();
    form.scrollIntoView();
  });
  addEventListener("hashchange", () => reveal(location.hash));
  reveal(location.hash);
})();
