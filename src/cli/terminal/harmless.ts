/** Characters that move the cursor, set colours, end a line, change the direction of text, or show nothing, as U+2800 does. */
const UNSAFE = String.raw`[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]`
/** An emoji may contain joiners, tags and selectors, and a letter of these scripts may have one selector, which chooses its form. */
const FORMS = String.raw`\p{RGI_Emoji}|\p{Ideographic}[\u{E0100}-\u{E01EF}]|\p{Script=Mongolian}[\u180B-\u180D\u180F]`
const EMOJI_OR_UNSAFE = new RegExp(String.raw`${FORMS}|${UNSAFE}`, 'gv')
const EACH_UNSAFE = new RegExp(UNSAFE, 'gv')
const ONE_UNSAFE = new RegExp(`^${UNSAFE}$`, 'v')
const SHORT = new Map([
  ['\n', String.raw`\n`],
  ['\r', String.raw`\r`],
  ['\t', String.raw`\t`],
])

/** A text from outside as one line that a terminal only shows: every other character becomes an escape, e.g. \u202e. */
export function harmless(text: string): string {
  return text.replaceAll(EMOJI_OR_UNSAFE, (found) => (ONE_UNSAFE.test(found) ? (SHORT.get(found) ?? escapeOf(found)) : found))
}

/** A value as JSON in which these characters are escaped too. */
export function harmlessJson(value: unknown): string {
  return harmlessJsonText(JSON.stringify(value, null, 2))
}

/** The same for a text that is JSON, or lines of it. */
export function harmlessJsonText(json: string): string {
  const lines = json.split('\n')
  return lines.map((line) => line.replaceAll(EACH_UNSAFE, (found) => found.split('').map(escapeOf).join(''))).join('\n')
}

function escapeOf(character: string): string {
  const code = character.codePointAt(0)!.toString(16)
  return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`
}
