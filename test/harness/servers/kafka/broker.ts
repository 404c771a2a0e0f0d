import { dockerProblem, startDockerBroker } from './docker-broker.ts'
import { startJarBroker } from './jar-broker.ts'
import { kafkaProblem } from './jars.ts'

export interface TestBroker {
  address: string
  /** Where it takes the login over TLS. */
  loginAddress: string | undefined
  kill: () => Promise<void>
  start: () => Promise<void>
  stop: () => Promise<void>
}

/** A user of the broker, by SCRAM-SHA-512, and the broker's certificate. */
export interface BrokerLogin {
  username: string
  password: string
  certFile: string
  keyFile: string
}

type Way = 'container' | 'jars' | 'given'

const problems = { container: dockerProblem(), jars: undefined as string | undefined, given: undefined as string | undefined }
if (problems.container !== undefined) problems.jars = kafkaProblem()
const GIVEN = process.env['KAFKA_BROKERS']
if (GIVEN === undefined) problems.given = 'KAFKA_BROKERS is not set'

/** A container, or the jars of Kafka, or the brokers of KAFKA_BROKERS. */
const WAY: Way | undefined = (['container', 'jars', 'given'] as const).find((way) => problems[way] === undefined)

/** Why tests with a Kafka are skipped; undefined where there is one. */
export const NO_KAFKA = WAY === undefined ? Object.values(problems).join(', ') : undefined
/** Whether the broker can be killed. */
export const IS_OWN = WAY === 'container' || WAY === 'jars'
/** Whether it can be started with a login. */
export const HAS_LOGIN = WAY === 'jars'

/** Starts a broker of its own, or gives the one of KAFKA_BROKERS, which cannot be killed. */
export async function startBroker(login?: BrokerLogin): Promise<TestBroker> {
  if (WAY === 'container') return await startDockerBroker()
  if (WAY === 'jars') return await startJarBroker(login)
  const nothing = async () => undefined
  return { address: GIVEN!, loginAddress: undefined, kill: nothing, start: nothing, stop: nothing }
}
