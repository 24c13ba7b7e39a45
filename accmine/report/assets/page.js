(() => {
  "use strict";
  const all = (query, at = document) => [...at.querySelectorAll(query)];
  const make = (tag, text, more = {}) => Object.assign(document.createElement(tag), { textContent: text ?? "" }, more);
  const SVG = "http://www.w3.org/2000/svg";
  const node = (tag, values, text) => {
    const found = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(values)) found.setAttribute(name, value);
    if (text !== undefined) found.textContent = text;
    return found;
  };
  const tip = document.getElementById("tip");

  // ---- data: columns as they were packed, read when they are needed
  const known = {};
  const load = key => (known[key] ??= (() => {
    const data = JSON.parse(document.getElementById("data-" + key).textContent);
    data.columns.forEach(c => { c.get = c.of ? i => c.of[c.at[i]] : i => c.values[i]; });
    data.column = name => data.columns.find(c => c.name === name);
    return data;
  })());
  const figure = of => parseFloat(of.toPrecision(6));
  const text = value => value === null ? "–" : value === true ? "yes" : value === false ? "no"
    : typeof value === "number" ? (Number.isInteger(value) ? String(value) : String(figure(value))) : String(value);
  const cell = value => value === null ? "" : /[",\n]/.test(value) ? '"' + String(value).replaceAll('"', '""') + '"' : String(value);
  const csv = data => [data.columns.map(c => cell(c.name)), ...Array.from({ length: data.rows },
    (_, i) => data.columns.map(c => cell(c.get(i))))].map(row => row.join(",")).join("\n") + "\n";

  all("button[data-csv]").forEach(button => {
    button.hidden = false;
    button.title = button.dataset.csv + ".csv";
    button.setAttribute("aria-label", "Download " + button.title);
    button.addEventListener("click", () => {
      const url = URL.createObjectURL(new Blob([csv(load(button.dataset.csv))], { type: "text/csv" }));
      make("a", "", { href: url, download: button.title }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    });
  });

  const SHOWN = 300;
  all("details[data-table]").forEach(details => details.addEventListener("toggle", () => {
    if (!details.open || details.querySelector("table")) return;
    const data = load(details.dataset.table), table = make("table"), head = table.createTHead().insertRow();
    data.columns.forEach(c => head.append(make("th", c.name.replaceAll("_", " "), { scope: "col" })));
    const body = table.createTBody();
    for (let i = 0; i < Math.min(SHOWN, data.rows); i++) {
      const row = body.insertRow();
      data.columns.forEach(c => { row.insertCell().textContent = text(c.get(i)); });
    }
    const scroll = make("div", "", { className: "scroll", tabIndex: 0 });
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", details.querySelector("summary").textContent);
    scroll.append(table);
    details.append(scroll);
    if (data.rows > SHOWN) details.append(make("p", `The first ${SHOWN} of ${data.rows} rows; the CSV file has all.`));
  }));

  // ---- what is told of a row
  const say = (words, x, y) => {
    tip.textContent = words;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 6)) + "px";
    tip.style.top = Math.max(4, y + 16 + box.height > innerHeight ? y - box.height - 10 : y + 16) + "px";
  };
  const hush = () => { tip.hidden = true; };
  addEventListener("keydown", event => event.key === "Escape" && hush());
  const words = (data, row) => {
    const told = data.tell ?? data.columns.map(c => c.name);
    return told.map((name, i) => (i ? name.replaceAll("_", " ") + ": " : "") + text(data.column(name).get(row))).join("\n");
  };
  const open = (key, row, note = "") => {
    const data = load(key), panel = document.getElementById("panel-" + key), list = make("dl");
    const yaml = data.yaml ?? [];
    data.columns.filter(c => !yaml.includes(c.name) && c.get(row) !== null).forEach(c =>
      list.append(make("dt", c.name.replaceAll("_", " ")), make("dd", text(c.get(row)))));
    panel.replaceChildren(list);
    if (yaml.length && data.column(yaml[0]).get(row) !== null) {
      const lines = ["name", ...yaml].map(n => `${n}: ${data.column(n).get(row)}`).join("\n") + "\n";
      const copy = make("button", "copy", { type: "button" });
      copy.addEventListener("click", async () => {
        try { await navigator.clipboard.writeText(lines); copy.textContent = "copied"; }
        catch { getSelection().selectAllChildren(panel.querySelector("pre")); copy.textContent = "selected"; }
      });
      panel.append(make("b", "As a design file "), copy, make("pre", lines));
    }
    if (note) panel.append(make("p", note));
  };

  // ---- points: each stands for a row; the same row is marked in every picture of the figure
  all("figure[data-kind=points]").forEach(at => {
    const key = at.id.slice(4), panel = document.getElementById("panel-" + key);
    panel.textContent = "Choose a point: its values appear here. With the keyboard: Tab to the points, arrow keys, Enter.";
    const dots = svg => all(".dot", svg);
    const choose = row => {
      all(".dot.on", at).forEach(dot => { dot.classList.remove("on"); dot.removeAttribute("aria-pressed"); });
      all(`.dot[data-row="${row}"]`, at).forEach(dot => { dot.classList.add("on"); dot.setAttribute("aria-pressed", "true"); });
      open(key, row);
    };
    const about = dot => {
      const box = dot.getBoundingClientRect();
      say(words(load(key), +dot.dataset.row), box.right, box.top);
    };
    const reach = dot => {
      const data = load(key);
      all('.dot[tabindex="0"]', dot.ownerSVGElement).forEach(other => other.setAttribute("tabindex", -1));
      dot.setAttribute("role", "button");
      if (!dot.hasAttribute("aria-label")) dot.setAttribute("aria-label", words(data, +dot.dataset.row).replaceAll("\n", ", "));
      dot.setAttribute("tabindex", 0);
      dot.focus();
    };
    all("svg", at).forEach(svg => {
      if (!svg.querySelector(".dot[tabindex]")) svg.querySelector(".dot")?.setAttribute("tabindex", 0);
      svg.addEventListener("pointerover", event => event.target.classList.contains("dot") ? about(event.target) : hush());
      svg.addEventListener("pointerleave", hush);
      svg.addEventListener("focusin", event => about(event.target));
      svg.addEventListener("focusout", hush);
      svg.addEventListener("click", event => event.target.classList.contains("dot") && choose(+event.target.dataset.row));
      svg.addEventListener("keydown", event => {
        const own = event.target;
        if (!own.classList.contains("dot")) return;
        const order = dots(svg).sort((a, b) => a.cx.baseVal.value - b.cx.baseVal.value);
        const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (step) reach(order[(order.indexOf(own) + step + order.length) % order.length]);
        else if (event.key === "Home") reach(order[0]);
        else if (event.key === "End") reach(order.at(-1));
        else if (event.key === "Enter" || event.key === " ") choose(+own.dataset.row);
        else return;
        event.preventDefault();
      });
    });
  });

  // ---- lanes: drawn again at the width there is and for the time that is asked for
  const UNITS = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
  const time = (seconds, digits = 4) => {
    if (!seconds) return "0 s";
    const [size, unit] = UNITS.find(([size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
    return parseFloat((seconds / size).toPrecision(digits)) + " " + unit;
  };
  const ROW = 22, TOP = 24;
  const lanes = (at, key, svg, view) => {
    const data = load(key);
    const column = name => data.column(name), start = column("start_s"), length = column("seconds");
    const phase = column("phase"), critical = column("critical");
    const rows = data.slices ??= (() => {
      const found = data.rows_of.map(() => []), place = new Map(data.rows_of.map((name, i) => [name, i]));
      for (let i = 0; i < data.rows; i++) found[place.get(column("row").get(i))].push(i);
      return found;
    })();
    const [first, last] = data.views[0];
    let [low, high] = view, left = 92, right = 0, scale = 1;
    const path = (spans, y, height) => spans.map(([a, b]) => {
      const x = left + (a - low) * scale, width = Math.max((b - a) * scale, .4);
      return `M${x.toFixed(1)} ${y}h${width.toFixed(1)}v${height}h${(-width).toFixed(1)}z`;
    }).join("");
    const draw = () => {
      const width = Math.max(300, Math.min(1100, svg.parentElement.clientWidth));
      left = width < 600 ? 66 : 92; right = width - (width < 600 ? 56 : 62); scale = (right - left) / (high - low);
      const bottom = TOP + ROW * rows.length, parts = [];
      svg.setAttribute("viewBox", `0 0 ${width} ${bottom + 6}`);
      svg.setAttribute("width", width); svg.setAttribute("height", bottom + 6);
      (width < 600 ? [0, .5, 1] : [0, .25, .5, .75, 1]).forEach(share => {
        const x = left + share * (right - left);
        parts.push(node("line", { class: "axis", x1: x, y1: TOP - 4, x2: x, y2: bottom }));
        parts.push(node("text", { x, y: TOP - 9, "text-anchor": share === 0 ? "start" : share === 1 ? "end" : "middle" },
          time(low + share * (high - low))));
      });
      rows.forEach((own, i) => {
        const y = TOP + i * ROW, spans = {}, near = .5 / scale;
        parts.push(node("text", { x: left - 6, y: y + 15, "text-anchor": "end" }, data.short[i]));
        parts.push(node("text", { x: right + 6, y: y + 15 }, figure(100 * data.busy[i]).toPrecision(3) + " %"));
        for (const s of own) {
          const a = Math.max(low, start.get(s)), b = Math.min(high, start.get(s) + length.get(s));
          if (a >= b) continue;
          for (const kind of [data.colours[phase.get(s)] ?? data.colours[""], ...(critical.get(s) ? ["chain"] : [])]) {
            const known = (spans[kind] ??= []), end = known.at(-1);
            if (end && a - end[1] < near) end[1] = Math.max(end[1], b); else known.push([a, b]);
          }
        }
        for (const [kind, own] of Object.entries(spans).sort((a, b) => (a[0] === "chain") - (b[0] === "chain"))) {
          const chain = kind === "chain";
          parts.push(node("path", { class: kind, d: path(own, y + (chain ? 16 : 3), chain ? 3 : 16) }));
        }
      });
      svg.replaceChildren(...parts);
    };
    const move = (from, to) => {
      const span = Math.min(last - first, Math.max(to - from, (last - first) * 1e-6));
      low = Math.min(Math.max(first, from), last - span); high = low + span;
      draw();
      svg.setAttribute("aria-label", `${time(low)} to ${time(high)}`);
    };
    const act = what => {
      const span = high - low, middle = (low + high) / 2;
      if (what === "in") move(middle - span / 4, middle + span / 4);
      else if (what === "out") move(middle - span, middle + span);
      else if (what === "left") move(low - span / 4, high - span / 4);
      else if (what === "right") move(low + span / 4, high + span / 4);
      else if (what === "all") move(first, last);
    };
    const place = event => {
      const box = svg.getBoundingClientRect(), size = svg.viewBox.baseVal;
      const x = (event.clientX - box.left) * size.width / box.width, y = (event.clientY - box.top) * size.height / box.height;
      return { x, moment: low + (x - left) / scale, row: Math.floor((y - TOP) / ROW) };
    };
    const slice = ({ moment, row }) => rows[row]?.find(s => {
      const room = Math.max(0, 1.5 / scale - length.get(s)) / 2;
      return start.get(s) - room <= moment && moment < start.get(s) + length.get(s) + room;
    });
    const told = s => `${column("name").get(s)}\n${[phase.get(s), column("kind").get(s)].filter(Boolean).join(", ")}\n`
      + `${time(length.get(s))} from ${time(start.get(s), 6)}` + (critical.get(s) ? "\non the critical path" : "");
    let from = null, band = null;
    svg.addEventListener("pointerdown", event => { from = place(event); });
    svg.addEventListener("pointermove", event => {
      const here = place(event);
      if (from && event.pointerType === "mouse" && Math.abs(here.x - from.x) > 4) {
        band ??= svg.appendChild(node("rect", { class: "window", y: TOP, height: ROW * rows.length }));
        band.setAttribute("x", Math.min(from.x, here.x)); band.setAttribute("width", Math.abs(here.x - from.x));
        return hush();
      }
      const s = slice(here);
      if (s === undefined) hush(); else say(told(s), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerup", event => {
      const here = place(event), s = slice(here);
      if (band) { band.remove(); band = null; move(Math.min(from.moment, here.moment), Math.max(from.moment, here.moment)); }
      else if (s !== undefined) open(key, s);
      from = null;
    });
    svg.addEventListener("pointerleave", () => { hush(); from = null; if (band) { band.remove(); band = null; } });
    svg.addEventListener("dblclick", () => move(first, last));
    svg.addEventListener("keydown", event => {
      const what = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", Home: "all" }[event.key];
      if (what) { act(what); event.preventDefault(); }
    });
    svg.setAttribute("tabindex", 0);
    draw();
    let width = svg.parentElement.clientWidth;
    new ResizeObserver(() => {
      if (Math.abs(svg.parentElement.clientWidth - width) > 8) { width = svg.parentElement.clientWidth; draw(); }
    }).observe(svg.parentElement);
    return act;
  };
  const begin = at => {
    const key = at.id.slice(4), tools = at.querySelector(".tools"), panel = document.getElementById("panel-" + key);
    const data = load(key);
    panel.textContent = "Point at a slice to see what it is, click to keep it here. Drag over a span of time to zoom, or use "
      + "the buttons; with the keyboard: Tab to the chart, then + − ← → Home.";
    const acts = all("svg", at).map((svg, i) => lanes(at, key, svg, data.views[i] ?? data.views[0]));
    tools.hidden = false;
    const chain = tools.querySelector("[data-do=chain]");
    chain.hidden = !data.chain;
    tools.addEventListener("click", event => {
      const what = event.target.dataset.do;
      if (what === "chain") chain.setAttribute("aria-pressed", at.classList.toggle("only-chain"));
      else if (what) acts.at(-1)(what);
    });
  };
  // a schedule may be large: it is read when it comes near, the still picture is there before
  const near = new IntersectionObserver(found => found.filter(e => e.isIntersecting).forEach(e => {
    near.unobserve(e.target);
    begin(e.target);
  }), { rootMargin: "600px" });
  all("figure[data-kind=lanes]").forEach(at => near.observe(at));
})();
