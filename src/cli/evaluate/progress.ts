import { percentOf, progressBarOn } from '../terminal/progress-bar.ts'
import type { OnProgress } from './run.ts'

const LINE_EVERY_MS = 10_000
/** More frames are not seen, and cost time. */
const FRAME_EVERY_MS = 100

/** A bar on a terminal, otherwise a line every 10 s. Both go to stderr, because stdout is for the result. */
export function evaluationProgressOn(
  stream: NodeJS.WriteStream,
  now = () => performance.now(),
): { report: OnProgress; stop: () => void } {
  const bar = stream.isTTY ? progressBarOn(stream) : undefined
  const every = bar === undefined ? LINE_EVERY_MS : FRAME_EVERY_MS
  let nextAt = now() + every
  return {
    report: (text, done, total) => {
      if (now() < nextAt) return
      nextAt = now() + every
      const counted = `${text}: ${done.toLocaleString('en')}${total === Infinity ? '' : ` of ${total.toLocaleString('en')}`}`
      if (bar === undefined) stream.write(`${percentOf(done / total)}: ${counted}\n`)
      else bar.draw(done / total, counted)
    },
    stop: () => bar?.clear(),
  }
}
