/** What a request asks for does not exist. */
export class WrongField extends Error {
  readonly field: string

  constructor(field: string, message: string) {
    super(message)
    this.field = field
  }
}
