// Which view the address asks for, and the stream it is fed by.
import { address, make } from "./dom.js";
import { list } from "./list.js";
import { pair } from "./pair.js";
import { run } from "./run.js";

const asked = new URLSearchParams(location.search);
const theme = asked.get("theme");
if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;

const main = document.getElementById("main"), link = document.getElementById("link");
const crumbs = document.getElementById("crumbs"), names = [asked.get("run"), asked.get("beside")].filter((n) => n !== null);
main.replaceChildren();
crumbs.querySelector("a").href = address({});
names.forEach((name) => crumbs.append(make("li", {}, make("a", { href: address({ run: name }) }, name))));

const show = names.length > 1 ? pair(main) : names.length ? run(main, names[0]) : list(main);
const trouble = make("p", { class: "notice", role: "alert" });
main.prepend(trouble);
trouble.hidden = true;

function take(told) {
  trouble.hidden = !told.error;
  if (told.error) trouble.textContent = told.error;
  else show(told);
}

let source = null;
function follow() {
  source = new EventSource(`/api/live?${new URLSearchParams(names.map((name) => ["run", name]))}`);
  source.addEventListener("view", (event) => { link.textContent = "live"; take(JSON.parse(event.data)); });
  source.addEventListener("error", () => {
    link.textContent = "the server does not answer; trying again";
    if (source && source.readyState === EventSource.CLOSED) { source = null; setTimeout(() => source || follow(), 3000); }
  });
}

// A browser keeps few connections to one address: a page that nobody sees gives its own back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden && source) { source.close(); source = null; }
  if (!document.hidden && !source) follow();
});
follow();
