// Filters the cells. Everything can be read without it.
"use strict";
(() => {
  const form = document.querySelector(".filter");
  const output = form.querySelector("output");
  const items = [...document.querySelectorAll(".item")].map((node) => {
    const head = node.querySelector("summary");
    const group = node.closest(".group");
    const why = group && !head ? group.querySelector(".reason").textContent : "";
    return { node, text: `${(head || node).textContent} ${why}`.toLowerCase() };
  });
  const groups = [...document.querySelectorAll(".group")];
  const lists = [...document.querySelectorAll(".list")];
  const names = ["verdict", "browser", "backend", "model", "scenario"];

  const matches = ({ node, text }, words, chosen) =>
    words.every((word) => text.includes(word)) &&
    chosen.every(([name, value]) =>
      name in node.dataset ? node.dataset[name] === value : text.includes(value.toLowerCase()));

  function apply() {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = names.map((name) => [name, form.elements[name].value]).filter(([, v]) => v);
    const isNarrowed = words.length + chosen.length > 0;
    let shown = 0;
    for (const item of items) {
      const isShown = matches(item, words, chosen);
      item.node.hidden = !isShown;
      shown += isShown;
    }
    for (const part of [...groups, ...lists]) {
      part.hidden = !part.querySelector(".item:not([hidden])");
    }
    for (const group of groups) group.open = isNarrowed && !group.hidden;
    const all = `${items.length} cell${items.length === 1 ? "" : "s"}`;
    output.textContent = isNarrowed ? `${shown} of ${all}` : all;
  }

  function reveal(hash) {
    const target = hash.length > 1 && document.getElementById(hash.slice(1));
    if (!target) return;
    const group = target.closest(".group");
    if (group) group.open = true;
    if (target.tagName === "DETAILS") target.open = true;
    target.scrollIntoView();
  }

  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-set-verdict]");
    if (!link) return;
    event.preventDefault();
    form.reset();
    for (const name of ["verdict", "browser", "backend"]) {
      const value = link.getAttribute(`data-set-${name}`);
      if (value) form.elements[name].value = value;
    }
    apply();
    form.scrollIntoView();
  });
  addEventListener("hashchange", () => reveal(location.hash));
  reveal(location.hash);
})();
