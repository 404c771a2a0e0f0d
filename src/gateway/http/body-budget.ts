import { DecidedError } from '../../contract/decided-error.ts'

export interface BodyLimits {
  /** Bytes of all bodies that arrive or are being answered. */
  bytesMax: number
  /** Bytes of those of one client address. */
  clientBytesMax: number
}

/** The bytes that one body has of the budget. */
export interface Hold {
  /** Takes more, for a body whose length was not declared. @throws DecidedError when it is beyond a limit. */
  grow: (bytes: number) => void
  /** Gives everything back; a second call does nothing. */
  release: () => void
}

export interface BodyBudget {
  /** Takes the declared bytes of a body before it is read. @throws DecidedError when they are beyond a limit. */
  hold: (client: string, bytes: number) => Hold
  /** Bytes that are held. */
  held: () => number
}

const FULL = 'too much arrives here already; nothing of this request was read, send it again'

/** Bounds the memory that bodies take, because each sender chooses how long its body is and how long it takes to arrive. */
export function createBodyBudget({ bytesMax, clientBytesMax }: BodyLimits): BodyBudget {
  const byClient = new Map<string, number>()
  let held = 0

  const add = (client: string, bytes: number) => {
    const own = (byClient.get(client) ?? 0) + bytes
    held += bytes
    if (own === 0) byClient.delete(client)
    else byClient.set(client, own)
  }
  const take = (client: string, bytes: number) => {
    if (held + bytes > bytesMax || (byClient.get(client) ?? 0) + bytes > clientBytesMax) {
      throw new DecidedError('unavailable', FULL)
    }
    add(client, bytes)
  }

  return {
    hold: (client, bytes) => {
      take(client, bytes)
      let own = bytes
      return {
        grow: (more) => {
          take(client, more)
          own += more
        },
        release: () => {
          add(client, -own)
          own = 0
        },
      }
    },
    held: () => held,
  }
}
