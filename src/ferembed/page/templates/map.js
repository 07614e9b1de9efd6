(() => {
  const map = document.currentScript.parentElement;
  const data = JSON.parse(map.querySelector("script[type='application/json']").textContent);
  const { places, captions, columns, side } = data, ring = document.createElement("b");
  const face = map.querySelector(".chosen i"), text = map.querySelector(".chosen span"), hint = text.textContent;
  let chosen = -1, held = false;
  ring.className = "ring";
  ring.hidden = true;
  map.append(ring);

  const picture = () => [...map.querySelectorAll("img")].find(image => image.offsetWidth);
  const nearest = (x, y, reach, fits = () => true) => {
    const image = picture();
    let best = -1;
    places.forEach(([left, top], number) => {
      const across = left * image.offsetWidth - x, down = top * image.offsetHeight - y;
      const distance = Math.hypot(across, down);
      if (distance < reach && fits(across, down)) [best, reach] = [number, distance];
    });
    return best;
  };
  const choose = number => {
    chosen = number;
    face.hidden = ring.hidden = number < 0;
    text.textContent = number < 0 ? hint : captions[number];
    if (number < 0) return;
    const image = picture(), [left, top] = places[number];
    ring.style.left = `${image.offsetLeft + left * image.offsetWidth}px`;
    ring.style.top = `${image.offsetTop + top * image.offsetHeight}px`;
    face.style.backgroundPosition = `${-side * (number % columns)}px ${-side * Math.floor(number / columns)}px`;
  };
  const pointed = (event, reach) => {
    const box = picture().getBoundingClientRect();
    return nearest(event.clientX - box.left, event.clientY - box.top, reach);
  };

  map.addEventListener("pointermove", event => {
    const number = held || event.pointerType === "touch" ? -1 : pointed(event, 14);
    if (number >= 0) choose(number);
  });
  map.addEventListener("click", event => {
    const number = pointed(event, 28);
    held = number >= 0;
    choose(number);
  });
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  map.addEventListener("keydown", event => {
    if (event.key === "Escape") {
      held = false;
      choose(-1);
    }
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    held = true;
    const image = picture(), [left, top] = chosen < 0 ? [0.5, 0.5] : places[chosen];
    const ahead = (across, down) => {
      const forward = across * step[0] + down * step[1];
      return forward > 0 && Math.abs(across * step[1]) + Math.abs(down * step[0]) <= forward;
    };
    const next = nearest(left * image.offsetWidth, top * image.offsetHeight, Infinity, chosen < 0 ? undefined : ahead);
    if (next >= 0) choose(next);
  });
  addEventListener("resize", () => choose(chosen));
})();
