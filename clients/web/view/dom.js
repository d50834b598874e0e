// Elements made one by one, so that nothing which a mail says is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = {
  back: "M15 5l-7 7 7 7",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4",
  check: "M5 13l4 4L19 7",
  clip: "M8 12l5-5a3 3 0 0 1 4 4l-7 7a5 5 0 0 1-7-7l7-7",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 4v11m-5-5l5 5 5-5M5 20h14",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4 4",
  shield: "M12 3l7 3v6c0 4-3 7-7 9-4-2-7-5-7-9V6z",
  date: "M5 6h14v14H5zM5 10h14M9 3v4M15 3v4",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.5",
};

/** An element; `properties` are set on it, `data-`, `aria-` and `role` as attributes. Children that are null are left out. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (key.includes("-") || key === "role" || key === "for") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

/** A drawing that says nothing to those who cannot see it. */
export function drawing(name) {
  const svg = document.createElementNS(SVG, "svg"), path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "drawing");
  path.setAttribute("d", DRAWN[name]);
  svg.append(path);
  return svg;
}

/** A button with a drawing; `label` is what it is called, and what is shown beside the drawing if `worded`. */
export function button(label, name, onclick, { worded = false, className = "" } = {}) {
  const properties = { type: "button", onclick, title: worded ? null : label, "aria-label": worded ? null : label };
  return element("button", { className: `button ${worded ? "" : "round"} ${className}`, ...properties },
    name && drawing(name), worded && label);
}

/** What somebody else wrote, kept from changing the direction of what is around it. */
export function foreign(text, name = "bdi", properties = {}) {
  return element(name, { dir: "auto", ...properties }, text);
}
