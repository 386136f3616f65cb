/** Runs inside the page: how late the main thread takes up work, how far apart frames are, how long a change of place takes. */

/**
 * Playwright hands this function to the page as text, so it uses nothing from outside itself. All in milliseconds.
 * @param {number} durationMs
 * @returns {Promise<{ timers: number[], frames: number[], places: number[] }>} `timers`: lateness of a timer that was due; `frames`:
 *   time between frames; `places`: from a click on the rail until the other place has been painted
 */
export async function probe(durationMs) {
  const WAIT_MS = 50;
  /** @type {{ timers: number[], frames: number[], places: number[] }} */
  const found = { timers: [], frames: [], places: [] };
  /** @type {(ms: number) => Promise<void>} */
  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  /** @type {() => Promise<number>} */
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  // A message that a frame's callback posts is taken up after that frame was painted.
  const painted = async () => {
    await frame();
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.addEventListener('message', resolve);
      port1.start();
      port2.postMessage(null);
    });
  };
  /** @param {string} place */
  const goTo = async (place) => {
    const link = document.querySelector(`nav a[href="#${place}"]`);
    if (!(link instanceof HTMLElement)) throw new Error(`the rail has no link to ${place}`);
    const startedAt = performance.now();
    link.click();
    while (link.getAttribute('aria-current') !== 'page') await frame();
    await painted();
    return performance.now() - startedAt;
  };

  const watch = { isOver: false };
  const watchFrames = async () => {
    let last = await frame();
    while (!watch.isOver) {
      const now = await frame();
      found.frames.push(now - last);
      last = now;
    }
  };
  const watching = watchFrames();
  const endsAt = performance.now() + durationMs;
  while (performance.now() < endsAt) {
    for (const place of ['data', 'train']) {
      const due = performance.now() + WAIT_MS;
      await sleep(WAIT_MS);
      found.timers.push(performance.now() - due);
      found.places.push(await goTo(place));
    }
  }
  watch.isOver = true;
  await watching;
  return found;
}
