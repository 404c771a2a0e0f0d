/** A part of the live stream. `draw` is the share of visitors that come for the sleeper, and the story is a line about it. */
export interface Chapter {
  fromMs: number
  draw: number
  storyOf: (sleeper: string) => string
}

/** In the order of their start, which counts from the start of the stream. */
const CHAPTERS: readonly Chapter[] = [
  { fromMs: 0, draw: 0, storyOf: () => 'an ordinary day' },
  { fromMs: 15_000, draw: 0.9, storyOf: (sleeper) => `${sleeper} goes viral` },
  { fromMs: 90_000, draw: 0.2, storyOf: (sleeper) => `the talk about ${sleeper} dies down` },
]

/** The chapter at a time of the stream. */
export function chapterAt(elapsedMs: number): Chapter {
  return CHAPTERS.findLast(({ fromMs }) => fromMs <= elapsedMs) ?? CHAPTERS[0]!
}
