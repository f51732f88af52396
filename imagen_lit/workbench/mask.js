"use strict";
// A mask as the strokes that made it: undo takes the last one away, and what is stored is small
// and the same after a reload.

class Mask {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.strokes = [];
    this.isErasing = false;
    this.radius = 16; // pixels of the picture
    this.place = null; // of the brush
    this.isTyping = false; // whether the keyboard moves it, and it has to be seen
    this.stroke = null;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, () => this.end());
    }
  }

  resize(size) {
    this.canvas.width = this.canvas.height = size;
    this.show();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    const round = (value) => Math.round(value * scale * 10) / 10;
    return [round(event.clientX - box.left), round(event.clientY - box.top)];
  }

  begin(event) {
    if (event.button) return;
    event.preventDefault();
    this.canvas.focus();
    try {
      this.canvas.setPointerCapture(event.pointerId);
    } catch { /* a pointer that is gone already */ }
    this.isTyping = false;
    this.dab(this.at(event));
  }

  dab(place) {
    this.stroke = { erase: this.isErasing, radius: this.radius, points: [place] };
    this.strokes.push(this.stroke);
    this.place = place;
    this.show();
  }

  move(event) {
    if (!this.stroke) return;
    this.place = this.at(event);
    this.stroke.points.push(this.place);
    this.show();
  }

  end() {
    if (!this.stroke) return;
    this.stroke = null;
    this.changed();
  }

  step(across, down) { // of the keyboard
    this.isTyping = true;
    const middle = this.canvas.width / 2;
    const [x, y] = this.place || [middle, middle];
    const within = (value) => Math.min(Math.max(value, 0), this.canvas.width);
    this.place = [within(x + across * this.radius), within(y + down * this.radius)];
    this.show();
  }

  undo() {
    this.strokes.pop();
    this.end();
    this.show();
    this.changed();
  }

  clear() {
    this.strokes = [];
    this.show();
    this.changed();
  }

  draw(pen, colour) {
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = pen.fillStyle = colour;
    for (const { erase, radius, points } of this.strokes) {
      pen.globalCompositeOperation = erase ? "destination-out" : "source-over";
      pen.lineWidth = 2 * radius;
      pen.beginPath();
      pen.moveTo(...points[0]);
      pen.lineTo(...points[0]);
      for (const point of points.slice(1)) pen.lineTo(...point);
      pen.stroke();
    }
    pen.globalCompositeOperation = "source-over";
  }

  show() {
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.draw(pen, "rgb(255, 64, 129)");
    if (!this.isTyping || document.activeElement !== this.canvas) return;
    pen.strokeStyle = "white";
    pen.lineWidth = Math.max(1, this.canvas.width / 256);
    pen.beginPath();
    pen.arc(...this.place, this.radius, 0, 7);
    pen.stroke();
  }

  // White where something is drawn anew, as a PNG's address.
  address() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = this.canvas.width;
    const pen = canvas.getContext("2d");
    this.draw(pen, "white");
    pen.globalCompositeOperation = "destination-over";
    pen.fillStyle = "black";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    return canvas.toDataURL("image/png");
  }
}
