// The first thing that runs: a link that pairs leaves the address bar and the history before anything else can see it.

import { takeLink } from "./pairing.js";

export const link = takeLink(location, history);
