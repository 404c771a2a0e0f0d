import { rhythmOf, startOfHour } from './rhythm.ts'

/** How many times as many events as ordinary ones a viral product brings. */
export const SURGE = 200

/** A part of the live stream. */
export interface Chapter {
  fromMs: number
  /** How many times as many events as on an ordinary day come on top of the ordinary ones. */
  surge: number
  /** The share of visitors that come for the sleeper. */
  draw: number
  /** A line about it. */
  storyOf: (sleeper: string) => string
}

/** In the order of their start, which counts from the start of the stream. */
const CHAPTERS: readonly Chapter[] = [
  { fromMs: 0, surge: 0, draw: 0, storyOf: () => 'an ordinary day' },
  { fromMs: 15_000, surge: SURGE, draw: 0.95, storyOf: (sleeper) => `${sleeper} goes viral` },
  { fromMs: 90_000, surge: 1, draw: 0.4, storyOf: (sleeper) => `the talk about ${sleeper} dies down` },
]

/** The chapter at a time of the stream. */
export function chapterAt(elapsedMs: number): Chapter {
  return CHAPTERS.findLast(({ fromMs }) => fromMs <= elapsedMs) ?? CHAPTERS[0]!
}

/** Events per second at a time of the stream: as the hour of the day has them, and those of the surge. */
export function rateAt(elapsedMs: number, rate: number, nowMs: number): number {
  return rate * (rhythmOf(startOfHour(nowMs)) + chapterAt(elapsedMs).surge)
}
