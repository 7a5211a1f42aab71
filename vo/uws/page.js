// Keeps the page of a job up to date while it waits or runs. WAIT makes the service hold the answer back
// until there is news (UWS 1.1, 2.2.1.3), so this asks seldom and hears at once.
"use strict";

const REST_MS = 1000;
const RETRY_MS = 5000;

function state() {
  return document.querySelector("[data-follow]");
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function newest(url) {
  const answer = await fetch(url, { headers: { Accept: "text/html,application/xhtml+xml" } });
  if (answer.status === 404) location.reload();
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Nothing is taken away from under somebody who is about to press a button, unless it has lost its meaning.
function show(fresh, hasMoved) {
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const old = document.getElementById(part.id);
    if (old && (hasMoved || !old.contains(document.activeElement))) old.replaceWith(part);
  }
}

async function follow() {
  while (state()) {
    try {
      const before = state().querySelector(".phase").textContent;
      const fresh = await newest(state().dataset.follow);
      show(fresh, fresh.querySelector(".phase").textContent !== before);
      await sleep(REST_MS);
    } catch {
      await sleep(RETRY_MS);
    }
  }
}

follow();
