const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [LEFT_BRACE, RIGHT_BRACE, LEFT_BRACKET, RIGHT_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]

/** A field of a request, as it is in its text. */
export interface ScannedField {
  /** Its name, in quotes. */
  name: string
  /** Its value as JSON; undefined for a list. */
  value: string | undefined
  /** Where the items of a list begin and end, by turns. */
  spans: number[]
}

export interface ScanLimits {
  /** Items of a list. The scan ends with the first item beyond it, because the request is refused. */
  itemsMax: number
  /** Values inside an item, or inside a field that is no list. */
  valuesMax: number
}

/** A text that is not JSON, or not what `parse` can take. */
export class ScanError extends Error {
  override readonly name = 'ScanError'
}

/** An item or a field with more values than any valid one. */
export class TooManyValues extends Error {
  override readonly name = 'TooManyValues'
  /** Of the item, by its position; undefined for a field. */
  readonly index: number | undefined

  constructor(index?: number) {
    super('too many values')
    this.index = index
  }
}

/**
 * Finds the fields of an object and the items of its lists without parsing them, so that a request is judged by its structure before
 * it costs memory. It checks commas, colons and brackets down to the items; JSON.parse of each part checks the rest.
 * Undefined for a text that is no object. @throws ScanError, TooManyValues.
 */
export function scanFields(text: string, { itemsMax, valuesMax }: ScanLimits): ScannedField[] | undefined {
  let place = 0
  const skipBlanks = () => {
    place = endOfBlanks(text, place)
  }
  /** Whether the next character is this; it is passed then. */
  const isNext = (code: number) => {
    skipBlanks()
    if (text.charCodeAt(place) !== code) return false
    place++
    return true
  }
  const need = (isThere: boolean) => {
    if (!isThere)
      throw new ScanError(
        place < text.length ? `unexpected ${JSON.stringify(text[place])} at character ${place + 1}` : 'it breaks off',
      )
  }
  const passValue = (index?: number): [start: number, end: number] => {
    skipBlanks()
    const start = place
    place = endOfValue(text, start, valuesMax, index)
    need(place > start)
    return [start, place]
  }
  const passList = (): number[] => {
    const spans: number[] = []
    if (isNext(RIGHT_BRACKET)) return spans
    do spans.push(...passValue(spans.length / 2))
    while (spans.length <= 2 * itemsMax && isNext(COMMA))
    if (spans.length <= 2 * itemsMax) need(isNext(RIGHT_BRACKET))
    return spans
  }

  if (!isNext(LEFT_BRACE)) return undefined
  const fields: ScannedField[] = []
  let items = 0
  if (!isNext(RIGHT_BRACE)) {
    do {
      skipBlanks()
      need(text.charCodeAt(place) === QUOTE)
      const name = text.slice(...passValue())
      need(isNext(COLON))
      if (isNext(LEFT_BRACKET)) {
        const spans = passList()
        fields.push({ name, value: undefined, spans })
        if (spans.length > 2 * itemsMax) return fields
        items += spans.length / 2
      } else fields.push({ name, value: text.slice(...passValue()), spans: [] })
      // A request has one list. JSON allows a field twice, and the last one counts.
      if (fields.length > valuesMax || items > 2 * itemsMax) throw new TooManyValues()
    } while (isNext(COMMA))
    need(isNext(RIGHT_BRACE))
  }
  skipBlanks()
  need(place === text.length)
  return fields
}

/** Where a value ends. Brackets are only counted: a wrong pair is found when the value is parsed. @throws TooManyValues. */
export function endOfValue(text: string, start: number, valuesMax: number, index?: number): number {
  const first = text.charCodeAt(start)
  if (first === QUOTE) return endOfString(text, start)
  if (first !== LEFT_BRACE && first !== LEFT_BRACKET) return endOfWord(text, start)
  let depth = 0
  let values = 0
  for (let place = start; place < text.length; place++) {
    const code = text.charCodeAt(place)
    if (code === QUOTE) place = endOfString(text, place) - 1
    else if (code === COMMA) values++
    else if (code === LEFT_BRACE || code === LEFT_BRACKET) {
      depth++
      values++
    } else if (code === RIGHT_BRACE || code === RIGHT_BRACKET) {
      if (--depth === 0) return place + 1
    }
    if (values > valuesMax) throw new TooManyValues(index)
  }
  return text.length
}

function endOfString(text: string, start: number): number {
  for (let place = start + 1; place < text.length; place++) {
    const code = text.charCodeAt(place)
    if (code === QUOTE) return place + 1
    if (code === BACKSLASH) place++
  }
  return text.length
}

/** Where a number, or true, false or null ends. */
function endOfWord(text: string, start: number): number {
  let place = start
  for (; place < text.length; place++) {
    const code = text.charCodeAt(place)
    if (code === COMMA || code === RIGHT_BRACE || code === RIGHT_BRACKET || isBlank(code)) break
  }
  return place
}

function endOfBlanks(text: string, start: number): number {
  let place = start
  while (place < text.length && isBlank(text.charCodeAt(place))) place++
  return place
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}
