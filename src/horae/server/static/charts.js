// Pictures in SVG, drawn for the width there is.
import { draw } from "./dom.js";

const PALETTE = 7;
const TIMES = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const BYTES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];
export const TIME = { at: 0, units: TIMES, name: "simulated time" };
export const SENT = { at: 1, units: BYTES, name: "sent both ways" };

export function colour(names, name) {
  return name === "0" ? "root" : String(Math.max(names.filter((n) => n !== "0").indexOf(name), 0) % PALETTE);
}

function step(span, most) {
  const rough = span / most, ten = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= rough * 0.999);
}

function scale(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

function ticks(low, high, most) {
  const each = step(high - low || 1, most), found = [];
  for (let i = Math.ceil(low / each - 1e-9); i * each <= high + each * 1e-6; i++) found.push(i * each);
  return found;
}

function bottom(x, high, axis, width, at) {
  const [unit, name] = axis.units.find(([n]) => high >= 1.5 * n) || axis.units[axis.units.length - 1];
  return ticks(0, high / unit, width < 420 ? 4 : 7).map((n) =>
    draw("text", { x: x(n * unit), y: at + 18, "text-anchor": "middle" }, `${+n.toFixed(3)} ${name}`));
}

function svg(width, height, title, ...inside) {
  const known = draw("title", {}, title);
  return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title }, known,
    ...inside);
}

function path(points) {
  return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

// Labels at these heights, pushed apart where they would touch.
function apart(labels, low, high, room = 15) {
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, i) => { if (i) label.y = Math.max(label.y, labels[i - 1].y + room); });
  for (let i = labels.length - 1, most = high; i >= 0; i--, most -= room) labels[i].y = Math.max(Math.min(labels[i].y, most), low);
  return labels;
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;

// Accuracy of arms against an axis; the dashed one is the second.
export function curves(arms, width, axis) {
  const narrow = width < 520, key = narrow ? 18 * Math.min(arms.length, 2) : 0, height = (narrow ? 230 : 280) + key;
  const left = 44, top = 12 + key, floor = height - 28;
  const all = arms.flatMap((arm) => arm.points);
  if (!all.length) return svg(width, 60, "No scores yet", draw("text", { x: 0, y: 30 }, "No scores yet."));
  const right = width - (narrow ? 84 : 150), high = Math.max(...all.map((p) => p[axis.at]), 1e-9);
  const x = scale(0, high, left, right);
  const lowest = Math.floor(Math.min(...all.map((p) => p[3])) * 10) / 10;
  const highest = Math.max(Math.ceil(Math.max(...all.map((p) => p[3])) * 10) / 10, lowest + 0.1);
  const y = scale(lowest, highest, floor, top);
  const grid = ticks(lowest, highest, 5).flatMap((n) => [
    draw("line", { x1: left, x2: right, y1: y(n), y2: y(n), class: "grid" }),
    draw("text", { x: left - 8, y: y(n) + 4, "text-anchor": "end" }, `${Math.round(100 * n) || 0} %`)]);
  const marks = axis === TIME ? (arms[0].splits || []).map((at) =>
    draw("line", { x1: x(at), x2: x(at), y1: top, y2: floor, class: "mark" })) : [];
  const lines = [], labels = [];
  arms.slice(0, 2).forEach((arm, i) => {
    if (!arm.points.length) return;
    lines.push(draw("path", { class: `curve a${i}`, d: path(arm.points.map((p) => [x(p[axis.at]), y(p[3])])) }));
    const last = arm.points[arm.points.length - 1];
    lines.push(draw("circle", { cx: x(last[axis.at]), cy: y(last[3]), r: 3.5, class: `f${i}` }));
    if (narrow) lines.push(draw("path", { class: `curve a${i}`, d: `M${left} ${10 + 18 * i}h26` }),
      draw("text", { x: left + 34, y: 14 + 18 * i }, arm.label));
    const words = narrow ? percent(last[3]) : `${percent(last[3])} ${arm.label}`;
    labels.push({ y: y(last[3]) + 4, words: words.length > 24 ? `${words.slice(0, 23)}…` : words, i });
  });
  const ends = apart(labels, top + 4, floor).map((label) =>
    draw("text", { x: right + 10, y: label.y, class: `strong t${label.i}` }, label.words));
  const told = arms.filter((arm) => arm.points.length).map((arm) =>
    `${arm.label}: ${percent(arm.points[0][3])} at first, ${percent(arm.points[arm.points.length - 1][3])} now`);
  return svg(width, height, `Accuracy against ${axis.name}. ${told.join("; ")}.`, ...grid, ...marks, ...lines, ...ends,
    ...bottom(x, high, axis, right - left, floor));
}

