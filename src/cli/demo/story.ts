/** How the live stream develops: what share of those who come, come for the sleeper, and what is said about it. */
export interface Chapter {
  fromMs: number
  draw: number
  tell: (sleeper: string) => string
}

/** By the time since the stream began. */
const CHAPTERS: readonly Chapter[] = [
  { fromMs: 0, draw: 0, tell: () => 'an ordinary day' },
  { fromMs: 15_000, draw: 0.9, tell: (sleeper) => `${sleeper} goes viral` },
  { fromMs: 90_000, draw: 0.2, tell: (sleeper) => `the talk about ${sleeper} dies down` },
]

/** What happens at a time of the stream. */
export function chapterAt(elapsedMs: number): Chapter {
  return CHAPTERS.findLast(({ fromMs }) => fromMs <= elapsedMs) ?? CHAPTERS[0]!
}
