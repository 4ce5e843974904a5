// Makes timelines and players live. Everything is heard at the document: the page's parts come and go.
(() => {
  "use strict";
  const kept = { result: "", time: 0, playing: false };
  const all = (selector) => [...document.querySelectorAll(selector)];
  const overlay = () => document.querySelector('.spot-players video[data-part="overlay"]');
  const original = () => document.querySelector('.spot-players video[data-part="original"]');
  const other = (video) => (video.dataset.part === "overlay" ? original() : overlay());
  const curve = () => document.querySelector(".spot-curve");
  const clock = (seconds) => {
    const tenths = Math.floor(seconds * 10 + 1e-6);
    return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
  };

  const momentsOf = (element) => {
    if (element.spotText !== element.dataset.moments) {
      element.spotText = element.dataset.moments;
      element.spotMoments = JSON.parse(element.dataset.moments);
    }
    return element.spotMoments;
  };
  const momentAt = (element, time) => {
    const moments = momentsOf(element);
    const index = Math.round((time - moments[0][0]) / Number(element.dataset.step));
    return moments[Math.min(Math.max(index, 0), moments.length - 1)];
  };

  const jump = (time) => {
    for (const video of all(".spot-players video")) {
      const end = Number.isFinite(video.duration) ? video.duration : time;
      video.currentTime = Math.max(0, Math.min(time, end));
    }
    show(time);
  };

  const part = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  // What is said of the time at hand, and where it is on the timeline.
  const show = (time) => {
    const element = curve();
    if (!element) return;
    const share = Math.min(Math.max(time / Number(element.dataset.seconds), 0), 1);
    element.querySelector(".spot-head").style.left = `${share * 100}%`;
    const [, verdict, sure, heard, colour] = momentAt(element, time);
    element.setAttribute("aria-valuenow", time.toFixed(2));
    element.setAttribute("aria-valuetext", `${clock(time)}, ${verdict}`);
    const told = document.querySelector(".spot-clock");
    if (told) told.textContent = `${clock(time)} / ${clock(Number(element.dataset.seconds))}`;
    const now = document.querySelector(".spot-now");
    const chip = part("b", verdict, "spot-chip");
    chip.style.background = colour;
    if (verdict === "silent") chip.style.color = "#fff";
    now.replaceChildren(part("time", clock(time)), chip);
    if (sure !== null && verdict !== "silent") now.append(part("span", `in view: ${Math.round(sure * 100)} %`));
    for (const [name, value] of heard) {
      const tag = part("span", value === null ? name : `${name} ${Math.round(value * 100)} %`, "spot-tag");
      if (value !== null) tag.style.setProperty("--share", value);
      now.append(tag);
    }
    for (const row of all(".spot-jump")) {
      const next = row.parentElement.nextElementSibling?.firstElementChild;
      const ends = next ? Number(next.dataset.time) : Infinity;
      row.classList.toggle("spot-here", Number(row.dataset.time) <= time && time < ends);
    }
  };

  const timeUnder = (element, event) => {
    const box = element.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * Number(element.dataset.seconds);
  };

  document.addEventListener("pointerdown", (event) => {
    const element = event.target.closest?.(".spot-curve");
    if (!element || event.button) return;
    element.spotHeld = true;
    jump(timeUnder(element, event));
  });
  document.addEventListener("pointerup", () => {
    if (curve()) curve().spotHeld = false;
  });
  document.addEventListener("pointermove", (event) => {
    const element = event.target.closest?.(".spot-curve");
    const tip = document.querySelector(".spot-tip");
    if (!element) {
      if (tip) tip.hidden = true;
      return;
    }
    const time = timeUnder(element, event);
    if (element.spotHeld && event.buttons) jump(time);
    const [, verdict, sure, heard] = momentAt(element, time);
    const words = [clock(time), verdict];
    if (sure !== null && verdict !== "silent") words.push(`${Math.round(sure * 100)} %`);
    if (heard.length) words.push(heard[0][0]);
    tip.textContent = words.join(" · ");
    tip.hidden = false;
    const share = time / Number(element.dataset.seconds);
    tip.style.left = `${share * 100}%`;
    tip.style.transform = `translateX(${-share * 100}%)`;
  });
  const toggle = (video) => (video.paused ? video.play().catch(() => {}) : video.pause());
  const controls = {
    play: toggle,
    mute: (video, button) => {
      video.muted = kept.muted = !video.muted;
      button.textContent = video.muted ? "Unmute" : "Mute";
    },
    large: (video) => (video.requestFullscreen ? video.requestFullscreen() : video.webkitEnterFullscreen?.()),
  };
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".spot-jump");
    if (row) jump(Number(row.dataset.time) + 0.01);
    const video = overlay();
    const button = event.target.closest?.(".spot-controls button");
    if (button && video) controls[button.dataset.do](video, button);
    if (event.target.matches?.(".spot-players video, .spot-players img") && video) toggle(video);
  });
  document.addEventListener("keydown", (event) => {
    const element = event.target.closest?.(".spot-curve");
    const video = overlay();
    if (!element || !video) return;
    const step = Number(element.dataset.step);
    const keys = { ArrowRight: video.currentTime + step, ArrowLeft: video.currentTime - step, Home: 0,
      End: Number(element.dataset.seconds) };
    if (event.key in keys) jump(Math.max(0, keys[event.key]));
    else if (event.key === " ") toggle(video);
    else return;
    event.preventDefault();
  });

  // Media events do not bubble, but they can be caught on their way down.
  const hear = (name, react) => document.addEventListener(name, (event) => {
    if (event.target.matches?.(".spot-players video")) react(event.target);
  }, true);
  const follow = (video, slack) => {
    const second = other(video);
    if (second && Math.abs(second.currentTime - video.currentTime) > slack) second.currentTime = video.currentTime;
  };
  const named = (text) => {
    const button = document.querySelector('.spot-controls [data-do="play"]');
    if (button) button.textContent = text;
  };
  hear("play", (video) => {
    if (video.dataset.part === "overlay") named("❚❚ Pause");
    follow(video, 0.05);
    if (other(video)?.paused) other(video).play().catch(() => {});
    if (video.dataset.part === "overlay") kept.playing = true;
  });
  hear("pause", (video) => {
    if (video.dataset.part !== "overlay" || !video.isConnected) return;
    kept.playing = false;
    named("▶ Play");
    original()?.pause();
    follow(video, 0.05);
  });
  hear("seeked", (video) => {
    if (video.dataset.part === "overlay") follow(video, 0.05);
  });
  hear("timeupdate", (video) => {
    if (video.dataset.part !== "overlay" || !video.spotReady) return;
    kept.result = video.closest(".spot-players").dataset.result;
    kept.time = video.currentTime;
    follow(video, 0.2);
    show(video.currentTime);
  });
  // A film that was drawn again goes on where the one before was.
  hear("loadedmetadata", (video) => {
    video.spotReady = true;
    if (video.closest(".spot-players").dataset.result !== kept.result) {
      if (video.dataset.part === "overlay") show(0);
      return;
    }
    video.currentTime = kept.time;
    if (video.dataset.part === "overlay") {
      show(kept.time);
      video.muted = Boolean(kept.muted);
      if (kept.playing) video.play().catch(() => {});
    }
  });
  // A timeline that was judged again stands where the one before was.
  new MutationObserver(() => {
    const element = curve();
    if (element && !element.spotSeen) {
      element.spotSeen = true;
      const video = overlay();
      show(video && video.readyState ? video.currentTime : 0);
    }
    // What was asked for appears below the fold of a phone.
    for (const name of ["progress", "problem"]) {
      const told = document.querySelector(`.spot-${name}`);
      if (told && kept.told !== name) told.scrollIntoView({ block: "nearest", behavior: "smooth" });
      if (told) kept.told = name;
    }
    if (!document.querySelector(".spot-progress, .spot-problem")) kept.told = "";
  }).observe(document, { childList: true, subtree: true });
})();
