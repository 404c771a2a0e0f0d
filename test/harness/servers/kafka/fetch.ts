import { kafkaProblem } from './jars.ts'

/** Fetches the jars before the tests, so that no test waits for them. */
const problem = kafkaProblem()
if (problem !== undefined) console.error(`Tests with a Kafka (test/kafka) are skipped: ${problem}.`)
