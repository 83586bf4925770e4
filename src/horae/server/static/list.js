// The list of runs: rows stay where they are while their cells change, so that the focus does too.
import { spark } from "./charts.js";
import { address, keepFocus, make, slot, text } from "./dom.js";

const HEAD = [["run", ""], ["state", "words"], ["accuracy", ""], ["so far", "wide"], ["cohorts", "wide"],
  ["clustering", "words wide"], ["budget used", ""], ["last written", "wide"]];

function row(run) {
  const link = make("a", { href: address({ run: run.id }) }, run.id === "." ? run.name : run.id);
  const sub = make("span", { class: "sub" }), state = make("span"), why = make("span", { class: "why" });
  const cells = { accuracy: make("td"), line: make("td", { class: "wide" }), cohorts: make("td", { class: "wide" }),
    clustering: make("td", { class: "words wide" }), progress: make("td"), written: make("td", { class: "wide" }) };
  const reason = make("tr", { class: "reason", hidden: true }, make("td", { colspan: HEAD.length }, why));
  const element = make("tbody", {}, make("tr", {}, make("th", { scope: "row" }, link, sub),
    make("td", { class: "words" }, state), ...Object.values(cells)), reason);
  const shown = [
    [text(sub), (r) => `${r.name}, seed ${r.seed}`], [slot(why, (place, words) => { place.textContent = words; reason.hidden = !words; }), (r) => r.why],
    [slot(state, (place, s) => { place.textContent = s; place.className = `state ${s}`; }), (r) => r.state],
    [text(cells.accuracy), (r) => r.accuracy], [text(cells.cohorts), (r) => r.cohorts],
    [text(cells.clustering), (r) => r.clustering], [text(cells.written), (r) => r.written],
    [slot(cells.line, (place, line) => place.replaceChildren(spark(line))), (r) => r.line],
    [slot(cells.progress, (place, p) => place.replaceChildren(p
      ? make("progress", { value: p.share, max: 1, "aria-label": p.words, title: p.words }) : "–")), (r) => r.progress],
  ];
  return { element, show: (r) => shown.forEach(([set, get]) => set(get(r))) };
}

function chooser(name, label) {
  const select = make("select", { name });
  return [make("label", {}, label, select), select];
}

function options(select, runs, at) {
  const before = select.value;
  select.replaceChildren(...runs.map((run) => make("option", { value: run.id }, run.id)));
  select.value = runs.some((run) => run.id === before) ? before : runs[Math.min(at, runs.length - 1)].id;
}

export function list(main) {
  const title = make("h1", {}, "Runs"), place = make("p", { class: "soft" }), empty = make("p", { class: "notice" });
  const news = make("p", { class: "soft", "aria-live": "polite" });
  const head = HEAD.map(([name, kind]) => make("th", { scope: "col", class: kind || null }, name));
  const runs = make("table", { id: "runs" }, make("caption", {}, "Every run, the one written last first"),
    make("thead", {}, make("tr", {}, ...head)));
  const box = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Runs" }, runs);
  const [one, first] = chooser("run", "Compare"), [two, second] = chooser("beside", "with");
  const theme = new URLSearchParams(location.search).get("theme");
  const form = make("form", { action: "/", method: "get" }, one, two,
    theme ? make("input", { type: "hidden", name: "theme", value: theme }) : null, make("button", {}, "Compare"));
  const compared = make("section", { "aria-labelledby": "two" }, make("h2", { id: "two" }, "Two runs beside each other"), form);
  const others = make("p", { class: "soft" });
  main.append(make("section", { "aria-label": "Runs" }, title, place, news, box, empty, others), compared);
  const rows = new Map();
  const choices = slot(form, (_, ids) => {
    const told = ids.map((id) => ({ id }));
    if (told.length) { options(first, told, 0); options(second, told, 1); }
  });
  const say = [text(place), text(empty), text(others), text(news)];
  return (told) => {
    keepFocus(() => {
      const ids = told.runs.map((run) => run.id);
      for (const [id, each] of rows) if (!ids.includes(id)) { each.element.remove(); rows.delete(id); }
      told.runs.forEach((run, i) => {
        if (!rows.has(run.id)) rows.set(run.id, row(run));
        const { element, show } = rows.get(run.id);
        show(run);
        if (runs.tBodies[i] !== element) runs.insertBefore(element, runs.tBodies[i] || null);
      });
    });
    box.hidden = !told.runs.length;
    const scored = told.runs.filter((run) => run.line.length);
    compared.hidden = scored.length < 2;
    choices(scored.map((run) => run.id));
    const of = (state) => told.runs.filter((run) => run.state === state).length;
    const counts = ["running", "finished", "stopped", "broken"].map((s) => [of(s), s]).filter(([n]) => n);
    say[0](`In ${told.root}`);
    say[1](told.runs.length ? "" : "There is no run here yet. horae run begins one.");
    say[2]((told.others_n ? `Directories that hold no run: ${told.others.join(", ")}${told.others_n > told.others.length ? " …" : ""}. ` : "")
      + (told.more ? "There are more runs than are listed; name a directory with fewer." : ""));
    say[3](counts.map(([n, s]) => `${n} ${s}`).join(", "));
  };
}
