/**
 * Loaded into a worker process before all else: its wall clock jumps to and fro by up to three
 * minutes, every half second. Monotonic time is true.
 */
const RealDate = Date;
let offsetMs = 0;
setInterval(() => {
  offsetMs = Math.round((Math.random() - 0.5) * 360_000);
}, 500).unref();

globalThis.Date = class extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + offsetMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + offsetMs;
  }
};
