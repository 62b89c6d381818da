// What pages for people can do with a script: show new events as they come, say times in words, move plots, search as one
// types, copy commands. Each page is complete without it, and it asks nobody but the server that it is from.

"use strict";

(() => {
  const main = document.querySelector("main");
  const REFRESH_PAUSE_MS = 1000;
  const TYPING_PAUSE_MS = 120;

  // Times, in words. The whole time stays where it can be found, and in `datetime` for programs.

  const UNITS = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  function ago(seconds) {
    if (seconds < 1) return "just now";
    const [unit, size] = UNITS.find(([, size]) => seconds >= size);
    const count = Math.floor(seconds / size);
    return `${count} ${unit}${unit === "day" && count > 1 ? "s" : ""} ago`;
  }

  function sayTimes(within = document) {
    for (const time of within.querySelectorAll("td time")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      if (!time.title) time.title = `${time.textContent} UTC`;
      // What is long ago is better named by its date.
      const words = seconds < 30 * 86400 ? ago(seconds) : time.title.slice(0, 10);
      if (time.textContent !== words) time.textContent = words;
    }
  }

  // Parts of the page, fetched anew from where the page came from. The server renders; here they only change places.

  const shown = new Map();
  let asking = null;
  let asked = 0;

  const keys = (part) => new Set(Array.from(part.querySelectorAll("tbody tr a:first-child"), (link) => link.href));

  function replace(part, fresh) {
    const before = shown.get(part.id);
    shown.set(part.id, fresh.innerHTML);
    if (fresh.innerHTML === before) return 0;
    const known = keys(part);
    const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    part.replaceChildren(...fresh.childNodes);
    sayTimes(part);
    addCopyButtons(part);
    if (focused !== null) {
      Array.from(part.querySelectorAll("a[href]")).find((link) => link.getAttribute("href") === focused)?.focus();
    }
    let added = 0;
    for (const row of part.querySelectorAll("tbody tr")) {
      const link = row.querySelector("a");
      if (known.size > 0 && link && !known.has(link.href)) {
        row.classList.add("new");
        added += 1;
      }
    }
    return added;
  }

  async function refresh(url = location.href) {
    asking?.abort();
    asking = new AbortController();
    asked = Date.now();
    let reply;
    try {
      // What a cache has may be a second old, and the news is newer.
      reply = await fetch(url, { cache: "no-cache", headers: { Accept: "text/html" }, signal: asking.signal });
      if (!reply.ok) return;
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      let added = 0;
      for (const part of document.querySelectorAll("[data-fresh]")) {
        const fresh = page.getElementById(part.id);
        if (fresh) added += replace(part, fresh);
      }
      if (added > 0 && main.dataset.news) say(added === 1 ? "A new event." : `${added} new events.`);
    } catch (error) {
      // Another question took its place, or the server is away: the next time tells.
      if (error.name !== "AbortError" && error.name !== "TypeError") throw error;
    }
  }

  // For whoever listens to the page instead of looking at it.

  const spoken = document.createElement("p");
  spoken.className = "unseen";
  spoken.setAttribute("role", "status");
  document.body.append(spoken);

  function say(words) {
    spoken.textContent = words;
  }

  // New events: an event stream says that there are some. It is let go while nobody looks, since a browser has few
  // connections to a server.

  let news = null;
  let soon = null;
  let isLive = true;

  function hear() {
    if (soon) return;
    const pause = Math.max(0, REFRESH_PAUSE_MS - (Date.now() - asked));
    soon = setTimeout(() => { soon = null; refresh(); }, pause);
  }

  function listen() {
    const wanted = isLive && !document.hidden && main.dataset.news;
    if (wanted && !news) {
      news = new EventSource(main.dataset.news);
      news.onmessage = hear;
    } else if (!wanted && news) {
      news.close();
      news = null;
    }
  }

  function addLiveButton() {
    const heading = main.dataset.news && document.getElementById("events");
    if (!heading) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "live";
    button.textContent = "Live";
    button.setAttribute("aria-pressed", "true");
    button.title = "Show new events as they come";
    button.addEventListener("click", () => {
      isLive = !isLive;
      button.setAttribute("aria-pressed", String(isLive));
      if (isLive) refresh();
      listen();
    });
    heading.append(button);
  }

  // Searching as one types; the address follows, so that what was found can be found again.

  function addSearch() {
    const form = document.querySelector("form.search");
    const field = form?.querySelector("input");
    if (!field) return;
    let typing = null;
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        const url = new URL(form.action);
        if (field.value) url.searchParams.set(field.name, field.value);
        history.replaceState(null, "", url);
        refresh();
      }, TYPING_PAUSE_MS);
    });
  }

  function addCopyButtons(within = document) {
    if (!navigator.clipboard) return;
    for (const block of within.querySelectorAll("pre.copy")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copying";
      button.textContent = "Copy";
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
        say("Copied.");
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
      block.append(button);
    }
  }

  document.body.classList.add("told");
  for (const part of document.querySelectorAll("[data-fresh]")) shown.set(part.id, part.innerHTML);
  sayTimes();
  setInterval(sayTimes, 1000);
  addLiveButton();
  addSearch();
  addCopyButtons();
  listen();
  document.addEventListener("visibilitychange", () => {
    listen();
    if (!document.hidden && (news || main.dataset.every)) refresh();
  });
  const every = Number(main.dataset.every);
  if (every > 0) setInterval(() => { if (!document.hidden) refresh(); }, every * 1000);
})();
