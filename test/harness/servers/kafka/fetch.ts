import { NO_KAFKA } from './broker.ts'

/** Fetches the image or the jars before the tests, so that no test waits for them. */
if (NO_KAFKA !== undefined) console.error(`Tests with a Kafka (test/kafka) are skipped: ${NO_KAFKA}.`)
