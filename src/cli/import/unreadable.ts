/** Why a value cannot be read; given back, not thrown: a bad row is nothing exceptional. */
export class Unreadable {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}
