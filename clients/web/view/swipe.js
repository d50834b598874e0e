// A row that is dragged aside: far enough, and it is done with.

const FAR = 0.35, SLOP = 12;

/** Have a row be swiped either way; `done` is called once it is out of sight. */
export function swipeable(row, moved, done) {
  let start = null, dragging = false;

  const end = (far) => {
    if (start === null) return;
    start = null;
    row.classList.remove("dragged");
    if (!dragging) return;
    dragging = false;
    const aside = Number(moved.dataset.dx ?? 0);
    delete moved.dataset.dx;
    if (!far || Math.abs(aside) < row.clientWidth * FAR) {
      moved.style.transform = "";
      return;
    }
    moved.style.transform = `translateX(${Math.sign(aside) * 110}%)`;
    setTimeout(done, 160);
  };

  row.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" || !event.isPrimary) return;
    start = { x: event.clientX, y: event.clientY, id: event.pointerId };
  });
  row.addEventListener("pointermove", (event) => {
    if (start === null || event.pointerId !== start.id) return;
    const dx = event.clientX - start.x, dy = event.clientY - start.y;
    if (!dragging) {
      if (Math.abs(dy) > SLOP && Math.abs(dy) > Math.abs(dx)) return end(false);
      if (Math.abs(dx) < SLOP) return;
      dragging = true;
      row.classList.add("dragged");
      row.setPointerCapture(event.pointerId);
    }
    moved.dataset.dx = String(dx);
    moved.style.transform = `translateX(${dx}px)`;
  });
  row.addEventListener("pointerup", () => end(true));
  row.addEventListener("pointercancel", () => end(false));
  // what ends a drag is no click
  row.addEventListener("click", (event) => {
    if (moved.style.transform) event.preventDefault();
  }, true);
}
