const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
const WIDE =
  /\p{RGI_Emoji}|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/v
const NOTHING = /^[\p{M}\p{Cf}]+$/v

/** The columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  return charactersOf(text).reduce((width, character) => width + widthOfCharacter(character), 0)
}

/** A text cut to the columns of a terminal. */
export function cutTo(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text
  let [cut, used] = ['', 0]
  for (const character of charactersOf(text)) {
    used += widthOfCharacter(character)
    if (used >= columns) break
    cut += character
  }
  return `${cut}…`
}

/** The spaces that fill a text up to a number of columns. */
export function spacesTo(columns: number, text: string): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text)))
}

function charactersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function widthOfCharacter(character: string): number {
  if (NOTHING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}
