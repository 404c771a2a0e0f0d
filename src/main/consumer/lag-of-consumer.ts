import { KafkaLagResponse } from '../../contract/kafka-lag.ts'

/** A page waits for the answer. The consumer itself waits longer for brokers that do not answer. */
const LAG_MS_MAX = 2_000

/** What the consumer at this address says of its topics. @throws when it does not answer, or does not know. */
export async function lagOfConsumer(url: string): Promise<KafkaLagResponse> {
  const answer = await fetch(`${url}/lag`, { signal: AbortSignal.timeout(LAG_MS_MAX) })
  if (!answer.ok) throw new Error(`the consumer of Kafka answers ${answer.status}`)
  return KafkaLagResponse.parse(await answer.json())
}