// Cohorts as lines over time: thick where many clients are at home, forked where one split.
export function tree(told, width) {
  const narrow = width < 520, rows = told.lines, height = 26 * rows.length + 34, floor = height - 26;
  const left = 34, right = width - (narrow ? 92 : 190), high = Math.max(told.end, 1e-9), names = rows.map((r) => r.name);
  const x = scale(0, high, left, right), y = new Map(rows.map((row, i) => [row.name, 16 + 26 * i]));
  const most = Math.max(...rows.map((row) => row.clients || 0), 1), drawn = [];
  for (const row of rows) {
    const at = y.get(row.name), kind = colour(names, row.name), above = y.get(row.parent);
    const own = kind === "root" ? "root" : `s${kind}`;
    const thick = row.leaf ? 2 + 8 * Math.sqrt((row.clients || 0) / most) : 3;
    if (above !== undefined) drawn.push(draw("path", { class: `branch ${own}`, "stroke-width": 1.5,
      d: `M${x(row.from)} ${above}V${at}` }));
    const from = x(row.from), to = Math.max(x(row.to), from + 2);
    drawn.push(draw("path", { class: `branch ${own}`, "stroke-width": thick, d: `M${from} ${at}H${to}` }));
    const short = row.accuracy == null ? "" : ` ${percent(row.accuracy)}`;
    if (row.leaf) drawn.push(draw("text", { x: right + 12, y: at + 4, class: "strong" },
      narrow ? `${row.name}${short}` : `${row.name}: ${row.says}`));
    else drawn.push(draw("text", { x: Math.max(from - 8, left - 8), y: at + 4, "text-anchor": "end" }, row.name));
  }
  const leaves = rows.filter((row) => row.leaf).map((row) => `${row.name} with ${row.says}`);
  return svg(width, height, `The tree of cohorts over simulated time. Leaves: ${leaves.join("; ")}.`, ...drawn,
    ...bottom(x, high, TIME, right - left, floor));
}

// How many clients are at home where, over time.
export function flows(told, width, order) {
  const narrow = width < 520, height = narrow ? 200 : 240, left = 44, floor = height - 28, top = 10;
  const right = width - (narrow ? 60 : 110), n = told.times.length;
  if (!n) return svg(width, 60, "No scores yet", draw("text", { x: 0, y: 30 }, "No scores yet."));
  const high = Math.max(told.times[n - 1], 1e-9), x = scale(0, high, left, right);
  const sums = told.sizes.map((row) => row.reduce((a, b) => a + b, 0)), y = scale(0, Math.max(...sums, 1), floor, top);
  const below = told.times.map(() => 0), areas = [], labels = [];
  told.names.forEach((name, k) => {
    const low = below.map((v, i) => [x(told.times[i]), y(v)]);
    told.times.forEach((_, i) => { below[i] += told.sizes[i][k]; });
    const upper = below.map((v, i) => [x(told.times[i]), y(v)]);
    const kind = colour(order, name);
    areas.push(draw("path", { class: `area ${kind === "root" ? "root" : `f${kind}`}`, fill: kind === "root" ? "var(--line)" : null,
      d: `${path(upper)}L${path(low.reverse()).slice(1)}Z` }, draw("title", {}, `cohort ${name}`)));
    const now = told.sizes[n - 1][k];
    if (now) labels.push({ y: (upper[n - 1][1] + low[0][1]) / 2 + 4, words: narrow ? `${name}: ${now}` : `${name}: ${now} clients` });
  });
  const grid = ticks(0, Math.max(...sums, 1), 4).map((v) =>
    draw("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, (v || 0).toLocaleString("en")));
  const ends = apart(labels, top, floor).map((l) => draw("text", { x: right + 8, y: l.y, class: "strong" }, l.words));
  return svg(width, height, `Clients at home in each cohort, over simulated time. Now: ${labels.map((l) => l.words).join("; ")}.`,
    ...areas, ...grid, ...ends, ...bottom(x, high, TIME, right - left, floor));
}

// A curve as small as a word.
export function spark(values) {
  if (values.length < 2) return draw("svg", { width: 76, height: 20, "aria-hidden": "true" });
  const x = scale(0, values.length - 1, 1, 75), y = scale(Math.min(...values), Math.max(...values), 18, 2);
  return draw("svg", { width: 76, height: 20, "aria-hidden": "true" },
    draw("path", { class: "curve thin a0", d: path(values.map((v, i) => [x(i), y(v)])) }));
}
