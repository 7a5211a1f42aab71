// Keeps the page of the status up to date, while somebody looks at it.
"use strict";

const EVERY_MS = 10000;

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html,application/xhtml+xml" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const parts = fresh.querySelectorAll("[data-live]");
  if (!parts.length) throw new Error(`status ${answer.status}`);
  for (const part of parts) document.getElementById(part.id)?.replaceWith(part);
}

// A service that is gone cannot say so itself.
function tell(isStale) {
  document.getElementById("stale").hidden = !isStale;
}

setInterval(() => refresh().then(() => tell(false), () => tell(true)), EVERY_MS);
