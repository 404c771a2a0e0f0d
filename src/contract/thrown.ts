const CHARACTERS_MAX = 300

/**
 * What an error says, as one line of at most 300 characters. Code that is not Footfall's may throw anything: text, undefined, or an
 * object whose fields throw when they are read.
 */
export function messageOf(thrown: unknown): string {
  const [line = ''] = textOf(thrown).trim().split('\n', 1)
  return line.length > CHARACTERS_MAX ? `${line.slice(0, CHARACTERS_MAX).toWellFormed()}…` : line
}

function textOf(thrown: unknown): string {
  try {
    const text: unknown = typeof thrown === 'object' && thrown !== null && 'message' in thrown ? thrown.message : thrown
    if (typeof text === 'string' && text.trim() !== '') return text
  } catch {
    // A field that throws has no text.
  }
  return `${thrown === null ? 'null' : typeof thrown} was thrown, without a message`
}
