// Elements from plain values. Words from logs are set as text, never as markup.

export function make(tag, about = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...inside.filter((part) => part != null));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";
export function draw(tag, about = {}, ...inside) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(about)) if (value != null) element.setAttribute(name, value);
  element.append(...inside.filter((part) => part != null));
  return element;
}

// A table of words: the first column names the row; columns of figures stand to the right.
export function table(told) {
  const figure = /^[-−+±]?[\d.,]+(\s\S+){0,3}$|^–$/;
  const words = told.head.map((_, i) => !told.rows.every((row) => figure.test(row[i]) || row[i] === "…"));
  const kind = (i, cell) => (words[i] && i ? "words" + (cell.length > 30 ? " long" : "") : null);
  const head = told.head.map((cell, i) => make("th", { scope: "col", class: kind(i, "") }, cell));
  const rows = told.rows.map((row) =>
    make("tr", {}, ...row.map((cell, i) =>
      i ? make("td", { class: kind(i, cell) }, cell) : make("th", { scope: "row" }, cell))));
  return make("table", {}, make("caption", {}, told.caption), make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows));
}

export function boxed(told) {
  return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": told.caption }, table(told));
}

// A place whose content is made anew when what it shows has changed; what is open or focused around it stays.
export function slot(element, fill) {
  let before;
  return (value) => {
    const now = JSON.stringify(value);
    if (now !== before) { before = now; keepFocus(() => fill(element, value)); }
  };
}

export function text(element) {
  return slot(element, (place, words) => { place.textContent = words; });
}

export function tableSlot(caption) {
  const place = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption });
  return [place, slot(place, (box, told) => box.replaceChildren(table(told)))];
}

export function keepFocus(change) {
  const before = document.activeElement;
  change();
  if (before && before !== document.activeElement && before.isConnected) before.focus({ preventScroll: true });
}

// A picture that is drawn again when it changes or its room does: letters stay as large as the text's.
export function picture(caption, paint) {
  const place = make("div");
  let value, width = 0;
  const again = () => { if (value !== undefined && width > 0) place.replaceChildren(paint(value, width)); };
  new ResizeObserver(([entry]) => {
    const now = Math.round(entry.contentRect.width);
    if (now !== width) { width = now; again(); }
  }).observe(place);
  const show = slot(place, (_, now) => { value = now; again(); });
  return [make("figure", {}, place, make("figcaption", {}, caption)), show];
}

// An address of this page; the theme that was asked for stays.
export function address(about) {
  const asked = new URLSearchParams(location.search), next = new URLSearchParams();
  for (const [name, value] of Object.entries(about)) if (value != null) next.set(name, value);
  if (asked.has("theme")) next.set("theme", asked.get("theme"));
  const query = next.toString();
  return query ? `/?${query}` : "/";
}

export function fold(summary, ...inside) {
  return make("details", {}, make("summary", {}, summary), ...inside);
}
