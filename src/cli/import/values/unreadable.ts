/** Why a value cannot be read. It is returned and not thrown, because bad rows are common. */
export class Unreadable {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const SHOWN_CHARACTERS_MAX = 100

/** `"free" is not a price`, from the cell and the rest of the sentence. */
export function unreadable(text: string, problem: string): Unreadable {
  return new Unreadable(`${JSON.stringify(text.slice(0, SHOWN_CHARACTERS_MAX))} ${problem}`)
}
