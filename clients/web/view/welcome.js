// What a browser shows that is not paired, and the question whether another device is to take the place of this one.

import { loginIn } from "../pairing.js";
import { button, element } from "./dom.js";

/** `pair(login)` is called with the login of a link that was pasted. */
export function welcome({ pair, ios, standalone }) {
  const input = element("input", {
    id: "link", type: "url", autocomplete: "off", spellcheck: false, required: true, placeholder: "https://…#pair=…",
    "aria-describedby": "wrong",
  });
  const wrong = element("p", { id: "wrong", className: "wrong", role: "alert" });
  const form = element("form", { className: "pair" },
    element("label", { for: "link" }, "Link"), input,
    element("button", { className: "button main", type: "submit" }, "Pair"), wrong);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const login = loginIn(input.value);
    input.value = "";
    if (login) pair(login);
    else wrong.textContent = "This is no link that pairs: it ends in #pair= and many letters.";
  });
  return element("main", { className: "alone" },
    element("img", { src: "icon.svg", alt: "", className: "logo", width: 88, height: 88 }),
    element("h1", {}, "Postbell"),
    element("p", {}, "Mail, the moment it arrives. To begin, scan the code that this prints on the server, or open its link here:"),
    element("pre", {}, "postbell device add NAME phone --qr"),
    ios && !standalone
      ? element("p", { className: "hint" }, "On an iPhone or iPad first add this page to the home screen: Share, then Add to Home Screen. Open it there, and paste the link.")
      : null,
    form);
}

/** Whether `login` is to take the place of `before`: `choose(true)` or `choose(false)`. */
export function another({ login, before, choose }) {
  return element("main", { className: "alone", role: "alertdialog", "aria-labelledby": "another" },
    element("h1", { id: "another" }, "Another device?"),
    element("p", {}, `This link is of ${login.user}’s device “${login.device}”. This browser is ${before.user}’s device “${before.device}”, and would forget it.`),
    element("div", { className: "buttons" },
      button("Leave it as it is", null, () => choose(false), { worded: true, className: "main" }),
      button(`Be ${login.user}’s “${login.device}”`, null, () => choose(true), { worded: true })));
}
