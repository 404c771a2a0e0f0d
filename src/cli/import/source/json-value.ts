/** Where a JSON value ends; or that the text ends before it; or that it is broken, because a bracket or a quote does not fit. */
export type ValueEnd = { end: number } | 'open' | 'broken'

const CLOSING: Readonly<Record<string, string>> = { '{': '}', '[': ']' }
/** Raw line ends are no part of a JSON string, so one in a string shows that a quote is missing. */
const STRING_STOPS = /["\\\n\r]/g
const STRUCTURE = /["{}[\]]/g
const SCALAR_END = /[\s,[\]{}]/g

/**
 * Where the value ends that starts at `at`. It looks at brackets and quotes only; whether the text between them is JSON is for its
 * parser. A value that is not closed within `charactersMax` is broken.
 */
export function valueEnd(text: string, at: number, charactersMax: number): ValueEnd {
  const first = text[at]!
  if (first === '"') return stringEnd(text, at)
  if (CLOSING[first] === undefined) return scalarEnd(text, at)
  const closings: string[] = []
  for (let from = at; from - at <= charactersMax;) {
    STRUCTURE.lastIndex = from
    const found = STRUCTURE.exec(text)
    if (found === null) return text.length - at > charactersMax ? 'broken' : 'open'
    const [character] = found
    from = found.index + 1
    if (character === '"') {
      const string = stringEnd(text, found.index)
      if (typeof string === 'string') return string
      from = string.end
    } else if (CLOSING[character] !== undefined) {
      closings.push(CLOSING[character])
    } else {
      if (closings.pop() !== character) return 'broken'
      if (closings.length === 0) return { end: from }
    }
  }
  return 'broken'
}

function stringEnd(text: string, at: number): ValueEnd {
  for (let from = at + 1; ;) {
    STRING_STOPS.lastIndex = from
    const found = STRING_STOPS.exec(text)
    if (found === null) return 'open'
    if (found[0] === '"') return { end: found.index + 1 }
    if (found[0] !== '\\') return 'broken'
    from = found.index + 2
  }
}

function scalarEnd(text: string, at: number): ValueEnd {
  SCALAR_END.lastIndex = at + 1
  const found = SCALAR_END.exec(text)
  return found === null ? 'open' : { end: found.index }
}
