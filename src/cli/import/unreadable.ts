/** Why a value cannot be read. It is returned and not thrown, because bad rows are common. */
export class Unreadable {
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}
