// SPDX-License-Identifier: GPL-3.0-or-later
// Searching, sorting and choosing; without it the page shows everything.
"use strict";
(() => {
  const FIRST = 25;
  const each = (selector, act, within = document) => within.querySelectorAll(selector).forEach(act);
  document.documentElement.classList.add("js");

  function value(row, column) {
    const cell = row.cells[column];
    return cell.dataset.order === undefined ? cell.textContent.trim() : Number(cell.dataset.order);
  }
  function compare(left, right) {
    return typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right), "en", {numeric: true});
  }

  each("table.data", (table) => {
    const section = table.closest("section"), body = table.tBodies[0], noun = table.dataset.noun;
    const search = section.querySelector("input[type=search]"), only = section.querySelector("input[type=checkbox]");
    const shown = section.querySelector(".shown"), all = section.querySelector("button.all");
    const texts = new Map(Array.from(body.rows, (row) => [row, row.textContent.toLowerCase()]));
    let open = false;

    function show() {
      const words = search ? search.value.toLowerCase().split(/\s+/).filter(Boolean) : [];
      let found = 0;
      for (const row of body.rows) {
        const fits = words.every((word) => texts.get(row).includes(word)) && !(only && only.checked && row.dataset.status === "ok");
        row.hidden = !fits;
        row.classList.toggle("later", fits && !open && found >= FIRST);
        found += fits;
      }
      if (shown) shown.textContent = `${found} of ${body.rows.length} ${noun}`;
      all.hidden = open || found <= FIRST;
      all.textContent = `Show all ${found} ${noun}`;
    }
    function sort(column, head) {
      const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      each("th", (other) => other.removeAttribute("aria-sort"), table);
      head.setAttribute("aria-sort", down === 1 ? "ascending" : "descending");
      const rows = Array.from(body.rows, (row) => [value(row, column), row]);
      rows.sort((left, right) => down * compare(left[0], right[0]));
      body.append(...rows.map((entry) => entry[1]));
      show();
    }
    each("th", (head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => sort(column, head));
    }, table);
    if (search) search.addEventListener("input", show);
    if (only) only.addEventListener("change", show);
    all.addEventListener("click", () => { open = true; show(); });
    show();
  });

  function choose(id) {
    const node = id.startsWith("node-");
    each(".chosen, .open, .choosing", (item) => item.classList.remove("chosen", "open", "choosing"));
    const panel = id && document.getElementById(id);
    if (!panel) return;
    each("svg.map", (map) => map.classList.add("choosing"));
    each(".map a", (link) => {
      const strand = node && link.classList.contains("strand") && `node-${link.dataset.node}` === id;
      link.classList.toggle("chosen", strand || link.getAttribute("href") === `#${id}`);
    });
    panel.classList.add("open");
    if (node) each(".strand-panel", (part) => part.classList.add("open"), panel);
    else panel.parentElement.classList.add("open");
    panel.closest(".node-panel").scrollIntoView({block: "nearest"});
    panel.focus({preventScroll: true});
  }
  let chosen = null;
  function leave() {
    choose("");
    if (chosen) chosen.focus({preventScroll: true});
    chosen = null;
  }
  each(".map a[href^='#strand-'], .map a[href^='#node-']", (link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    chosen = link;
    choose(link.getAttribute("href").slice(1));
  }));
  each(".close", (button) => button.addEventListener("click", leave));
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && chosen) leave(); });

  const hours = Math.floor((Date.now() - Date.parse(document.getElementById("generated").dateTime)) / 3600000);
  if (hours >= 1) document.getElementById("age").textContent = hours < 48 ? `, ${hours} h old` : `, ${Math.floor(hours / 24)} days old`;
  window.addEventListener("beforeprint", () => each("details", (item) => { item.open = true; }));
})();
