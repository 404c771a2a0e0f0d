import { type Random, randomOf } from '../../src/cli/demo/random.ts'
import { AbandonedError, Person } from './person.ts'
import type { CrashStack } from './stack.ts'

/** The ids of persons, and the pseudonyms of the erased ones. */
export const PERSON_PATTERN = '^(sender [0-9]+ person|erased-)'

const SENDERS = 3
const EVENTS_MAX = 8
/** The share of persons that are erased. */
const ERASED_SHARE = 0.5

/** Persons that look at products, sign in, pay, and are perhaps erased, one after the other in each of some senders. */
export class Persons {
  readonly persons: Person[] = []
  readonly #stack: CrashStack
  readonly #seed: number
  readonly #senders: Promise<void>[] = []
  readonly #failures: string[] = []
  #isEnding = false
  #isAbandoned = false

  constructor(stack: CrashStack, seed: number) {
    this.#stack = stack
    this.#seed = seed
  }

  start(): void {
    for (let n = 0; n < SENDERS; n++) this.#senders.push(this.#live(`sender ${n}`))
  }

  /** Lets each person end what it has begun. */
  async finish(): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#senders)
  }

  async abandon(): Promise<void> {
    this.#isAbandoned = true
    await this.finish()
  }

  get problems(): string[] {
    return [...this.#failures, ...this.persons.flatMap(({ problems }) => problems)]
  }

  async #live(name: string): Promise<void> {
    const random = randomOf(this.#seed, `persons of ${name}`)
    try {
      for (let n = 0; !this.#isEnding && !this.#isAbandoned; n++) {
        const person = new Person(`${name} person ${n}`, this.#stack, random, () => this.#isAbandoned)
        this.persons.push(person)
        await live(person, random)
      }
    } catch (error) {
      // Problems of the persons and of the stack say why.
      if (!(error instanceof AbandonedError)) this.#failures.push(String(error))
    }
  }
}

async function live(person: Person, random: Random): Promise<void> {
  const account = `account:${person.account}`
  const sessions = [0, 1].map((n) => `${person.account} visit ${n}`)
  const shoppers = [account, ...sessions.map((session) => `session:${session}`)]
  const look = async (beforeMs: number) => {
    const events = Array.from({ length: 1 + random.below(EVENTS_MAX) }, () => person.track(random.pick(shoppers), beforeMs))
    await Promise.all(events)
  }
  await look(Date.now())
  // Another account claims one of the sessions, too.
  const claims = sessions.map((session) => person.merge(session, person.account))
  await Promise.all([...claims, person.merge(sessions[0]!, `${person.account} rival`), person.pay(Date.now()), look(Date.now())])
  if (!random.chance(ERASED_SHARE)) return
  const beforeMs = Date.now()
  // The second session is of the account, which no other one claims.
  const { id } = await person.requestErasure(random.pick([account, `session:${sessions[1]!}`]))
  // While it runs: late events, a late payment, and a session that is new.
  const more = [look(beforeMs), person.pay(beforeMs), person.merge(`${person.account} late`, person.account)]
  await Promise.all([person.erased(id), ...more])
  await Promise.all([look(beforeMs), look(Date.now() + 60_000), person.pay(Date.now())])
}
