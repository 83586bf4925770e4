// One run, while it trains or after.
import { SENT, TIME, curves, flows, tree } from "./charts.js";
import { address, boxed, fold, make, picture, slot, tableSlot, text } from "./dom.js";

const SPOKEN_MS = 10000;

function section(title, id, ...inside) {
  return make("section", { "aria-labelledby": id }, make("h2", { id }, title), ...inside);
}

function tiles(place, told) {
  place.replaceChildren(...told.map(([name, value, remark]) => make("div", {}, make("dt", {}, name),
    make("dd", { class: "big" }, value), remark ? make("dd", {}, remark) : null)));
}

function explainer(name) {
  const input = make("input", { type: "number", name: "client", min: "0", step: "1", required: true, inputmode: "numeric" });
  const select = make("select", { name: "cohort" }), answer = make("div", { id: "answer", "aria-live": "polite" });
  const ask = async (about) => {
    answer.textContent = "Reading the log …";
    try {
      const reply = await fetch(`/api/explain?${new URLSearchParams({ run: name, ...about })}`);
      const told = await reply.json();
      if (told.error) answer.replaceChildren(make("p", { class: "notice" }, told.error));
      else answer.replaceChildren(...told.words.map((words) => make("p", {}, words)), ...told.tables.map(boxed));
    } catch { answer.replaceChildren(make("p", { class: "notice" }, "The server does not answer.")); }
  };
  const form = (act, ...inside) => {
    const made = make("form", {}, ...inside);
    made.addEventListener("submit", (event) => { event.preventDefault(); act(); });
    return made;
  };
  const client = () => { history.replaceState(null, "", address({ run: name, client: input.value })); ask({ client: input.value }); };
  const forms = make("div", {},
    form(client, make("label", {}, "Why does this client sit where it sits?", input), make("button", {}, "Explain")),
    form(() => ask({ cohort: select.value }), make("label", {}, "Why did this cohort split, or not?", select),
      make("button", { class: "quiet" }, "Explain")),
    form(() => ask({}), make("button", { class: "quiet" }, "The story of the run")));
  const asked = new URLSearchParams(location.search).get("client");
  if (asked !== null) { input.value = asked; ask({ client: asked }); }
  const choices = slot(select, (place, names) => {
    const before = place.value;
    place.replaceChildren(...names.map((each) => make("option", {}, each)));
    if (names.includes(before)) place.value = before;
  });
  return [make("div", {}, forms, answer), (told) => {
    if (told.clients) input.max = String(told.clients - 1);
    choices(told.names);
  }];
}

export function run(main, name) {
  const over = make("p", { class: "over" }), title = make("h1"), state = make("span"), progress = make("p");
  const why = make("p", { class: "notice" }), news = make("p"), hint = make("p", { class: "soft" }), numbers = make("dl", { class: "tiles" });
  const [byTime, showTime] = picture("Mean over clients of the test accuracy of their own cohort's model, against simulated "
    + "time. Dotted upright: a split.", (arms, width) => curves(arms, width, TIME));
  const [byBytes, showBytes] = picture("The same against bytes, both ways.", (arms, width) => curves(arms, width, SENT));
  const [grown, showTree] = picture("Each line is a cohort; where it forks, it split. The thicker a leaf, the more clients "
    + "are at home in it.", (told, width) => tree(told, width));
  const [homes, showHomes] = picture("Clients at home in each cohort, at each score.",
    (told, width) => flows(told.flows, width, told.names));
  const places = {}, shows = {};
  for (const [key, caption] of [["scores", "Scores"], ["cohorts", "Cohorts"], ["moves", "Moves"], ["ledger", "The ledger"],
    ["looks", "Looks"]]) [places[key], shows[key]] = tableSlot(caption);
  const spoken = make("p", { class: "spoken", "aria-live": "polite" });
  const [why_, showWhy] = explainer(name);
  let saidAt = 0; // a reader that is read to hears a new score now and then, not every one
  main.append(
    make("section", { "aria-label": "Where it stands" }, over, title, make("p", {}, state), progress, why, news, hint, numbers, spoken),
    section("Accuracy", "accuracy", byTime, byBytes, fold("The scores as a table", places.scores)),
    section("The tree of cohorts", "tree", grown, places.cohorts, fold("What cohorts decided about themselves", places.looks)),
    section("Who is where", "flows", homes, fold("Who went from where to where", places.moves)),
    section("What it costs", "ledger", places.ledger),
    section("Why", "why", make("p", { class: "soft" }, "The words of horae explain."), why_));
  const say = { over: text(over), headline: text(title), why: text(why), news: text(news), hint: text(hint) };
  const showState = slot(state, (place, now) => { place.textContent = now; place.className = `state ${now}`; });
  const showTiles = slot(numbers, tiles);
  const showProgress = slot(progress, (place, p) => place.replaceChildren(...(p ? [
    make("progress", { value: p.share, max: 1, "aria-label": "budget used, all arms" }), ` ${p.words}`] : [])));
  return (told) => {
    document.title = `${told.state}: ${told.id} · horae`;
    for (const [key, set] of Object.entries(say)) set(told[key]);
    if (Date.now() - saidAt > SPOKEN_MS && spoken.textContent !== told.news) { spoken.textContent = told.news; saidAt = Date.now(); }
    showState(told.behind ? "running" : told.state);
    showProgress(told.state === "finished" ? null : told.progress);
    showTiles(told.tiles);
    showTime(told.arms); showBytes(told.arms); showTree(told.tree); showHomes({ flows: told.flows, names: told.names });
    for (const [key, show] of Object.entries(shows)) show(told.tables[key]);
    showWhy(told);
  };
}
