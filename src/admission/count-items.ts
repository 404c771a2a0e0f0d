const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
/** A brace without this bit is the bracket of its side. */
const BRACE_BIT = 0x20
const [LEFT_BRACKET, RIGHT_BRACKET] = [0x5b, 0x5d]

/** Items are inside the list, which is inside the request. */
const [FIELD_LEVEL, ITEM_LEVEL] = [1, 2]

export interface CountedItems {
  items: number
  /** Whether the list is the only field, when the body was counted to its end and is JSON. */
  isAlone: boolean
}

/**
 * How many items a request lists at most, by its commas and without parsing it: 10,000 items fit into 30 KB, and what a request costs
 * depends on them. Counts no further than `max`. Of a body that is not JSON it is any number.
 */
export function countItems(body: Uint8Array, max: number): CountedItems {
  let level = 0
  let items = 1
  let isAlone = true
  for (let place = 0; place < body.length && items < max; place++) {
    const code = body[place]!
    if (code === QUOTE) place = endOfString(body, place)
    else if (code === COMMA) {
      if (level === ITEM_LEVEL) items++
      else if (level === FIELD_LEVEL) isAlone = false
    } else if ((code & ~BRACE_BIT) === LEFT_BRACKET) level++
    else if ((code & ~BRACE_BIT) === RIGHT_BRACKET) level--
  }
  return { items, isAlone }
}

/** The place of the quote that ends a string; the body's length without one. */
function endOfString(body: Uint8Array, start: number): number {
  for (let place = start + 1; place < body.length; place++) {
    const code = body[place]!
    if (code === QUOTE) return place
    if (code === BACKSLASH) place++
  }
  return body.length
}
