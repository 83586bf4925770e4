// Two runs beside each other.
import { SENT, TIME, curves } from "./charts.js";
import { address, make, picture, slot, tableSlot } from "./dom.js";

export function pair(main) {
  const states = make("ul");
  const [byTime, showTime] = picture("Accuracy against simulated time; the second run is dashed.",
    (arms, width) => curves(arms, width, TIME));
  const [byBytes, showBytes] = picture("Accuracy against bytes, both ways.", (arms, width) => curves(arms, width, SENT));
  const [numbers, showNumbers] = tableSlot("Number by number"), [fields, showFields] = tableSlot("Fields that differ");
  const section = (title, id, ...inside) => make("section", { "aria-labelledby": id }, make("h2", { id }, title), ...inside);
  main.append(make("section", { "aria-label": "The two runs" }, make("h1", {}, "Two runs beside each other"), states),
    section("Accuracy", "accuracy", byTime, byBytes), section("Numbers", "numbers", numbers),
    section("What was asked for", "fields", make("p", { class: "soft" },
      "A difference in accuracy is of the method only where nothing else differs; horae compare repeats it over seeds."), fields));
  const showStates = slot(states, (place, told) => place.replaceChildren(...told.map(([id, state, why]) =>
    make("li", {}, make("a", { href: address({ run: id }) }, id), ": ", make("span", { class: `state ${state}` }, state),
      why ? make("span", { class: "why" }, why) : null))));
  return (told) => {
    document.title = `${told.runs.map((run) => run.id).join(" and ")} · horae`;
    showStates(told.runs.map((run) => [run.id, run.state, run.why]));
    showTime(told.arms); showBytes(told.arms); showNumbers(told.tables.numbers); showFields(told.tables.settings);
  };
}
